// GET /api/admin/users/:id/export: everything that is kept of a user, a line each, in bounded memory.
import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import test from "node:test";

import { connect } from "../lib/client.js";
import { Server, eventually, token } from "../lib/server.js";

const KEY = "a-key-of-the-platform-for-the-tests-1";
const SETTINGS = { API_KEYS: KEY, MESSAGE_RATE: "0" };

/** The lines of an export. */
async function exported(server, id, bearer = KEY) {
  const { status, text, headers } = await server.request("GET", `/api/admin/users/${id}/export`, { token: bearer });
  assert.equal(status, 200, text);
  assert.equal(headers.get("content-type"), "application/x-ndjson");
  assert.ok(text === "" || text.endsWith("\n"));
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

const of = (lines, kind) => lines.filter((line) => line.kind === kind);

test("an export has everything of a user, and nothing that others wrote", async (t) => {
  const server = await Server.start(t, SETTINGS);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  const sent = [];
  for (let n = 1; n <= 300; n++) sent.push((await (n % 2 ? a : b).send(conversation, `text ${n}`)).data);
  await a.ask("edit_message", { message_id: sent[0]._id, text: "edited" });
  await a.ask("delete_message", { message_id: sent[2]._id });
  await b.ask("delete_message", { message_id: sent[3]._id });
  await a.ask("report_message", { message_id: sent[1]._id, reason: "rude" });
  await b.ask("report_message", { message_id: sent[4]._id, reason: "a secret of Bruno's" });
  await a.ask("update_conversation", { conversation_id: conversation, muted: true });
  await a.ask("block_user", { user_id: "somebody" });
  await server.request("PUT", `/api/admin/users/${ana.id}`, { token: KEY, body: { phone: "+5491112345678" } });

  const lines = await exported(server, ana.id);
  const kinds = [...new Set(lines.map(({ kind }) => kind))];
  assert.deepEqual(kinds, ["user", "block", "conversation", "message", "withdrawn_text", "report", "reported_message", "audit"]);
  const [user] = of(lines, "user");
  assert.deepEqual([user._id, user.full_name, user.email, user.phone, user.role], [ana.id, "Ana", ana.email.toLowerCase(), "+5491112345678", "seller"]);
  assert.ok(!JSON.stringify(lines).match(/argon2|password/), "never the hash");
  assert.deepEqual(of(lines, "block").map(({ user_id }) => user_id), ["somebody"]);
  const [shown] = of(lines, "conversation");
  assert.deepEqual([shown._id, shown.muted, shown.archived, shown.last_seq], [conversation, true, undefined, 300]);
  assert.deepEqual(shown.participants.map(({ _id }) => _id).sort(), [ana.id, bruno.id].sort());
  const messages = of(lines, "message");
  assert.deepEqual(messages.map(({ seq }) => seq), Array.from({ length: 150 }, (_, n) => 2 * n + 1));
  assert.ok(messages.every(({ sender_id }) => sender_id._id === ana.id));
  assert.deepEqual([messages[0].text, messages[1].text, messages[2].text], ["edited", "", "text 5"]);
  assert.deepEqual(of(lines, "withdrawn_text").map(({ text, change }) => [text, change]), [["text 1", "edited"], ["text 3", "deleted"]]);
  assert.deepEqual(of(lines, "report").map(({ reason, message_id }) => [reason, message_id]), [["rude", sent[1]._id]]);
  assert.deepEqual(of(lines, "reported_message").map(({ text }) => text), ["text 5"]);
  assert.deepEqual(of(lines, "audit").map(({ action }) => action), ["user.export", "user.update"]);
  const all = JSON.stringify(lines);
  for (const theirs of ["a secret of Bruno's", "text 2\"", "text 4\"", bruno.email]) assert.ok(!all.includes(theirs), theirs);
});

test("who is asked for, and by whom", async (t) => {
  const server = await Server.start(t, SETTINGS);
  const { ana, bruno, conversation } = await server.pair();
  const path = `/api/admin/users/${ana.id}/export`;
  const refused = async (status, message, bearer, at = path) => {
    const { status: came, json } = await server.request("GET", at, bearer ? { token: bearer } : {});
    assert.deepEqual([came, json.message], [status, message]);
  };
  await refused(401, "No token provided");
  await refused(401, "Invalid or expired token", "wrong");
  await refused(403, "Admins only", ana.token);
  await refused(404, "User not found", KEY, "/api/admin/users/nobody/export");
  await refused(404, "User not found", KEY, "/api/admin/users/no%20id!/export");
  assert.equal((await exported(server, bruno.id, token({ userId: "boss", role: "admin" })))[0].kind, "user");

  // A user of the platform's own tokens, without an account here.
  const guest = { id: "guest", token: token({ userId: "guest", role: "seller" }) };
  const opened = await server.request("POST", "/api/chat/conversations", { token: guest.token, body: { recipient_id: ana.id } });
  const client = await connect(t, server, guest);
  await client.send(opened.json.data._id, "hello");
  const lines = await exported(server, guest.id);
  assert.deepEqual(lines.map(({ kind }) => kind), ["conversation", "message", "audit"]);

  // What was read for an export counts as read by nobody.
  const b = await connect(t, server, bruno);
  await b.send(conversation, "unread");
  await exported(server, ana.id);
  const { json } = await server.request("GET", "/api/chat/unread-count", { token: ana.token });
  assert.equal(json.unread_count, 2);
});

test("exports that nobody reads are bounded, and keep no reader of the store", async (t) => {
  const server = await Server.start(t, SETTINGS);
  // The bound is each node's own.
  const node = server.nodes?.[0] ?? server;
  const { ana, conversation } = await server.pair();
  const a = await connect(t, node, ana);
  const text = "x".repeat(1990);
  // More than the buffers of a connection hold.
  for (let n = 0; n < 60; n++) await Promise.all(Array.from({ length: 100 }, () => a.send(conversation, text)));
  const path = `/api/admin/users/${ana.id}/export`;
  const slow = [];
  t.after(() => slow.forEach((socket) => socket.destroy()));
  /** An export whose first bytes alone are read. */
  const hang = () =>
    new Promise((resolve, reject) => {
      const socket = connectTcp(node.port, "127.0.0.1", () => {
        socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n\r\n`);
      });
      slow.push(socket);
      socket.on("error", reject).once("data", (data) => {
        socket.pause();
        resolve(Number(`${data}`.split(" ")[1]));
      });
    });
  const statuses = await Promise.all(Array.from({ length: 12 }, hang));
  assert.deepEqual(statuses.sort(), [...Array(4).fill(200), ...Array(8).fill(429)]);
  const { status, json, headers } = await node.request("GET", path, { token: KEY });
  assert.deepEqual([status, json.message, headers.get("retry-after")], [429, "Too many exports at once", "10"]);
  // The chat reads and writes as before.
  const begin = performance.now();
  for (let n = 0; n < 20; n++) {
    assert.equal((await a.send(conversation, "still")).success, true);
    assert.equal((await node.request("GET", `/api/chat/conversations/${conversation}/messages`, { token: ana.token })).status, 200);
  }
  assert.ok(performance.now() - begin < 20_000);
  for (const socket of slow) socket.destroy();
  const lines = await eventually("a place for an export", async () => {
    const answer = await node.request("GET", path, { token: KEY });
    return answer.status === 200 && answer.text;
  });
  assert.equal(lines.split("\n").filter((line) => line.includes('"kind":"message"')).length, 6020);
});
