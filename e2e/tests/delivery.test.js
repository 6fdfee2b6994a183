// Delivery without gaps or doubles, and what people expect of a chat. docs/protocol.md has the words.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client } from "../lib/client.js";
import { Server, eventually, token } from "../lib/server.js";

const WEBSOCKET = { transports: ["websocket"] };

/** A connected client with more in its auth than a token. */
async function connect(t, server, user, auth = {}, options = WEBSOCKET) {
  const client = new Client(t, server, { token: user.token, ...auth }, options);
  await client.connected();
  return client;
}

const seqs = (messages) => messages.map((message) => message.seq);

test("client_id: stored once, acknowledged with the first, told once; over sockets, REST and a restart", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const a = await connect(t, server, ana);
  const b = await connect(t, server, bruno);
  await b.ask("join_conversation", conversation);
  const payload = { conversation_id: conversation, text: "Once", client_id: "c-1" };
  const acks = await Promise.all([1, 2, 3].map(() => a.ask("send_message", payload)));
  assert.equal(acks[0].data.client_id, "c-1");
  for (const ack of acks) assert.deepEqual(ack, acks[0]);
  const path = `/api/chat/conversations/${conversation}/messages`;
  const posted = await server.request("POST", path, { token: ana.token, body: { text: "Once", client_id: "c-1" } });
  assert.deepEqual([posted.status, posted.json.data], [200, acks[0].data]);
  const others = await server.request("POST", path, { token: bruno.token, body: { text: "Mine", client_id: "c-1" } });
  assert.deepEqual([others.status, others.json.data.seq], [201, 2], "another sender's names are others");
  await b.received("new_message", 2);
  await b.received("message_notification");
  await b.settle();
  assert.deepEqual(b.named("new_message").map((message) => message.text), ["Once", "Mine"]);
  assert.equal(b.named("message_notification").length, 1);
  await server.kill();
  await server.launch();
  await eventually("connected again", () => a.socket.connected);
  assert.deepEqual(await a.ask("send_message", payload), acks[0]);
  assert.equal((await server.history(ana.token, conversation)).length, 2);
  for (const client_id of ["", "x".repeat(65), 7, {}, ["a"]]) {
    const refused = await a.ask("send_message", { ...payload, client_id });
    assert.deepEqual(refused, { success: false, message: "Invalid message" }, JSON.stringify(client_id));
  }
  const longest = await a.ask("send_message", { ...payload, client_id: "🐴".repeat(64) });
  assert.equal(longest.success, true);
});

test("client_id: of another message it is refused, over sockets and REST, and nothing is stored", async (t) => {
  const used = { success: false, message: "client_id was used for another message" };
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const about = { recipient_id: bruno.id, horse_id: "horse_1" };
  const opened = await server.request("POST", "/api/chat/conversations", { token: ana.token, body: about });
  const other = opened.json.data._id;
  const a = await connect(t, server, ana);
  const send = (where, text, client_id) => a.ask("send_message", { conversation_id: where, text, client_id });
  // At once, so that they come into one batch.
  const acks = await Promise.all([
    send(conversation, "one", "1"), send(other, "one", "1"), send(conversation, "two", "1"), send(conversation, "one", "1"),
  ]);
  assert.deepEqual([acks[0].success, acks[1], acks[2], acks[3]], [true, used, used, acks[0]]);
  for (const [where, text] of [[other, "one"], [conversation, "two"]]) {
    const path = `/api/chat/conversations/${where}/messages`;
    const posted = await server.request("POST", path, { token: ana.token, body: { text, client_id: "1" } });
    assert.deepEqual([posted.status, posted.json], [409, used]);
  }
  const history = async (where) => (await server.history(ana.token, where)).map(({ text }) => text);
  assert.deepEqual([await history(conversation), await history(other)], [["one"], []]);
  // Of a message that was edited or deleted meanwhile the text is not compared; its conversation is.
  const message_id = acks[0].data._id;
  for (const change of [() => a.ask("edit_message", { message_id, text: "edited" }), () => a.ask("delete_message", { message_id })]) {
    assert.equal((await change()).success, true);
    for (const text of ["one", "two"]) assert.equal((await send(conversation, text, "1")).data._id, message_id);
    assert.deepEqual(await send(other, "one", "1"), used);
  }
});

test("the client's own retries through a restart store each message once", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  const a = await connect(t, server, ana, {}, { ...WEBSOCKET, retries: 20, ackTimeout: 300 });
  const sent = Array.from({ length: 40 }, (_, n) => ({ conversation_id: conversation, text: `${n}`, client_id: `r-${n}` }));
  const acks = sent.map((payload) => a.socket.emitWithAck("send_message", payload));
  await acks[3];
  await server.kill();
  await sleep(500);
  await server.launch();
  const results = await Promise.all(acks);
  assert.ok(results.every((ack) => ack.success));
  assert.deepEqual((await server.history(ana.token, conversation)).map((message) => message.text), sent.map(({ text }) => text));
});

test("serverOffset: what was missed comes in order, then what is new, joined or not", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const carla = await server.register("Carla");
  const opened = await server.request("POST", "/api/chat/conversations", { token: carla.token, body: { recipient_id: ana.id } });
  const second = opened.json.data._id;
  const [b, c] = [await connect(t, server, bruno), await connect(t, server, carla)];
  const sent = [];
  const send = async (client, where, text) => sent.push((await client.send(where, text)).data);
  for (let n = 0; n < 5; n++) {
    await send(b, conversation, `b${n}`);
    await send(c, second, `c${n}`);
  }
  const a = await connect(t, server, ana, { serverOffset: sent[3]._id });
  assert.deepEqual(await a.received("new_message", 6), sent.slice(4));
  await send(b, conversation, "live");
  await a.ask("join_conversation", conversation);
  await send(c, second, "live too");
  await send(b, conversation, "and joined");
  await a.received("new_message", sent.length - 4);
  await a.settle();
  assert.deepEqual(a.named("new_message"), sent.slice(4), "once each, in one order");
  assert.deepEqual(a.named("resync"), []);

  for (const [serverOffset, expected] of [[0, sent], ["", sent], [sent.at(-1)._id, []], [null, []], [undefined, []]]) {
    const other = await connect(t, server, ana, { serverOffset });
    await eventually("the replay", async () => (await other.settle(), other.named("new_message").length >= expected.length));
    assert.deepEqual(other.named("new_message"), expected, JSON.stringify(serverOffset));
    other.socket.disconnect();
  }
  await server.kill();
  await server.launch();
  const after = await connect(t, server, ana, { serverOffset: sent[9]._id });
  assert.deepEqual(await after.received("new_message", 3), sent.slice(10), "over a restart");
  const stranger = await connect(t, server, await server.register("Dora"), { serverOffset: sent[0]._id });
  await stranger.settle();
  await sleep(200);
  assert.deepEqual(stranger.named("new_message"), [], "a stranger's offset opens nothing");
});

test("serverOffset while others write without a pause: neither gap nor double", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const b = await connect(t, server, bruno);
  let writing = true;
  const acknowledged = [];
  const write = async () => {
    while (writing) acknowledged.push((await b.send(conversation, "x")).data._id);
  };
  const writers = Promise.all([write(), write(), write(), write(), write()]);
  const got = [];
  let client;
  for (let round = 0; round < 25; round++) {
    client = new Client(t, server, { token: ana.token, serverOffset: got.at(-1)?._id ?? 0 }, { ...WEBSOCKET, reconnection: false });
    client.socket.on("new_message", (message) => got.push(message));
    await client.connected();
    // Another moment each time, from the middle of the replay on.
    await sleep(round * 3);
    // What still comes by the old connection is not this client's any more.
    client.socket.off("new_message");
    client.socket.io.engine.close();
  }
  writing = false;
  await writers;
  const last = await connect(t, server, ana, { serverOffset: got.at(-1)._id });
  await eventually("the rest", () => got.length + last.named("new_message").length >= acknowledged.length);
  await last.settle();
  const all = [...got, ...last.named("new_message")];
  assert.deepEqual(seqs(all), all.map((_, index) => index + 1));
  assert.equal(all.length, acknowledged.length);
});

test("over 1000 missed messages: resync, and live messages follow", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const b = await connect(t, server, bruno);
  const acks = [];
  for (let n = 0; n < 1002; n += 167) acks.push(...(await Promise.all(Array.from({ length: 167 }, () => b.send(conversation, "é".repeat(2000))))));
  const a = await connect(t, server, ana, { serverOffset: acks[0].data._id });
  const [resync] = await a.received("resync");
  assert.deepEqual(resync, { conversations: [{ conversation_id: conversation, last_seq: 1002 }] });
  const live = await b.send(conversation, "live");
  assert.deepEqual(await a.received("new_message"), [live.data]);
  // A thousand of the longest are more than an outbox holds.
  const whole = await connect(t, server, ana, { serverOffset: acks[2].data._id });
  assert.deepEqual(seqs(await whole.received("new_message", 1000)), Array.from({ length: 1000 }, (_, n) => n + 4));
  for (const serverOffset of ["not an id", 7, {}, true]) {
    const lost = await connect(t, server, ana, { serverOffset });
    assert.equal((await lost.received("resync"))[0].conversations[0].last_seq, 1003, JSON.stringify(serverOffset));
  }
});

test("fetch_messages and the REST history by seq: slices without holes", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const a = await connect(t, server, ana);
  for (let n = 1; n <= 10; n++) await a.send(conversation, `m${n}`);
  const deleted = (await server.history(ana.token, conversation))[4];
  await a.ask("delete_message", { message_id: deleted._id });
  const b = await connect(t, server, bruno);
  const fetch = (range) => b.ask("fetch_messages", { conversation_id: conversation, ...range });
  for (const [range, expected, has_more] of [
    [{ after_seq: 0, limit: 3 }, [1, 2, 3], true],
    [{ after_seq: 3 }, [4, 5, 6, 7, 8, 9, 10], false],
    [{ before_seq: 7, limit: 3 }, [4, 5, 6], true],
    [{ before_seq: 3 }, [1, 2], false],
    [{ limit: 2 }, [9, 10], true],
    [{ limit: 1000 }, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], false],
    [{ after_seq: 10 }, [], false],
  ]) {
    const ack = await fetch(range);
    assert.deepEqual([seqs(ack.data), ack.has_more], [expected, has_more], JSON.stringify(range));
    if (range.limit > 100) continue;
    const query = new URLSearchParams(range);
    if (range.after_seq === undefined && range.before_seq === undefined) continue;
    const { json } = await server.request("GET", `/api/chat/conversations/${conversation}/messages?${query}`, { token: ana.token });
    assert.deepEqual([json.data, json.has_more], [ack.data, has_more]);
  }
  const [fifth] = (await fetch({ after_seq: 4, limit: 1 })).data;
  assert.deepEqual([fifth.text, typeof fifth.deleted_at], ["", "string"]);
  for (const range of [{ after_seq: 1, before_seq: 3 }, { after_seq: -1 }, { after_seq: "1" }, { limit: 0 }, { limit: 1.5 }]) {
    assert.deepEqual(await fetch(range), { success: false, message: "Invalid request" }, JSON.stringify(range));
  }
  const dora = await connect(t, server, await server.register("Dora"));
  const refused = await dora.ask("fetch_messages", { conversation_id: conversation });
  assert.deepEqual(refused, { success: false, message: "Conversation not found" });
  const list = (await server.request("GET", "/api/chat/unread-count", { token: bruno.token })).json;
  assert.equal(list.unread_count, 9, "fetching marks nothing as read");
});

test("receipts: delivered, read, unread, to whom they are for", async (t) => {
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
    assert.ok(Math.abs(Date.parse(read_at) - Date.now()) < 10_000);
  }
  await last(laptop, "unread_count", (event) => event.unread_count === 1);
  assert.equal((await phone.ask("mark_read", { conversation_id: conversation, up_to_seq: 1 })).data.up_to_seq, 2, "never back");
  await laptop.ask("mark_read", { conversation_id: conversation });
  await a.received("messages_read", 2);
  await laptop.settle();
  assert.equal(laptop.named("messages_read").length, 1, "not told what it did itself");
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

test("presence: told to those who share a conversation, over devices, with a grace", async (t) => {
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
  assert.ok(Date.now() - Date.parse(gone.last_seen) < 8_000);
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
  assert.ok(Date.now() - began > 5_500 && Date.now() - began < 9_000, `after ${Date.now() - began} ms`);
  await a.ask("typing", conversation);
  a.socket.disconnect();
  // Sooner than by itself.
  await b.received("user_stop_typing", 2, 4_000);
});

test("edit and delete: told to both, kept for admins, within their time", async (t) => {
  const server = await Server.start(t, { EDIT_WINDOW: "5s" });
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  await a.ask("join_conversation", conversation);
  const { data: first } = await a.send(conversation, "first text");
  const { data: second } = await a.send(conversation, "second text");
  const edited = await a.ask("edit_message", { message_id: first._id, text: "better text" });
  assert.deepEqual({ ...edited.data, edited_at: undefined }, { ...first, text: "better text", edited_at: undefined });
  for (const client of [a, b]) assert.deepEqual(await client.received("message_updated"), [edited.data]);
  const deleted = await a.ask("delete_message", { message_id: second._id });
  assert.deepEqual([deleted.success, deleted.data.text], [true, ""]);
  for (const client of [a, b]) {
    const [event] = await client.received("message_deleted");
    assert.deepEqual(event, { message_id: second._id, conversation_id: conversation, seq: 2, deleted_at: deleted.data.deleted_at });
  }
  assert.deepEqual(await a.ask("delete_message", second._id), deleted, "a repeat is answered as the first");
  const history = await server.history(bruno.token, conversation);
  assert.deepEqual(history.map((message) => message.text), ["better text"]);
  assert.ok(!JSON.stringify((await b.ask("fetch_messages", { conversation_id: conversation })).data).includes("second text"));
  for (const [client, event, payload, message] of [
    [b, "edit_message", { message_id: first._id, text: "mine" }, "Only the sender can change a message"],
    [b, "delete_message", { message_id: first._id }, "Only the sender can change a message"],
    [a, "edit_message", { message_id: second._id, text: "x" }, "Message not found"],
    [a, "edit_message", { message_id: "unknown", text: "x" }, "Message not found"],
    [a, "edit_message", { message_id: first._id, text: " " }, "Message text is required"],
    [a, "edit_message", { message_id: first._id, text: "x".repeat(2001) }, "Message is too long (maximum 2000 characters)"],
    [a, "edit_message", { message_id: first._id, text: 7 }, "Invalid message"],
    [a, "edit_message", "x", "Invalid request"],
    [a, "delete_message", { message_id: 7 }, "Invalid request"],
  ]) {
    assert.deepEqual(await client.ask(event, payload), { success: false, message }, JSON.stringify([event, payload]));
  }
  const dora = await connect(t, server, await server.register("Dora"));
  assert.equal((await dora.ask("delete_message", first._id)).message, "Message not found");
  await sleep(Math.max(0, Date.parse(first.sent_at) + 5_100 - Date.now()));
  assert.equal((await a.ask("edit_message", { message_id: first._id, text: "late" })).message, "Message can no longer be changed");
  const gone = await server.request("DELETE", `/api/chat/messages/${first._id}`, { token: ana.token });
  assert.deepEqual([gone.status, gone.json.message], [403, "Message can no longer be changed"]);
  const withdrawn = `/api/admin/withdrawn?conversation_id=${conversation}`;
  assert.equal((await server.request("GET", withdrawn, { token: ana.token })).status, 403);
  const admin = token({ userId: "admin", role: "admin" });
  const kept = (await server.request("GET", withdrawn, { token: admin })).json.data;
  assert.deepEqual(kept.map(({ text, kind }) => [text, kind]), [["second text", "deleted"], ["first text", "edited"]]);
});

test("a block: nothing of the one reaches the other, by any way in", async (t) => {
  const server = await Server.start(t, { PRESENCE_GRACE: "1s" });
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno, { serverOffset: "" })];
  await Promise.all([a, b].map((client) => client.ask("join_conversation", conversation)));
  const { data: old } = await a.send(conversation, "before");
  await b.received("new_message");
  assert.deepEqual(await b.ask("block_user", { user_id: ana.id }), { success: true });
  await b.received("presence");
  await sleep(400);
  const came = b.events.length;
  const blocked = { success: false, message: "You cannot message this user" };
  assert.deepEqual(await a.send(conversation, "hello?"), blocked);
  assert.deepEqual(await a.ask("typing", conversation), blocked);
  assert.deepEqual(await a.ask("stop_typing", conversation), blocked);
  assert.deepEqual(await a.ask("edit_message", { message_id: old._id, text: "new words" }), blocked);
  const posted = await server.request("POST", `/api/chat/conversations/${conversation}/messages`, { token: ana.token, body: { text: "hello?" } });
  assert.deepEqual([posted.status, posted.json.message], [403, blocked.message]);
  assert.equal((await server.request("PATCH", `/api/chat/messages/${old._id}`, { token: ana.token, body: { text: "x" } })).status, 403);
  await a.ask("mark_read", { conversation_id: conversation });
  await a.ask("delete_message", { message_id: old._id });
  a.socket.disconnect();
  await sleep(1_600);
  const again = await connect(t, server, ana);
  await sleep(500);
  await b.settle();
  const others = b.events.slice(came).filter(({ name }) => name !== "unread_count");
  assert.deepEqual(others, [], "only the blocker's own count changed");
  assert.deepEqual(await b.send(conversation, "x"), { success: false, message: "You have blocked this user" });
  const shown = async (user) => {
    const [item] = (await server.request("GET", "/api/chat/conversations", { token: user.token })).json.data;
    const other = item.participant_states.find(({ user_id }) => user_id !== user.id);
    return [item.blocked_by_me, item.blocked_by_other, other.online];
  };
  assert.deepEqual([await shown(ana), await shown(bruno)], [[false, true, false], [true, false, false]]);
  const list = await server.request("GET", "/api/chat/blocks", { token: bruno.token });
  assert.deepEqual(list.json.data, [{ _id: ana.id, full_name: "Ana" }]);
  assert.deepEqual(await b.ask("block_user", { user_id: bruno.id }), { success: false, message: "Cannot block yourself" });
  assert.deepEqual(await b.ask("block_user", { user_id: "nobody" }), { success: true }, "nobody is told who there is");
  assert.equal((await server.request("DELETE", `/api/chat/blocks/${ana.id}`, { token: bruno.token })).status, 200);
  // Another node hears of it a moment later.
  await eventually("the block is over", async () => (await again.send(conversation, "again")).success);
});

test("a block and its end: both are sent what their lists show, once for a burst", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const { ana: carla } = await server.pair();
  const [a, b, c] = await Promise.all([ana, bruno, carla].map((user) => connect(t, server, user)));
  await a.send(conversation, "before");
  const listed = async (user) => (await server.request("GET", "/api/chat/conversations", { token: user.token })).json.data;
  // Other nodes know a moment later that somebody is online, and the event and the list are to show the same.
  const isOnline = async (user) => (await listed(user))[0].participant_states.every(({ online }) => online);
  await eventually("both are online", async () => (await isOnline(ana)) && (await isOnline(bruno)));
  const updates = (client) => client.named("conversation_updated");
  const latest = async (client, blocked) => {
    const isTold = () => updates(client).at(-1)?.blocked_by_me === blocked[0] && updates(client).at(-1)?.blocked_by_other === blocked[1];
    await eventually("the list's item is sent", isTold);
    return updates(client).at(-1);
  };
  await b.ask("block_user", { user_id: ana.id });
  assert.deepEqual([await latest(a, [false, true])], await listed(ana));
  assert.deepEqual([await latest(b, [true, false])], await listed(bruno));
  await b.ask("unblock_user", { user_id: ana.id });
  assert.deepEqual([await latest(a, [false, false])], await listed(ana));
  await latest(b, [false, false]);
  // 21 changes in a moment.
  const before = updates(a).length;
  const begin = performance.now();
  for (let count = 0; count < 10; count++) {
    await b.ask("block_user", { user_id: ana.id });
    await b.ask("unblock_user", { user_id: ana.id });
  }
  await b.ask("block_user", { user_id: ana.id });
  await latest(a, [false, true]);
  // With several nodes each of them announces what it has changed.
  const most = 3 * (2 + (performance.now() - begin) / 100);
  assert.ok(updates(a).length - before <= most, `${updates(a).length - before} for 21 changes`);
  assert.deepEqual(updates(c), [], "nobody else is told");
});

test("the list says what a client needs to know until when a message can be changed", async (t) => {
  const server = await Server.start(t, { EDIT_WINDOW: "90s" });
  const { ana } = await server.pair();
  const begin = Date.now();
  const { json } = await server.request("GET", "/api/chat/conversations", { token: ana.token });
  assert.equal(json.edit_window_ms, 90_000);
  assert.match(json.server_time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Date.parse(json.server_time) >= begin - 1 && Date.parse(json.server_time) <= Date.now() + 1);
});

test("reports: a snapshot for admins alone", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  const { data: message } = await a.send(conversation, "rude words");
  const report = await b.ask("report_message", { message_id: message._id, reason: "rude" });
  assert.equal(report.success, true);
  await a.ask("delete_message", { message_id: message._id });
  const posted = await server.request("POST", "/api/chat/reports", { token: bruno.token, body: { message_id: message._id, reason: "still rude" } });
  assert.deepEqual([posted.status, posted.json.data], [201, report.data], "one report of each reporter and message is kept");
  for (const [client, payload, text] of [
    [a, { message_id: message._id, reason: "x" }, "Cannot report your own message"],
    [b, { message_id: message._id, reason: " " }, "A reason is required (maximum 1000 characters)"],
    [b, { message_id: "unknown", reason: "x" }, "Message not found"],
    [b, "x", "Invalid request"],
  ]) {
    assert.deepEqual(await client.ask("report_message", payload), { success: false, message: text });
  }
  assert.equal((await server.request("GET", "/api/admin/reports", { token: ana.token })).status, 403);
  const { json } = await server.request("GET", "/api/admin/reports", { token: token({ userId: "boss", role: "admin" }) });
  assert.deepEqual(json.data.map(({ reason, message }) => [reason, message.text]), [["rude", "rude words"]]);
  assert.equal(json.data[0]._id, report.data.report_id);
  assert.deepEqual(json.data[0].reporter, { _id: bruno.id, full_name: "Bruno" });
});

test("an edit counts as a message; a message is reported once, and reports have a rate", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: undefined });
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  const { data: message } = await a.send(conversation, "0");
  const edits = await Promise.all(
    Array.from({ length: 300 }, (_, n) => a.ask("edit_message", { message_id: message._id, text: `${n}` })),
  );
  const taken = edits.filter(({ success }) => success).length;
  // A burst of 50, and ten a second.
  assert.ok(taken >= 40 && taken < 100, `${taken} edits were taken`);
  const refused = edits.find(({ success }) => !success);
  assert.deepEqual([refused.message, refused.retry_after], ["Too many messages", 1]);
  assert.equal((await a.send(conversation, "x")).message, "Too many messages", "edits and messages have one rate");
  const patched = await server.request("PATCH", `/api/chat/messages/${message._id}`, { token: ana.token, body: { text: "y" } });
  assert.equal(patched.status, 429);

  const reports = await Promise.all(
    Array.from({ length: 300 }, () => b.ask("report_message", { message_id: message._id, reason: "rude" })),
  );
  assert.equal(new Set(reports.map(({ data }) => data.report_id)).size, 1);
  const others = [];
  for (let n = 0; n < 25; n++) {
    let sent;
    await eventually("a message is taken", async () => (sent = await a.send(conversation, `${n}`)).success);
    others.push(await b.ask("report_message", { message_id: sent.data._id, reason: "rude" }));
  }
  const kept = others.filter(({ success }) => success).length;
  assert.ok(kept >= 19 && kept < 25, `${kept} reports were kept`);
  assert.equal(others.at(-1).message, "Too many messages");
  const admin = token({ userId: "boss", role: "admin" });
  const { json } = await server.request("GET", "/api/admin/reports?limit=100", { token: admin });
  assert.equal(json.data.length, kept + 1);
});

test("a token's end closes the socket; a new one keeps it; an end of all sessions closes all", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const b = await connect(t, server, bruno);
  const seconds = Math.floor(Date.now() / 1000);
  const claims = (exp) => ({ userId: ana.id, role: "seller", iat: seconds, exp });
  const short = await connect(t, server, { token: token(claims(seconds + 6)) }, {}, { ...WEBSOCKET, reconnection: false });
  const ended = short.disconnected().then(() => Date.now());
  const kept = await connect(t, server, { token: token(claims(seconds + 6)) });
  const long = await connect(t, server, ana);
  for (const client of [short, kept, long]) await client.ask("join_conversation", conversation);
  const [expiring] = await short.received("token_expiring");
  assert.deepEqual(expiring, { expires_at: new Date((seconds + 6) * 1000).toISOString() });
  for (const bad of ["x", token(claims(seconds - 1)), bruno.token, token(claims(seconds + 9), { secret: "other" })]) {
    assert.deepEqual(await kept.ask("refresh_token", { token: bad }), { success: false, message: "Invalid or expired token" });
  }
  const fresh = token(claims(seconds + 3600));
  assert.deepEqual(await kept.ask("refresh_token", { token: fresh }), { success: true, data: { expires_at: new Date((seconds + 3600) * 1000).toISOString() } });
  assert.ok((await ended) - (seconds + 6) * 1000 < 1000, "within a second of the end");
  await b.send(conversation, "after the end");
  await kept.received("new_message");
  assert.deepEqual(short.named("new_message"), []);
  assert.equal(kept.socket.connected && long.socket.connected, true);

  const gone = Promise.all([kept.disconnected(), long.disconnected()]);
  assert.deepEqual((await server.request("POST", "/api/auth/logout-everywhere", { token: ana.token })).json, { success: true });
  assert.deepEqual(await gone, ["io server disconnect", "io server disconnect"]);
  const status = async () => (await server.request("GET", "/api/auth/me", { token: ana.token })).status;
  await eventually("the token is void on each node", async () => (await status()) === 401 && (await status()) === 401 && (await status()) === 401, 1_000);
  const login = await server.request("POST", "/api/auth/login", { body: { email: ana.email, password: "correct horse" } });
  await server.kill();
  await server.launch();
  for (const old of [ana.token, fresh]) {
    const refused = new Client(t, server, { token: old }, { ...WEBSOCKET, reconnection: false });
    assert.equal((await refused.refused()).message, "Authentication error: invalid token", "also after a restart");
  }
  await connect(t, server, { token: login.json.token });
});

test("the only socket of a server ends with its token, too", async (t) => {
  const server = await Server.start(t);
  const exp = Math.floor(Date.now() / 1000) + 2;
  const client = await connect(t, server, { token: token({ userId: "alone", exp }) }, {}, { ...WEBSOCKET, reconnection: false });
  await client.disconnected();
  assert.ok(Date.now() >= exp * 1000 && Date.now() < exp * 1000 + 1000, `${Date.now() - exp * 1000} ms after its end`);
});

test("rates are a user's own, and say when to come again", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: "1" });
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  for (const [event, payload] of [
    ["send_message", { conversation_id: conversation, text: "x" }],
    ["join_conversation", conversation],
    ["fetch_messages", { conversation_id: conversation }],
  ]) {
    const acks = await Promise.all(Array.from({ length: 100 }, () => a.ask(event, payload)));
    const refused = acks.filter((ack) => !ack.success);
    assert.ok(refused.length > 0 && refused.length < 100, `${event}: ${refused.length} of 100`);
    for (const { retry_after, ...ack } of refused) {
      assert.deepEqual(ack, { success: false, message: "Too many messages" });
      assert.ok(Number.isInteger(retry_after) && retry_after > 0);
    }
    assert.equal((await b.ask(event, payload)).success, true);
  }
});
