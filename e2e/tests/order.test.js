// Order: what every receiver sees is what the history has.
import assert from "node:assert/strict";
import test from "node:test";

import { Client, TRANSPORTS } from "../lib/client.js";
import { Server } from "../lib/server.js";

for (const [transport, options] of Object.entries(TRANSPORTS)) {
  test(`300 messages sent without waiting arrive in order over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const { ana, bruno, conversation } = await server.pair();
    const [a, b] = await Promise.all([ana, bruno].map((user) => Client.connect(t, server, user, options)));
    await Promise.all([a, b].map((client) => client.ask("join_conversation", conversation)));
    const before = a.acknowledged().length;
    const acks = await Promise.all(Array.from({ length: 300 }, (_, n) => a.send(conversation, `${n}`)));
    const numbers = Array.from({ length: 300 }, (_, n) => `${n}`);
    const texts = (messages) => messages.map((message) => message.text);
    assert.deepEqual(texts(acks.map((ack) => ack.data)), numbers);
    assert.deepEqual(texts(await b.received("new_message", 300)), numbers);
    assert.deepEqual(texts(await a.received("new_message", 300)), numbers);
    assert.equal((await b.received("message_notification", 300)).length, 300);
    assert.deepEqual(texts(await server.history(ana.token, conversation)), numbers);
    await a.settle();
    // Counted in the packets: the client itself passes over a second acknowledgement.
    const ids = a.acknowledged().slice(before);
    assert.equal(ids.length, 301);
    assert.equal(new Set(ids).size, 301, "each acknowledged once");
  });
}

test("two who write at once see one order, the history's", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const clients = await Promise.all([ana, bruno, ana, bruno].map((user, n) =>
    Client.connect(t, server, user, Object.values(TRANSPORTS)[n % 3])));
  await Promise.all(clients.map((client) => client.ask("join_conversation", conversation)));
  await Promise.all(clients.map((client, n) =>
    Promise.all(Array.from({ length: 100 }, (_, i) => client.send(conversation, `${n}:${i}`)))));
  const history = await server.history(ana.token, conversation);
  assert.equal(history.length, 400);
  assert.deepEqual(history.map((message) => message.seq), Array.from({ length: 400 }, (_, n) => n + 1));
  for (const client of clients) {
    const seen = await client.received("new_message", 400);
    assert.deepEqual(seen.map((message) => message._id), history.map((message) => message._id));
  }
  for (let n = 0; n < 4; n++) {
    const own = history.filter((message) => message.text.startsWith(`${n}:`)).map((message) => message.text);
    assert.deepEqual(own, Array.from({ length: 100 }, (_, i) => `${n}:${i}`), "one sender's messages keep their order");
  }
});
