// Clients in languages that are not here: their recorded first requests, played back.
import assert from "node:assert/strict";
import test from "node:test";

import { CLIENTS, Wire } from "../lib/recorded.js";
import { SLOWNESS, Server } from "../lib/server.js";

for (const [name, client] of Object.entries(CLIENTS)) {
  test(`${name} connects, chats, and sees the end at once`, async (t) => {
    const server = await Server.start(t);
    const { ana, conversation } = await server.pair();
    const connect = `40${JSON.stringify({ token: ana.token })}`;
    const http = new Wire(t, server.url);
    let sid;
    if (client.open) {
      const { head, body } = await http.request(client.open);
      assert.match(head, /^HTTP\/1\.1 200/);
      ({ sid } = JSON.parse(body.slice(1)));
    }
    if (client.post) {
      const post = await http.request(client.post, { sid, body: connect });
      assert.equal(post.body, "ok", post.head);
      assert.match((await http.request(client.poll, { sid })).body, /^40\{"sid"/);
    }
    const wire = new Wire(t, server.url);
    const { head } = await wire.request(client.websocket, { sid });
    assert.match(head, /^HTTP\/1\.1 101/);
    assert.equal(/sec-websocket-protocol: (.*)\r/i.exec(head)?.[1], client.subprotocol);
    assert.doesNotMatch(head, /sec-websocket-extensions/i);
    if (!client.open) assert.match(await wire.text(), /^0\{"sid"/);
    for (const step of client.upgrade ?? []) {
      wire.send(step);
      if (step === "2probe") assert.equal(await wire.text(), "3probe");
    }
    if (!client.post) {
      wire.send(connect);
      assert.match(await wire.text(), /^40\{"sid"/);
    }
    wire.send(`420${JSON.stringify(["join_conversation", conversation])}`);
    assert.equal(await wire.text(), '430[{"success":true}]');
    const ended = (async () => {
      for (const seen = []; ; ) {
        const text = await wire.text();
        if (text === undefined) return { seen, at: Date.now() };
        seen.push(text);
      }
    })();
    const begin = Date.now();
    const stopped = server.stop();
    // The client keeps its own side open: it does not have to take part in its end.
    const { seen, at } = await ended;
    assert.ok(at - begin < 4_000 * SLOWNESS, `noticed after ${at - begin} ms`);
    assert.equal(seen.includes(null), !client.missesCloseFrame, "a close frame");
    assert.equal((await stopped).code, 0);
  });
}
