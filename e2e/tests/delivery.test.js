// Delivery without gaps or doubles; docs/protocol.md, "Delivery".
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, WEBSOCKET, connect } from "../lib/client.js";
import { Server, eventually } from "../lib/server.js";

const seqs = (messages) => messages.map((message) => message.seq);

test("client_id: stored once, acknowledged with the first, delivered once; over sockets, REST and a restart", async (t) => {
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
