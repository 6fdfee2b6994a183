// How clients may spell a payload, and what a client may ask for in vain.
import assert from "node:assert/strict";
import test from "node:test";

import { Client } from "../lib/client.js";
import { Server } from "../lib/server.js";

test("a bare value stands for an object with the one field, in every event", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const a = await Client.connect(t, server, ana);
  const b = await Client.connect(t, server, bruno);
  for (const event of ["join_conversation", "typing", "stop_typing", "mark_read", "fetch_messages"]) {
    for (const payload of [conversation, { conversation_id: conversation }, { conversation_id: conversation, more: [1] }]) {
      const { success, message } = await b.ask(event, payload);
      assert.deepEqual([success, message], [true, undefined], `${event} ${JSON.stringify(payload)}`);
    }
  }
  for (const user of [bruno.id, { user_id: bruno.id }]) {
    assert.deepEqual(await a.ask("block_user", user), { success: true });
    assert.deepEqual(await a.ask("unblock_user", user), { success: true });
  }
  const first = await a.send(conversation, "one");
  const second = await a.send(conversation, "two");
  assert.equal((await a.ask("delete_message", first.data._id)).success, true);
  assert.equal((await a.ask("delete_message", { message_id: second.data._id })).success, true);
});

test("whole numbers are taken however JSON spells them", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const a = await Client.connect(t, server, ana);
  const b = await Client.connect(t, server, bruno);
  for (const text of ["one", "two", "three"]) await a.send(conversation, text);
  // JSON.stringify writes 2.0 as 2, so the spelling goes through a parser that keeps it.
  const ask = async (event, json) => {
    const { engine } = b.socket.io;
    const id = b.socket.ids++;
    const answer = new Promise((resolve) => (b.socket.acks[id] = resolve));
    engine.write(`2${id}["${event}",${json}]`);
    return answer;
  };
  const fetch = (numbers) => ask("fetch_messages", `{"conversation_id":"${conversation}",${numbers}}`);
  for (const [numbers, seqs] of [
    ['"limit":2.0', [2, 3]],
    ['"limit":2e0,"after_seq":1.0E0', [2, 3]],
    ['"limit":0.2e1,"before_seq":30e-1', [1, 2]],
    ['"after_seq":-0', [1, 2, 3]],
  ]) {
    const { data } = await fetch(numbers);
    assert.deepEqual(data.map(({ seq }) => seq), seqs, numbers);
  }
  for (const numbers of ['"limit":1.5', '"limit":-1', '"after_seq":1e400', '"before_seq":15e-1', '"limit":"2"']) {
    assert.deepEqual(await fetch(numbers), { success: false, message: "Invalid request" }, numbers);
  }
  const read = await ask("mark_read", `{"conversation_id":"${conversation}","up_to_seq":20e-1}`);
  assert.deepEqual(read.data, { up_to_seq: 2, unread_count: 1, conversation_unread_count: 1 });
  const path = `/api/chat/conversations/${conversation}/read`;
  const answer = await server.request("POST", path, { token: bruno.token, raw: '{"up_to_seq":3.0}', headers: { "content-type": "application/json" } });
  assert.equal(answer.json.data.up_to_seq, 3, answer.text);
});

test("what is asked for in vain, and what is only read, count against a rate", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: "1" });
  const { ana } = await server.pair();
  const a = await Client.connect(t, server, ana);
  const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => a.ask(`no such event ${n}`, n)));
  const messages = new Set(answers.map(({ message }) => message));
  assert.deepEqual([...messages].sort(), ["Too many messages", "Unknown event"]);
  assert.ok(answers.every(({ message, retry_after }) => (message === "Unknown event") === (retry_after === undefined)));
  const { bruno } = await server.pair();
  const gets = [];
  for (let n = 0; n < 80; n++) gets.push(await server.request("GET", "/api/chat/unread-count", { token: bruno.token }));
  const refused = gets.find(({ status }) => status !== 200);
  assert.equal(refused?.status, 429);
  assert.equal(refused.json.message, "Too many messages");
  assert.ok(Number(refused.headers.get("retry-after")) >= 1);
});
