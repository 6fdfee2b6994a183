// What the platform writes, reads and deletes in conversations, with its key.
import assert from "node:assert/strict";
import test from "node:test";

import { connect } from "../lib/client.js";
import { Server, eventually } from "../lib/server.js";

const KEY = "a-key-of-the-platform-in-the-tests";

async function start(t, settings) {
  const server = await Server.start(t, { API_KEYS: KEY, ...settings });
  const { ana, bruno, conversation } = await server.pair();
  const path = `/api/admin/conversations/${conversation}/messages`;
  const say = (body) => server.request("POST", path, { token: KEY, body });
  return { server, ana, bruno, conversation, path, say };
}

test("both get what the platform says, and have to read it", async (t) => {
  const { server, ana, bruno, conversation, path, say } = await start(t, { SYSTEM_NAME: "Caballos" });
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  for (const client of [a, b]) await client.ask("join_conversation", conversation);
  const custom = { offer: "7", prices: [1.5, { currency: "€" }] };
  const { status, json } = await say({ text: "The mare is sold.", custom, client_id: "sold", type: "note" });
  const { data: message } = json;
  assert.equal(status, 201);
  assert.deepEqual(message, {
    _id: message._id, conversation_id: conversation, type: "system", sender_id: { _id: "system", full_name: "Caballos" },
    text: "The mare is sold.", is_read: false, sent_at: message.sent_at, seq: 1, client_id: "sold", custom,
  });
  for (const client of [a, b]) {
    assert.deepEqual((await client.received("new_message"))[0], message);
    const [note] = await client.received("message_notification");
    assert.deepEqual(note, { conversation_id: conversation, sender: "system", preview: "The mare is sold." });
    assert.equal((await client.received("unread_count"))[0].conversation_unread_count, 1);
  }
  assert.deepEqual((await say({ text: "The mare is sold.", client_id: "sold" })).json.data, message);
  assert.equal((await say({ text: "Another.", client_id: "sold" })).status, 409);

  const read = await server.request("GET", path, { token: KEY });
  assert.deepEqual([read.json.data, read.json.page, read.json.limit], [[message], 1, 30]);
  const slice = await server.request("GET", `${path}?after_seq=0&limit=1`, { token: KEY });
  assert.deepEqual([slice.json.data, slice.json.has_more], [[message], false]);
  const listed = async (user) => {
    const { json: list } = await server.request("GET", "/api/chat/conversations", { token: user.token });
    const { unread_count, last_message } = list.data.find((one) => one._id === conversation);
    return [unread_count, last_message.type, last_message.sender_id, last_message.is_read];
  };
  for (const user of [ana, bruno]) assert.deepEqual(await listed(user), [1, "system", "system", false]);
  assert.equal((await server.history(ana.token, conversation))[0].is_read, false);
  assert.equal((await server.history(bruno.token, conversation))[0].is_read, false, "until then one had read it");
  for (const user of [ana, bruno]) assert.deepEqual(await listed(user), [0, "system", "system", true]);
  const replay = await connect(t, server, ana, { serverOffset: "" });
  assert.deepEqual((await replay.received("new_message"))[0], { ...message, is_read: true });
});

test("a message of the platform is nobody's own, and no block or rate stops it", async (t) => {
  const { server, ana, bruno, conversation, say } = await start(t, { MESSAGE_RATE: "1" });
  const a = await connect(t, server, ana);
  const { data: message } = (await say({ text: "one" })).json;
  const refusals = [
    ["edit_message", { message_id: message._id, text: "x" }, "Only the sender can change a message"],
    ["delete_message", message._id, "Only the sender can change a message"],
    ["report_message", { message_id: message._id, reason: "x" }, "Cannot report a system message"],
  ];
  for (const [event, payload, expected] of refusals) {
    assert.deepEqual(await a.ask(event, payload), { success: false, message: expected });
  }
  await a.ask("block_user", bruno.id);
  for (let n = 0; n < 20; n++) assert.equal((await say({ text: `${n}` })).status, 201);
  await eventually("all have come", async () => (await server.history(ana.token, conversation)).length === 21);
  assert.equal((await say({ text: "x", sender_id: bruno.id })).status, 403, "a participant's do not pass the block");
});

test("in a participant's name, and for nobody else", async (t) => {
  const { server, ana, bruno, conversation, say } = await start(t);
  const b = await connect(t, server, bruno);
  const { status, json } = await say({ text: "Hello", sender_id: ana.id });
  assert.deepEqual([status, json.data.sender_id._id, "type" in json.data], [201, ana.id, false]);
  assert.equal((await b.received("message_notification"))[0].sender, ana.id);
  const carla = await server.register("Carla");
  for (const sender_id of [carla.id, "system", "no id!"]) {
    const refused = await say({ text: "x", sender_id });
    assert.deepEqual([refused.status, refused.json.errors[0].path], [422, "sender_id"], sender_id);
  }
  for (const custom of [7, [], "x", { long: "x".repeat(2048) }]) {
    const refused = await say({ text: "x", custom });
    assert.deepEqual([refused.status, refused.json.errors[0].path], [422, "custom"]);
  }
  // What a client sends with these names is not looked at.
  const { data } = await b.ask("send_message", { conversation_id: conversation, text: "x", type: "system", custom: { a: 1 } });
  assert.deepEqual(["type" in data, "custom" in data], [false, false]);
  const path = "/api/admin/conversations/unknown/messages";
  for (const method of ["GET", "POST"]) {
    const answer = await server.request(method, path, { token: KEY, body: method === "POST" ? { text: "x" } : undefined });
    assert.deepEqual([answer.status, answer.json.message], [404, "Conversation not found"]);
  }
});

test("the platform deletes a message of any age for both, over a block", async (t) => {
  const { server, ana, bruno, conversation, say } = await start(t, { EDIT_WINDOW: "1s" });
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  const { data: message } = await a.send(conversation, "rude");
  const { data: own } = (await say({ text: "sold", custom: { a: 1 } })).json;
  const edit = () => a.ask("edit_message", { message_id: message._id, text: "ruder" });
  await eventually("it is too old for its sender", async () => (await edit()).message === "Message can no longer be changed");
  await b.ask("block_user", ana.id);
  for (const [{ _id, seq }, left] of [[message, 1], [own, 0]]) {
    const remove = () => server.request("DELETE", `/api/admin/messages/${_id}`, { token: KEY });
    const { status, json } = await remove();
    assert.deepEqual([status, json.data.text, "custom" in json.data], [200, "", false]);
    assert.deepEqual((await remove()).json.data, json.data, "again");
    for (const client of [a, b]) {
      const all = await client.received("message_deleted", 2 - left);
      assert.deepEqual(all.at(-1), { message_id: _id, conversation_id: conversation, seq, deleted_at: json.data.deleted_at });
    }
    const unread = async () => (await server.request("GET", "/api/chat/unread-count", { token: bruno.token })).json.unread_count;
    assert.equal(await unread(), left);
  }
  assert.equal((await server.request("DELETE", "/api/admin/messages/unknown", { token: KEY })).status, 404);
  const { json: audit } = await server.request("GET", "/api/admin/audit", { token: KEY });
  assert.deepEqual(audit.data.map((entry) => entry.action).slice(-3), ["message.delete", "message.delete", "message.send"]);
});
