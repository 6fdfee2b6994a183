// What was acknowledged is there, whatever happens to the process.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, within } from "../lib/client.js";
import { Server } from "../lib/server.js";

const ROUNDS = 10;
const PAIRS = 4;

test("ten kills under load: nothing acknowledged is lost, doubled or out of order", async (t) => {
  const server = await Server.start(t);
  const pairs = await Promise.all(Array.from({ length: PAIRS }, () => server.pair()));
  const acknowledged = pairs.map(() => []);
  let counter = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const clients = await Promise.all(pairs.map(({ ana }) =>
      Client.connect(t, server, ana, { transports: ["websocket"], reconnection: false })));
    let acks = 0;
    const enough = new Promise((resolve) => {
      clients.forEach((client, index) => {
        const { conversation } = pairs[index];
        const next = () => {
          client.socket.emit("send_message", { conversation_id: conversation, text: `${counter++}` }, (ack) => {
            assert.equal(ack.success, true);
            acknowledged[index].push(ack.data);
            if (++acks >= 200 + round * 7) resolve();
            next();
          });
        };
        for (let n = 0; n < 10; n++) next();
      });
    });
    await within("load", enough);
    await server.kill();
    clients.forEach((client) => client.socket.disconnect());
    const milliseconds = await server.launch();
    assert.ok(milliseconds < 1000, `ready again after ${milliseconds} ms`);
  }
  for (const [index, { ana, conversation }] of pairs.entries()) {
    const history = await server.history(ana.token, conversation);
    const position = new Map(history.map((message, at) => [message._id, at]));
    assert.equal(position.size, history.length, "no id twice");
    assert.equal(new Set(history.map((message) => message.text)).size, history.length, "no text twice");
    const places = acknowledged[index].map((message) => position.get(message._id));
    assert.ok(places.every((place) => place !== undefined), "nothing acknowledged is lost");
    assert.deepEqual(places, [...places].sort((x, y) => x - y), "in the order of acknowledgement");
    assert.deepEqual(history.map((message) => message.seq), history.map((_, at) => at + 1));
    for (const message of acknowledged[index]) assert.deepEqual(history[position.get(message._id)], message);
  }
});

test("SIGTERM: what was taken is acknowledged, clients come back by themselves", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const a = await Client.connect(t, server, ana);
  const b = await Client.connect(t, server, bruno, { transports: ["polling"] });
  await b.ask("join_conversation", conversation);
  const acks = Array.from({ length: 50 }, (_, n) => a.send(conversation, `${n}`));
  await acks[0];
  const gone = Promise.all([a, b].map((client) => new Promise((resolve) => client.socket.once("disconnect", resolve))));
  const { code, milliseconds } = await server.stop();
  assert.equal(code, 0, server.output);
  assert.ok(milliseconds < 10_000, `took ${milliseconds} ms`);
  const reasons = await within("disconnect", gone);
  for (const reason of reasons) assert.match(reason, /^transport/, "a reason after which the client reconnects");
  await server.launch();
  await Promise.all([a.connected(), b.connected()]);
  const history = await server.history(ana.token, conversation);
  const settled = await Promise.race([Promise.allSettled(acks), sleep(9_000)]);
  const stored = new Set(history.map((message) => message._id));
  for (const ack of settled.filter(({ status }) => status === "fulfilled")) {
    assert.ok(stored.has(ack.value.data._id));
  }
});

test("Ctrl-C ends it as well, with nobody connected at once", async (t) => {
  const server = await Server.start(t);
  const { code, milliseconds } = await server.stop("SIGINT");
  assert.equal(code, 0);
  assert.ok(milliseconds < 2_000, `took ${milliseconds} ms`);
});
