// SIGTERM and Ctrl-C: what was taken is stored and acknowledged, clients come back by themselves.
import assert from "node:assert/strict";
import test from "node:test";

import { Client, TRANSPORTS } from "../lib/client.js";
import { Writer } from "../lib/load.js";
import { SLOWNESS, Server, eventually } from "../lib/server.js";

/** More than the kernel takes for a socket. */
const MANY = 2_500;
const LONG = "馬".repeat(2_000);

for (const [transport, options] of Object.entries(TRANSPORTS)) {
  test(`SIGTERM under load over ${transport}: what is stored was acknowledged, clients come back`, async (t) => {
    const server = await Server.start(t);
    const people = await Promise.all(Array.from({ length: 3 }, async () => {
      const { ana, conversation } = await server.pair();
      const client = await Client.connect(t, server, ana, options);
      if (transport === "upgrade") await client.upgraded();
      return { ana, client, conversation, writer: new Writer(conversation) };
    }));
    people.forEach(({ client, writer }) => writer.start(client));
    await Promise.all(people.map(({ writer }) => writer.more(100)));
    const gone = Promise.all(people.map(({ client }) => client.disconnected()));
    const { code, milliseconds } = await server.stop();
    assert.equal(code, 0, server.output);
    assert.ok(milliseconds < 10_000 * SLOWNESS, `took ${milliseconds} ms`);
    for (const reason of await gone) assert.match(reason, /^transport/, "a reason after which the client reconnects");
    await server.launch();
    for (const { ana, client, conversation, writer } of people) {
      await client.connected();
      const history = await server.history(ana.token, conversation);
      writer.check(history);
      assert.equal(history.length, writer.acknowledged.length, "nothing stored was left without its acknowledgement");
      assert.equal((await client.send(conversation, `${1e6}`)).success, true);
    }
  });
}

test("a client that is slow gets what waited for it", async (t) => {
  const server = await Server.start(t, { OUTBOX_BYTES: String(100_000_000) });
  const { ana, bruno, conversation } = await server.pair();
  const a = await Client.connect(t, server, ana, { transports: ["websocket"] });
  const slow = await Client.connect(t, server, bruno, { transports: ["websocket"], reconnection: false });
  await slow.ask("join_conversation", conversation);
  const { ws } = slow.socket.io.engine.transport;
  ws.pause();
  const acks = await Promise.all(Array.from({ length: MANY }, () => a.send(conversation, LONG)));
  const gone = slow.disconnected();
  const stopping = server.stop();
  await a.disconnected();
  ws.resume();
  await gone;
  assert.deepEqual(slow.named("new_message").map((message) => message._id), acks.map((ack) => ack.data._id));
  assert.equal((await stopping).code, 0);
});

test("a client that takes nothing does not hold up the end", async (t) => {
  const server = await Server.start(t, { OUTBOX_BYTES: String(100_000_000) });
  const { ana, bruno, conversation } = await server.pair();
  const a = await Client.connect(t, server, ana, { transports: ["websocket"] });
  const stalled = await Client.connect(t, server, bruno, { transports: ["websocket"], reconnection: false });
  await stalled.ask("join_conversation", conversation);
  stalled.socket.io.engine.transport.ws.pause();
  await Promise.all(Array.from({ length: MANY }, () => a.send(conversation, LONG)));
  const stopping = server.stop();
  await eventually("no new connection is taken", () =>
    fetch(`${server.url}/health`).then((response) => response.status === 503, () => true));
  const { code, milliseconds } = await stopping;
  assert.equal(code, 0, server.output);
  assert.ok(milliseconds < 10_000 * SLOWNESS, `took ${milliseconds} ms`);
  await server.launch();
  assert.equal((await server.history(ana.token, conversation)).length, MANY);
});

test("Ctrl-C ends it as well, at once if nobody is there", async (t) => {
  const server = await Server.start(t);
  const { code, milliseconds } = await server.stop("SIGINT");
  assert.equal(code, 0);
  assert.ok(milliseconds < 2_000 * SLOWNESS, `took ${milliseconds} ms`);
});
