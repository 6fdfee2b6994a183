// What admins and the platform read of reports, and decide.
import assert from "node:assert/strict";
import test from "node:test";

import { connect } from "../lib/client.js";
import { Server, run, temporaryFolder, token } from "../lib/server.js";

const KEY = "a-key-of-the-platform-for-the-tests-1";
const BOSS = token({ userId: "boss", role: "admin" });

test("reports come with what was said around them, and are decided on", async (t) => {
  const server = await Server.start(t, { API_KEYS: KEY, MESSAGE_RATE: "0" });
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  const sent = [];
  for (let n = 1; n <= 25; n++) sent.push((await (n % 2 ? a : b).send(conversation, `${n}`)).data);
  const report = async (message) => (await b.ask("report_message", { message_id: message._id, reason: "rude" })).data.report_id;
  const ids = [];
  for (const seq of [1, 13, 25]) ids.push(await report(sent[seq - 1]));
  await a.ask("edit_message", { message_id: sent[12]._id, text: "kind" });
  await a.ask("delete_message", { message_id: sent[14]._id });

  const admin = async (status, method, path, body, bearer = BOSS) => {
    const answer = await server.request(method, `/api/admin/${path}`, { ...(bearer ? { token: bearer } : {}), ...(body === undefined ? {} : { body }) });
    assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
    return answer.json;
  };
  const listed = async (query, bearer) => {
    const { data, cursor } = await admin(200, "GET", `reports${query}`, undefined, bearer);
    return { seqs: data.map(({ message }) => message.seq), cursor, data };
  };

  await t.test("the ten before and the ten after, as they now are", async () => {
    const { data, cursor } = await listed("", KEY);
    assert.equal(cursor, undefined);
    const around = data.map(({ before, after }) => [before, after].map((part) => part.map(({ seq }) => seq)));
    const range = (first, last) => Array.from({ length: last - first + 1 }, (_, n) => first + n);
    assert.deepEqual(around, [[range(15, 24), []], [range(3, 12), range(14, 23)], [[], range(2, 11)]]);
    const [, middle] = data;
    assert.equal(middle._id, ids[1]);
    assert.deepEqual([middle.state, middle.message.text, middle.note, middle.decided_by], ["open", "13", undefined, undefined]);
    assert.ok(middle.message.edited_at);
    assert.deepEqual([middle.after[1].text, Boolean(middle.after[1].deleted_at)], ["", true]);
    assert.equal(middle.before[0].sender_id.full_name, "Ana");
    const { json } = await server.request("GET", "/api/chat/unread-count", { token: ana.token });
    assert.ok(json.unread_count > 0, "reading marks nothing as read");
  });

  await t.test("a decision, its note, and the audit", async () => {
    const { data } = await admin(200, "PATCH", `reports/${ids[1]}`, { state: "resolved", note: " warned " });
    assert.deepEqual([data.state, data.note, data.decided_by], ["resolved", "warned", { user_id: "boss" }]);
    assert.equal(data.before.length, 10);
    assert.deepEqual((await admin(200, "GET", `reports/${ids[1]}`)).data, data);
    await admin(200, "PATCH", `reports/${ids[0]}`, { state: "dismissed" }, KEY);
    assert.deepEqual((await listed("?state=open")).seqs, [25]);
    assert.deepEqual((await listed("?state=resolved")).seqs, [13]);
    assert.deepEqual((await listed("?state=dismissed")).seqs, [1]);
    assert.deepEqual((await listed("?state=dismissed")).data[0].decided_by, { key: 1 });
    const again = await admin(200, "PATCH", `reports/${ids[1]}`, { state: "open" });
    assert.deepEqual([again.data.state, again.data.note], ["open", "warned"]);
    const bare = await admin(200, "PATCH", `reports/${ids[1]}`, { state: "open", note: null });
    assert.equal(bare.data.note, undefined);
    const noted = (await admin(200, "GET", "audit")).data.filter(({ action }) => action === "report.decide");
    assert.deepEqual(
      noted.map(({ by, target, details }) => [by, target, details]),
      [
        [{ user_id: "boss" }, ids[1], { state: "open" }],
        [{ user_id: "boss" }, ids[1], { state: "open" }],
        [{ key: 1 }, ids[0], { state: "dismissed" }],
        [{ user_id: "boss" }, ids[1], { state: "resolved" }],
      ],
    );
  });

  await t.test("pages by a cursor, and by a number", async () => {
    const first = await listed("?limit=2");
    assert.deepEqual(first.seqs, [25, 13]);
    const rest = await listed(`?limit=2&after=${first.cursor}`);
    assert.deepEqual([rest.seqs, rest.cursor], [[1], undefined]);
    assert.deepEqual((await listed("?limit=2&page=2")).seqs, [1]);
  });

  await t.test("the same from the command line", async () => {
    const folder = temporaryFolder(t);
    const environment = { API_URL: server.url, API_KEY: KEY };
    const command = (args, more = {}) => run(folder, ["reports", ...args], { ...environment, ...more });
    const listing = command(["list", "--state", "dismissed"]);
    assert.equal(listing.status, 0, listing.stderr);
    assert.match(listing.stdout, new RegExp(`^${ids[0]}\\tdismissed\\t\\S+Z\\tBruno \\(${bruno.id}\\)\\tAna \\(${ana.id}\\)\\trude\n$`));
    assert.match(command(["list", "--limit", "1"]).stdout, /\nmore: --after \d+\n$/);
    const shown = command(["show", ids[1], "--url", `${server.url}/`, "--key", BOSS], { API_URL: "http://127.0.0.1:9", API_KEY: "x" });
    assert.equal(shown.status, 0, shown.stderr);
    assert.deepEqual(JSON.parse(shown.stdout), (await admin(200, "GET", `reports/${ids[1]}`)).data);
    const resolved = command(["resolve", ids[2], "--note", "by hand"]);
    assert.equal(resolved.status, 0, resolved.stderr);
    const { data } = await admin(200, "GET", `reports/${ids[2]}`);
    assert.deepEqual([data.state, data.note, data.decided_by], ["resolved", "by hand", { key: 1 }]);
    assert.equal(command(["resolve", ids[2], "--state", "open"]).status, 0);
    for (const [args, more, problem] of [
      [["show", "unknown"], {}, /the server answered 404: Report not found/],
      [["list"], { API_KEY: "wrong-key" }, /401: Invalid or expired token/],
      [["list"], { API_KEY: undefined }, /API_KEY/],
      [["list"], { API_KEY: "two words" }, /API_KEY/],
      [["list"], { API_URL: "chat.example.com" }, /API_URL/],
      [["list"], { API_URL: "http://127.0.0.1:9" }, /API_URL: http:\/\/127\.0\.0\.1:9\/: .*[Cc]onnect/],
      [["list", "--after", "x"], {}, /422: .*not a cursor/],
      [["resolve", ids[2], "--state", "gone"], {}, /--state/],
    ]) {
      const { status, stderr } = command(args, more);
      assert.equal(status, 2, stderr);
      assert.match(stderr, problem);
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
      assert.ok(!stderr.includes("two words"), "a key is never shown");
    }
  });

  await t.test("what is refused", async () => {
    const unknown = await admin(404, "PATCH", "reports/unknown", { state: "open" });
    assert.equal(unknown.message, "Report not found");
    await admin(404, "GET", "reports/no%20id!");
    for (const [body, path] of [
      [{}, "state"], [{ state: "gone" }, "state"], [{ state: 7 }, "state"],
      [{ state: "open", note: "x".repeat(1001) }, "note"], [{ state: "open", note: 7 }, "note"],
    ]) {
      const { errors } = await admin(422, "PATCH", `reports/${ids[0]}`, body);
      assert.deepEqual(errors.map((error) => error.path), [path], JSON.stringify(body));
    }
    for (const query of ["state=gone", "after=x", "after=01", "after=%2B1", "limit=0", "limit=101"]) {
      await admin(422, "GET", `reports?${query}`);
    }
    for (const [status, bearer] of [[401, null], [401, "garbage"], [403, ana.token]]) {
      for (const path of ["reports", `reports/${ids[0]}`]) await admin(status, "GET", path, undefined, bearer);
      await admin(status, "PATCH", `reports/${ids[0]}`, { state: "open" }, bearer);
    }
  });
});
