// A message that replies to another, and what it quotes.
import assert from "node:assert/strict";
import test from "node:test";

import { connect } from "../lib/client.js";
import { Server } from "../lib/server.js";

test("a reply quotes what its message now says, wherever it is read", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  for (const client of [a, b]) await client.ask("join_conversation", conversation);
  const words = `Is she for sale? ${"🐴".repeat(100)}`;
  const { data: asked } = await a.send(conversation, words);
  const reply = (text, fields) => b.ask("send_message", { conversation_id: conversation, text, ...fields });
  const quote = { _id: asked._id, seq: 1, sender_id: ana.id, text: words.slice(0, 199) };
  const { data: answered } = await reply("She is", { reply_to: asked._id, client_id: "1" });
  assert.deepEqual(answered.reply_to, quote, "the first 200 UTF-16 units, and no half of a pair");
  assert.deepEqual((await a.received("new_message", 2))[1], answered);
  assert.deepEqual((await reply("She is", { client_id: "1" })).data, answered, "a repeat is known by its text alone");

  const read = async () => {
    const { data } = await a.ask("fetch_messages", { conversation_id: conversation });
    const replay = await connect(t, server, bruno, { serverOffset: asked._id });
    const [replayed] = await replay.received("new_message");
    const pages = await server.history(bruno.token, conversation);
    assert.deepEqual([replayed.reply_to, pages.at(-1).reply_to], [data[1].reply_to, data[1].reply_to]);
    return data[1].reply_to;
  };
  assert.deepEqual(await read(), quote);
  await a.ask("edit_message", { message_id: asked._id, text: "Is the mare for sale?" });
  assert.deepEqual(await read(), { ...quote, text: "Is the mare for sale?" });
  await a.ask("delete_message", asked._id);
  assert.deepEqual(await read(), { ...quote, text: "" });
});

test("a reply is to a message of its own conversation", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const body = { recipient_id: bruno.id, horse_id: "another" };
  const other = (await server.request("POST", "/api/chat/conversations", { token: ana.token, body })).json.data._id;
  const a = await connect(t, server, ana);
  const { data: elsewhere } = await a.send(other, "elsewhere");
  for (const reply_to of [elsewhere._id, "unknown", "no id!", ""]) {
    const refused = await a.ask("send_message", { conversation_id: conversation, text: "x", reply_to });
    assert.deepEqual(refused, { success: false, message: "Message to reply to not found" }, reply_to);
    const answer = await server.request("POST", `/api/chat/conversations/${conversation}/messages`, { token: ana.token, body: { text: "x", reply_to } });
    assert.deepEqual([answer.status, answer.json.message], [404, "Message to reply to not found"]);
  }
  const shape = await a.ask("send_message", { conversation_id: conversation, text: "x", reply_to: { _id: "x" } });
  assert.equal(shape.message, "Invalid message");
  const { data: first } = await a.ask("send_message", { conversation_id: conversation, text: "x", reply_to: null });
  assert.deepEqual([first.seq, "reply_to" in first], [1, false]);
});
