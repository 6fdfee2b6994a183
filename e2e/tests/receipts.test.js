// Receipts, presence and typing.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { connect } from "../lib/client.js";
import { SLOWNESS, Server, eventually } from "../lib/server.js";

test("receipts: delivered, read and unread reach the right users and devices", async (t) => {
  const server = await Server.start(t, { PRESENCE_GRACE: "1s" });
  const { ana, bruno, conversation } = await server.pair();
  const a = await connect(t, server, ana);
  const phone = await connect(t, server, bruno);
  const laptop = await connect(t, server, bruno);
  await Promise.all([a, phone].map((client) => client.ask("join_conversation", conversation)));
  for (let n = 0; n < 3; n++) await a.send(conversation, "x");
  const last = async (client, name, check) => eventually(name, () => client.named(name).findLast(check));
  const delivered = await last(a, "message_delivered", (event) => event.up_to_seq === 3);
  assert.deepEqual({ ...delivered, delivered_at: 0 }, { conversation_id: conversation, recipient: bruno.id, up_to_seq: 3, delivered_at: 0 });
  const unread = { unread_count: 3, conversation_id: conversation, conversation_unread_count: 3 };
  assert.deepEqual(await last(laptop, "unread_count", (event) => event.unread_count === 3), unread);
  assert.deepEqual(await phone.ask("mark_read", { conversation_id: conversation, up_to_seq: 2 }), {
    success: true,
    data: { up_to_seq: 2, unread_count: 1, conversation_unread_count: 1 },
  });
  for (const client of [a, phone, laptop]) {
    const [{ read_at, ...read }] = await client.received("messages_read");
    assert.deepEqual(read, { conversation_id: conversation, reader: bruno.id, up_to_seq: 2 });
    assert.ok(Math.abs(Date.parse(read_at) - Date.now()) < 10_000 * SLOWNESS);
  }
  await last(laptop, "unread_count", (event) => event.unread_count === 1);
  assert.equal((await phone.ask("mark_read", { conversation_id: conversation, up_to_seq: 1 })).data.up_to_seq, 2, "never back");
  await laptop.ask("mark_read", { conversation_id: conversation });
  await a.received("messages_read", 2);
  await laptop.settle();
  assert.equal(laptop.named("messages_read").length, 1, "the device that read is not notified");
  await a.send(conversation, "y");
  await server.history(bruno.token, conversation);
  const reads = await a.received("messages_read", 3);
  assert.deepEqual(reads.map((event) => event.up_to_seq), [2, 3, 4], "the REST history reads too");
  const states = (await server.request("GET", "/api/chat/conversations", { token: ana.token })).json.data[0].participant_states;
  assert.deepEqual(states.map(({ user_id, read_seq, delivered_seq }) => [user_id, read_seq, delivered_seq]), [[ana.id, 0, 0], [bruno.id, 4, 4]]);
  phone.socket.disconnect();
  laptop.socket.disconnect();
  await eventually("both are gone", async () => {
    const [item] = (await server.request("GET", "/api/chat/conversations", { token: ana.token })).json.data;
    return !item.participant_states.find(({ user_id }) => user_id === bruno.id).online;
  });
  await a.send(conversation, "z");
  await sleep(300);
  assert.ok(!a.named("message_delivered").some((event) => event.up_to_seq === 5), "not before a device has it");
  const again = await connect(t, server, bruno, { serverOffset: 0 });
  await again.received("new_message", 5);
  await last(a, "message_delivered", (event) => event.up_to_seq === 5);
});

test("presence: sent to those who share a conversation, over devices, with a grace", async (t) => {
  // So long that a slow machine connects within it.
  const server = await Server.start(t, { PRESENCE_GRACE: "3s" });
  const { ana, bruno } = await server.pair();
  const a = await connect(t, server, ana);
  const dora = await connect(t, server, await server.register("Dora"));
  const phone = await connect(t, server, bruno);
  const laptop = await connect(t, server, bruno);
  assert.deepEqual(await a.received("presence"), [{ user_id: bruno.id, online: true, last_seen: null }]);
  phone.socket.disconnect();
  laptop.socket.disconnect();
  const back = await connect(t, server, bruno);
  await sleep(3_500);
  assert.equal(a.named("presence").length, 1, "away for less than the grace");
  back.socket.disconnect();
  const [, gone] = await a.received("presence", 2);
  assert.deepEqual([gone.user_id, gone.online], [bruno.id, false]);
  assert.ok(Date.now() - Date.parse(gone.last_seen) < 8_000 * SLOWNESS);
  const states = async () =>
    (await server.request("GET", "/api/chat/conversations", { token: ana.token })).json.data[0].participant_states.find(({ user_id }) => user_id === bruno.id);
  assert.deepEqual([(await states()).online, (await states()).last_seen], [false, gone.last_seen]);
  await connect(t, server, bruno);
  await a.received("presence", 3);
  assert.deepEqual([(await states()).online, (await states()).last_seen], [true, null]);
  assert.deepEqual(dora.named("presence"), []);
});

test("typing ends by itself, and when the socket goes", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  await Promise.all([a, b].map((client) => client.ask("join_conversation", conversation)));
  const began = Date.now();
  await a.ask("typing", conversation);
  await b.received("user_stop_typing");
  assert.ok(Date.now() - began > 5_500 && Date.now() - began < 9_000 * SLOWNESS, `after ${Date.now() - began} ms`);
  await a.ask("typing", conversation);
  a.socket.disconnect();
  // Sooner than by itself.
  await b.received("user_stop_typing", 2, 4_000 * SLOWNESS);
});
