// Messages that are edited, deleted or reported.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { connect } from "../lib/client.js";
import { Server, eventually, token } from "../lib/server.js";

test("edit and delete: sent to both, kept for admins, within their time", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  await a.ask("join_conversation", conversation);
  const { data: first } = await a.send(conversation, "first text");
  const { data: second } = await a.send(conversation, "second text");
  const edited = await a.ask("edit_message", { message_id: first._id, text: "better text" });
  assert.deepEqual({ ...edited.data, edited_at: undefined }, { ...first, text: "better text", edited_at: undefined });
  for (const client of [a, b]) assert.deepEqual(await client.received("message_updated"), [edited.data]);
  const deleted = await a.ask("delete_message", { message_id: second._id });
  assert.deepEqual([deleted.success, deleted.data.text], [true, ""]);
  for (const client of [a, b]) {
    const [event] = await client.received("message_deleted");
    assert.deepEqual(event, { message_id: second._id, conversation_id: conversation, seq: 2, deleted_at: deleted.data.deleted_at });
  }
  assert.deepEqual(await a.ask("delete_message", second._id), deleted, "a repeat is answered as the first");
  const history = await server.history(bruno.token, conversation);
  assert.deepEqual(history.map((message) => message.text), ["better text"]);
  assert.ok(!JSON.stringify((await b.ask("fetch_messages", { conversation_id: conversation })).data).includes("second text"));
  for (const [client, event, payload, message] of [
    [b, "edit_message", { message_id: first._id, text: "mine" }, "Only the sender can change a message"],
    [b, "delete_message", { message_id: first._id }, "Only the sender can change a message"],
    [a, "edit_message", { message_id: second._id, text: "x" }, "Message not found"],
    [a, "edit_message", { message_id: "unknown", text: "x" }, "Message not found"],
    [a, "edit_message", { message_id: first._id, text: " " }, "Message text is required"],
    [a, "edit_message", { message_id: first._id, text: "x".repeat(2001) }, "Message is too long (maximum 2000 characters)"],
    [a, "edit_message", { message_id: first._id, text: 7 }, "Invalid message"],
    [a, "edit_message", "x", "Invalid request"],
    [a, "delete_message", { message_id: 7 }, "Invalid request"],
  ]) {
    assert.deepEqual(await client.ask(event, payload), { success: false, message }, JSON.stringify([event, payload]));
  }
  const dora = await connect(t, server, await server.register("Dora"));
  assert.equal((await dora.ask("delete_message", first._id)).message, "Message not found");
  await server.restart({ EDIT_WINDOW: "1s" });
  await eventually("connected again", () => a.socket.connected);
  await sleep(Math.max(0, Date.parse(first.sent_at) + 1_100 - Date.now()));
  assert.equal((await a.ask("edit_message", { message_id: first._id, text: "late" })).message, "Message can no longer be changed");
  const gone = await server.request("DELETE", `/api/chat/messages/${first._id}`, { token: ana.token });
  assert.deepEqual([gone.status, gone.json.message], [403, "Message can no longer be changed"]);
  const withdrawn = `/api/admin/withdrawn?conversation_id=${conversation}`;
  assert.equal((await server.request("GET", withdrawn, { token: ana.token })).status, 403);
  const admin = token({ userId: "admin", role: "admin" });
  const kept = (await server.request("GET", withdrawn, { token: admin })).json.data;
  assert.deepEqual(kept.map(({ text, kind }) => [text, kind]), [["second text", "deleted"], ["first text", "edited"]]);
});

test("the list says what a client needs to know until when a message can be changed", async (t) => {
  const server = await Server.start(t, { EDIT_WINDOW: "90s" });
  const { ana } = await server.pair();
  const begin = Date.now();
  const { json } = await server.request("GET", "/api/chat/conversations", { token: ana.token });
  assert.equal(json.edit_window_ms, 90_000);
  assert.equal(json.user_id, ana.id);
  assert.match(json.server_time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Date.parse(json.server_time) >= begin - 1 && Date.parse(json.server_time) <= Date.now() + 1);
});

test("reports: a snapshot for admins alone", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  const { data: message } = await a.send(conversation, "rude words");
  const report = await b.ask("report_message", { message_id: message._id, reason: "rude" });
  assert.equal(report.success, true);
  await a.ask("delete_message", { message_id: message._id });
  const posted = await server.request("POST", "/api/chat/reports", { token: bruno.token, body: { message_id: message._id, reason: "still rude" } });
  assert.deepEqual([posted.status, posted.json.data], [201, report.data], "one report of each reporter and message is kept");
  for (const [client, payload, text] of [
    [a, { message_id: message._id, reason: "x" }, "Cannot report your own message"],
    [b, { message_id: message._id, reason: " " }, "A reason is required (maximum 1000 characters)"],
    [b, { message_id: "unknown", reason: "x" }, "Message not found"],
    [b, "x", "Invalid request"],
  ]) {
    assert.deepEqual(await client.ask("report_message", payload), { success: false, message: text });
  }
  assert.equal((await server.request("GET", "/api/admin/reports", { token: ana.token })).status, 403);
  const { json } = await server.request("GET", "/api/admin/reports", { token: token({ userId: "boss", role: "admin" }) });
  assert.deepEqual(json.data.map(({ reason, message }) => [reason, message.text]), [["rude", "rude words"]]);
  assert.equal(json.data[0]._id, report.data.report_id);
  assert.deepEqual(json.data[0].reporter, { _id: bruno.id, full_name: "Bruno" });
});

test("an edit counts as a message; a message is reported once, and reports have a rate", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: undefined });
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  const { data: message } = await a.send(conversation, "0");
  const began = performance.now();
  const [edits, sends] = await Promise.all([
    Promise.all(Array.from({ length: 300 }, (_, n) => a.ask("edit_message", { message_id: message._id, text: `${n}` }))),
    Promise.all(Array.from({ length: 300 }, () => a.send(conversation, "x"))),
  ]);
  const taken = [...edits, ...sends].filter(({ success }) => success).length;
  // A burst of 50, and ten a second.
  const most = 50 + Math.ceil((performance.now() - began) / 100);
  assert.ok(taken >= 40 && taken <= most, `${taken} edits and messages were taken, and ${most} are right`);
  const refused = edits.find(({ success }) => !success);
  assert.deepEqual([refused.message, refused.retry_after], ["Too many messages", 1]);
  const patch = () => server.request("PATCH", `/api/chat/messages/${message._id}`, { token: ana.token, body: { text: "y" } });
  const patched = await Promise.all(Array.from({ length: 100 }, patch));
  assert.ok(patched.some(({ status }) => status === 429), "HTTP has no rate of its own");

  const reports = await Promise.all(
    Array.from({ length: 300 }, () => b.ask("report_message", { message_id: message._id, reason: "rude" })),
  );
  assert.equal(new Set(reports.map(({ data }) => data.report_id)).size, 1);
  const others = [];
  for (let n = 0; n < 25; n++) {
    let sent;
    await eventually("a message is taken", async () => (sent = await a.send(conversation, `${n}`)).success);
    others.push(await b.ask("report_message", { message_id: sent.data._id, reason: "rude" }));
  }
  const kept = others.filter(({ success }) => success).length;
  assert.ok(kept >= 19 && kept < 25, `${kept} reports were kept`);
  assert.equal(others.at(-1).message, "Too many messages");
  const admin = token({ userId: "boss", role: "admin" });
  const { json } = await server.request("GET", "/api/admin/reports?limit=100", { token: admin });
  assert.equal(json.data.length, kept + 1);
});
