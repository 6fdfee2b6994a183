// Contract: "Events from the client" and "Events to the client".
import assert from "node:assert/strict";
import test from "node:test";

import { Client, TRANSPORTS } from "../lib/client.js";
import { SLOWNESS, Server, eventually, token } from "../lib/server.js";

for (const [transport, options] of Object.entries(TRANSPORTS)) {
  test(`events over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const { ana, bruno, conversation } = await server.pair();
    const a = await Client.connect(t, server, ana, options);
    const b = await Client.connect(t, server, bruno, options);
    assert.deepEqual(await a.ask("join_conversation", conversation), { success: true });
    assert.deepEqual(await b.ask("join_conversation", conversation), { success: true });

    await t.test("send_message: stored, delivered, acknowledged, in this order", async () => {
      const order = [];
      // Presence, and that the accounts were made, come a moment later, whatever else happens.
      a.socket.onAny((name) => !["presence", "user_updated"].includes(name) && order.push(name));
      const text = "Is the mare still available? 🐴 ¿Sí?";
      const ack = await a.send(conversation, text).then((ack) => (order.push("ack"), ack));
      assert.deepEqual(order, ["new_message", "ack"]);
      assert.equal(ack.success, true);
      assert.deepEqual(Object.keys(ack), ["success", "data"]);
      const { _id, sent_at, seq, ...rest } = ack.data;
      assert.deepEqual(rest, {
        conversation_id: conversation,
        sender_id: { _id: ana.id, full_name: "Ana" },
        text,
        is_read: false,
      });
      assert.match(_id, /^[0-9a-f]{24}$/);
      assert.match(sent_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.ok(Math.abs(Date.parse(sent_at) - Date.now()) < 10_000 * SLOWNESS);
      assert.equal(seq, 1);
      const acknowledged = a.raw(/^3\d+\[\{"success":true,"data":/, "}]");
      assert.equal(acknowledged.length, 1);
      assert.deepEqual(a.raw(/^2\["new_message",/, "]"), acknowledged, "byte for byte the same object");
      assert.deepEqual(Object.keys(ack.data.sender_id), ["_id", "full_name"], "no picture, so none is named");

      const [message] = await b.received("new_message");
      assert.deepEqual(message, ack.data);
      assert.deepEqual(b.raw(/^2\["new_message",/, "]"), acknowledged);
      const [notification] = await b.received("message_notification");
      assert.deepEqual(notification, { conversation_id: conversation, sender: ana.id, preview: text });
      assert.deepEqual(b.expected(), ["new_message", "message_notification"]);
      assert.deepEqual(await server.history(bruno.token, conversation), [ack.data]);
      const [listed] = (await server.request("GET", "/api/chat/conversations", { token: bruno.token })).json.data;
      assert.equal(listed.last_message.text, text);
      assert.equal(listed.updated_at, sent_at);
      await a.settle();
      assert.deepEqual(a.named("message_notification"), []);
    });

    await t.test("typing and stop_typing reach the others who joined", async () => {
      for (const [event, emitted] of [["typing", "user_typing"], ["stop_typing", "user_stop_typing"]]) {
        assert.deepEqual(await a.ask(event, conversation), { success: true });
        assert.deepEqual(await b.received(emitted), [{ userId: ana.id, conversation_id: conversation }]);
        assert.deepEqual(a.named(emitted), []);
      }
    });

    await t.test("typing needs no joining, and is not sent to the typist's own devices", async (t) => {
      const [joined, typist] = [await Client.connect(t, server, ana, options), await Client.connect(t, server, ana, options)];
      await joined.ask("join_conversation", conversation);
      const before = b.named("user_typing").length;
      assert.deepEqual(await typist.ask("typing", conversation), { success: true });
      await b.received("user_typing", before + 1);
      for (const own of [typist, joined]) {
        await own.settle();
        assert.deepEqual(own.expected(), []);
      }
    });

    await t.test("a conversation is named by its id or by an object with it, in all events", async () => {
      for (const name of ["join_conversation", "typing", "stop_typing", "fetch_messages", "mark_read"]) {
        for (const payload of [conversation, { conversation_id: conversation }]) {
          assert.equal((await a.ask(name, payload)).success, true, `${name} ${JSON.stringify(payload)}`);
        }
      }
      for (const name of ["join_conversation", "typing", "stop_typing"]) {
        for (const payload of [{ conversation_id: "unknown" }, { id: conversation }, [conversation], null]) {
          assert.deepEqual(await a.ask(name, payload), { success: false, message: "Conversation not found" });
        }
      }
    });

    await t.test("a notification comes without joining, a message does not", async (t) => {
      const outside = await Client.connect(t, server, bruno, options);
      await a.send(conversation, "hello");
      await outside.received("message_notification");
      await a.ask("typing", conversation);
      await outside.settle();
      assert.deepEqual(outside.expected(), ["message_notification"]);
    });

    await t.test("events without an acknowledgement do the same", async () => {
      await b.settle();
      const before = b.named("new_message").length;
      a.socket.emit("send_message", { conversation_id: conversation, text: "no answer, please" });
      await b.received("new_message", before + 1);
    });

    await t.test("the preview is cut at 60 units, never within a pair", async () => {
      for (const [text, preview] of [
        ["x".repeat(61), "x".repeat(60)],
        [`${"x".repeat(59)}🐴 and more`, "x".repeat(59)],
        [`${"x".repeat(58)}🐴 and more`, `${"x".repeat(58)}🐴`],
      ]) {
        await a.send(conversation, text);
        const previews = () => b.named("message_notification").map((notification) => notification.preview);
        await eventually(`the preview ${preview}`, () => previews().at(-1) === preview);
      }
    });

    await t.test("refusals by their exact words, and the connection stays", async (t) => {
      const stranger = await Client.connect(t, server, await server.register("Eve"), options);
      const refusal = (message) => ({ success: false, message });
      const send = (payload) => a.ask("send_message", payload);
      const notFound = refusal("Conversation not found");
      for (const id of ["unknown", "507f1f77bcf86cd799439011", "", "a b", "x".repeat(100)]) {
        assert.deepEqual(await a.ask("join_conversation", id), notFound, id);
        assert.deepEqual(await a.ask("typing", id), notFound, id);
        assert.deepEqual(await a.ask("stop_typing", id), notFound, id);
        assert.deepEqual(await send({ conversation_id: id, text: "hi" }), notFound, id);
      }
      for (const id of [null, 7, {}, { $ne: null }, [conversation], true]) {
        assert.deepEqual(await a.ask("join_conversation", id), notFound, JSON.stringify(id));
      }
      for (const event of ["join_conversation", "typing", "stop_typing"]) {
        assert.deepEqual(await stranger.ask(event, conversation), notFound, event);
      }
      assert.deepEqual(await stranger.send(conversation, "hi"), notFound);
      for (const text of [undefined, null, "", " ", "\n\t\u00a0\u2003\ufeff", "\v\f\r\u1680\u2028\u2029\u202f\u205f\u3000"]) {
        assert.deepEqual(await send({ conversation_id: conversation, text }), refusal("Message text is required"));
      }
      const long = refusal("Message is too long (maximum 2000 characters)");
      assert.deepEqual(await send({ conversation_id: conversation, text: "x".repeat(2001) }), long);
      assert.deepEqual(await send({ conversation_id: conversation, text: "🐴".repeat(1001) }), long);
      for (const text of ["x".repeat(2000), "🐴".repeat(1000), "é".repeat(2000), "\u0085", "\u200b", "  kept  "]) {
        assert.equal((await send({ conversation_id: conversation, text })).data.text, text, "as it was sent");
      }
      const invalid = refusal("Invalid message");
      for (const payload of [
        undefined, null, "text", 7, true, [], [conversation, "hi"], {}, { text: "hi" },
        { conversation_id: { $ne: null }, text: "hi" }, { conversation_id: conversation, text: 7 },
        { conversation_id: conversation, text: { a: 1 } }, { conversation_id: conversation, text: "a\0b" },
      ]) {
        assert.deepEqual(await send(payload), invalid, JSON.stringify(payload));
      }
      assert.deepEqual(await send({ conversation_id: conversation, text: new Uint8Array([1, 2]) }), invalid);
      for (const [text, stored] of [["a\ud800b", "a\ufffdb"], ["\udc00", "\ufffd"], ["\udc34\ud83d", "\ufffd\ufffd"]]) {
        assert.equal((await send({ conversation_id: conversation, text })).data.text, stored);
      }
      assert.equal(a.socket.connected, true);
      assert.equal(stranger.socket.connected, true);
    });
  });
}

test("a stranger joins, types, reads and writes nowhere", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const eve = await server.register("Eve");
  const [a, b, stranger] = await Promise.all([ana, bruno, eve].map((user) => Client.connect(t, server, user)));
  await Promise.all([a, b, stranger].map((client) => client.ask("join_conversation", conversation)));
  await stranger.ask("typing", conversation);
  await stranger.send(conversation, "let me in");
  await a.send(conversation, "for Bruno alone");
  await b.received("new_message");
  await stranger.settle();
  assert.deepEqual(stranger.events, []);
  assert.deepEqual(b.named("user_typing"), []);
  const path = `/api/chat/conversations/${conversation}/messages`;
  for (const [method, body] of [["GET"], ["POST", { text: "let me in" }]]) {
    const { status, json } = await server.request(method, path, { token: eve.token, body });
    assert.deepEqual([status, json], [404, { success: false, message: "Conversation not found" }]);
  }
  assert.deepEqual((await server.request("GET", "/api/chat/conversations", { token: eve.token })).json.data, []);
  assert.equal((await server.history(ana.token, conversation)).length, 1);
});

test("a sender without a profile has no name", async (t) => {
  const server = await Server.start(t);
  const ana = await server.register("Ana");
  const guest = { id: "guest_1", token: token({ userId: "guest_1", role: "seller" }) };
  const opened = await server.request("POST", "/api/chat/conversations", { token: guest.token, body: { recipient_id: ana.id } });
  const client = await Client.connect(t, server, guest);
  const ack = await client.send(opened.json.data._id, "hello");
  assert.deepEqual(ack.data.sender_id, { _id: "guest_1", full_name: null });
});

test("by default, ten a second with bursts of fifty", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: undefined });
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = await Promise.all([ana, bruno].map((user) => Client.connect(t, server, user)));
  const begin = performance.now();
  const acks = await Promise.all(Array.from({ length: 80 }, (_, n) => a.send(conversation, `${n}`)));
  const taken = acks.filter((ack) => ack.success).length;
  const refilled = Math.ceil((performance.now() - begin) / 100);
  assert.ok(taken >= 50 && taken <= 50 + refilled, `${taken} of 80 were taken`);
  assert.ok(acks.slice(0, 50).every((ack) => ack.success), "the burst is taken, whole");
  assert.equal((await b.send(conversation, "another user")).success, true);
});

test("more than the rate is refused, and the rest is stored", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: "2" });
  const { ana, conversation } = await server.pair();
  const client = await Client.connect(t, server, ana);
  const acks = await Promise.all(Array.from({ length: 15 }, (_, n) => client.send(conversation, `${n}`)));
  const refused = acks.filter((ack) => !ack.success);
  assert.ok(refused.length >= 3 && refused.length <= 5, `${refused.length} of 15 refused; the burst is 10`);
  assert.deepEqual(Object.keys(refused[0]), ["success", "message", "retry_after"]);
  assert.equal(refused[0].message, "Too many messages");
  const { status, headers } = await server.request("POST", `/api/chat/conversations/${conversation}/messages`, { token: ana.token, body: { text: "x" } });
  assert.equal(status, 429);
  assert.ok(Number(headers.get("retry-after")) >= 1);
  assert.equal((await server.history(ana.token, conversation)).length, 15 - refused.length);
});
