// Connection state recovery by the official client's own means, for who asks with `auth: { recovery: true }`.
import assert from "node:assert/strict";
import test from "node:test";

import { Client, TRANSPORTS, within } from "../lib/client.js";
import { Server } from "../lib/server.js";

for (const [transport, options] of Object.entries(TRANSPORTS)) {
  test(`a lost connection is taken up again, three times, over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const { ana, bruno, conversation } = await server.pair();
    const a = await Client.connect(t, server, ana);
    const b = new Client(t, server, { token: bruno.token, recovery: true }, options);
    await b.connected();
    await b.ask("join_conversation", conversation);
    const { id } = b.socket;
    let sent = 0;
    for (let round = 0; round < 3; round++) {
      b.socket.io.engine.close();
      for (let n = 0; n < 5; n++) await a.send(conversation, `${sent++}`);
      await within("reconnect", new Promise((resolve) => (b.socket.connected ? resolve() : b.socket.once("connect", resolve))));
      assert.equal(b.socket.recovered, true, `round ${round}`);
      assert.equal(b.socket.id, id);
      await a.send(conversation, `${sent++}`);
      const seen = await b.received("new_message", sent);
      assert.deepEqual(seen.map((message) => message.text), Array.from({ length: sent }, (_, n) => `${n}`));
    }
  });
}

test("who does not ask gets no offset, and is not recovered", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const a = await Client.connect(t, server, ana);
  const b = await Client.connect(t, server, bruno);
  await b.ask("join_conversation", conversation);
  await a.send(conversation, "hello");
  await b.received("new_message");
  assert.ok(b.events.every((event) => event.args.length === 1));
  b.socket.io.engine.close();
  await within("reconnect", new Promise((resolve) => b.socket.once("connect", resolve)));
  assert.ok(!b.socket.recovered);
});
