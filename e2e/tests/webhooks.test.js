// Webhooks: what a receiver gets, and in which order. Receivers that misbehave are in webhook-receivers.test.js.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { connect } from "../lib/client.js";
import { Receiver, WEBHOOK_SECRET } from "../lib/receiver.js";
import { Server, eventually, run, temporaryFolder } from "../lib/server.js";

const settings = (receiver, more = {}) => ({ WEBHOOK_URL: receiver.url, WEBHOOK_SECRET, ...more });

test("each event says what it is about", async (t) => {
  const receiver = await Receiver.start(t);
  const server = await Server.start(t, settings(receiver));
  const { ana, bruno, conversation } = await server.pair();
  assert.equal((await receiver.received("conversation.created")).data.conversation._id, conversation);
  const a = await connect(t, server, ana);
  const { data: message } = await a.send(conversation, "hello");
  const created = await receiver.received("message.created");
  assert.deepEqual(created.data.message, message);
  assert.equal(created.timestamp, message.sent_at);
  assert.equal(created.data.conversation._id, conversation);
  assert.equal(created.data.conversation.unread_count, 1);
  assert.deepEqual(created.data.recipient, { _id: bruno.id, online: false, unread_count: 1 });
  await a.ask("edit_message", { message_id: message._id, text: "hello!" });
  assert.equal((await receiver.received("message.updated")).data.message.text, "hello!");
  const reported = await server.request("POST", "/api/chat/reports", { token: bruno.token, body: { message_id: message._id, reason: "rude" } });
  assert.equal(reported.status, 201, reported.text);
  const { data } = await receiver.received("report.created");
  assert.deepEqual([data.report.reason, data.report.reporter._id, data.message._id, data.conversation._id], ["rude", bruno.id, message._id, conversation]);
  await a.ask("delete_message", { message_id: message._id });
  const deleted = await receiver.received("message.deleted");
  assert.equal(deleted.data.message.text, "");
  assert.ok(deleted.data.message.deleted_at);
  await a.ask("block_user", { user_id: bruno.id });
  assert.deepEqual((await receiver.received("user.blocked")).data, { blocker: ana.id, blocked: bruno.id });
  await a.ask("unblock_user", { user_id: bruno.id });
  assert.deepEqual((await receiver.received("user.unblocked")).data, { blocker: ana.id, blocked: bruno.id });
  assert.equal(new Set(receiver.events.map(({ id }) => id)).size, receiver.events.length, "each has an id of its own");
});

test("messages of a conversation come in their order, also those that are tried again", async (t) => {
  const receiver = await Receiver.start(t);
  let failures = 1;
  receiver.answer = (response, event) => {
    const fails = event.data.message?.seq === 3 && failures-- > 0;
    response.writeHead(fails ? 500 : 200).end();
  };
  const server = await Server.start(t, settings(receiver, { WEBHOOK_EVENTS: "message.created" }));
  const [one, other] = [await server.pair(), await server.pair()];
  const [a, c] = [await connect(t, server, one.ana), await connect(t, server, other.ana)];
  for (let number = 1; number <= 10; number++) await a.send(one.conversation, `${number}`);
  await receiver.received("message.created", 3);
  await c.send(other.conversation, "meanwhile");
  await eventually("the other conversation does not wait", () => receiver.events.some(({ data }) => data.message.text === "meanwhile"), 2_000);
  const seqs = () => receiver.events.filter(({ data }) => data.conversation._id === one.conversation).map(({ data }) => data.message.seq);
  await eventually("all have come", () => seqs().length >= 11);
  assert.deepEqual(seqs(), [1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("what was not sent is sent after the server was killed", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = (response) => response.destroy();
  const server = await Server.start(t, settings(receiver, { WEBHOOK_EVENTS: "message.created" }));
  const { ana, conversation } = await server.pair();
  const a = await connect(t, server, ana);
  for (let number = 1; number <= 5; number++) await a.send(conversation, `${number}`);
  await receiver.received("message.created");
  receiver.events.length = 0;
  receiver.answer = (response) => response.writeHead(200).end();
  await server.restart({});
  await receiver.received("message.created", 5);
  assert.deepEqual(receiver.events.map(({ data }) => data.message.seq), [1, 2, 3, 4, 5]);
});

test("message.unseen comes once, until the recipient has read", async (t) => {
  const receiver = await Receiver.start(t);
  const server = await Server.start(t, settings(receiver, { WEBHOOK_EVENTS: "message.unseen", UNSEEN_AFTER: "2s", PRESENCE_GRACE: "1s" }));
  const { ana, bruno, conversation } = await server.pair();
  const a = await connect(t, server, ana);
  const b = await connect(t, server, bruno);
  const { data: first } = await a.send(conversation, "one");
  await a.send(conversation, "two");
  await sleep(4_000);
  assert.deepEqual(receiver.events, [], "a device is connected");
  b.socket.disconnect();
  const told = await receiver.received("message.unseen");
  assert.equal(told.data.message._id, first._id);
  assert.deepEqual(told.data.recipient, { _id: bruno.id, online: false, unread_count: 2 });
  await a.send(conversation, "three");
  await server.restart({});
  await sleep(4_000);
  assert.equal(receiver.events.length, 1, "once until they have read");
  const again = await connect(t, server, bruno);
  await again.ask("mark_read", { conversation_id: conversation });
  again.socket.disconnect();
  const writer = await connect(t, server, ana);
  const { data: fourth } = await writer.send(conversation, "four");
  assert.equal((await receiver.received("message.unseen", 2)).data.message._id, fourth._id);
});

test("whichever nodes write, each event comes once", async (t) => {
  const receiver = await Receiver.start(t);
  const server = await Server.start(t, settings(receiver, { WEBHOOK_EVENTS: "message.created" }));
  const nodes = server.nodes ?? [server];
  const pairs = await Promise.all(Array.from({ length: 6 }, () => server.pair()));
  const clients = await Promise.all(pairs.map(({ ana }, n) => connect(t, nodes[n % nodes.length], ana)));
  for (let number = 1; number <= 20; number++) {
    await Promise.all(pairs.map(({ conversation }, n) => clients[n].send(conversation, `${number}`)));
  }
  await receiver.received("message.created", 120);
  // Each has taken its turn by then: an event of another lane is behind them all.
  const last = await server.pair();
  await (await connect(t, nodes[0], last.ana)).send(last.conversation, "last");
  await eventually("the last one", () => receiver.events.some(({ data }) => data.message.text === "last"));
  assert.equal(receiver.events.length, 121);
  for (const { conversation } of pairs) {
    const seqs = receiver.events.filter(({ data }) => data.conversation._id === conversation).map(({ data }) => data.message.seq);
    assert.deepEqual(seqs, Array.from({ length: 20 }, (_, n) => n + 1));
  }
});

test("message.unseen: a device counts on whichever node it is, and another node takes over", async (t) => {
  const receiver = await Receiver.start(t);
  const server = await Server.start(t, settings(receiver, { WEBHOOK_EVENTS: "message.unseen", UNSEEN_AFTER: "2s", PRESENCE_GRACE: "1s" }));
  const nodes = server.nodes ?? [server];
  const pairs = await Promise.all(nodes.map(() => server.pair()));
  const devices = await Promise.all(pairs.map(({ bruno }, n) => connect(t, nodes[n], bruno)));
  const write = async ({ ana, conversation }) => {
    const writer = await connect(t, nodes[0], ana);
    assert.equal((await writer.send(conversation, "hello")).success, true);
  };
  for (const pair of pairs) await write(pair);
  // Two who are away: by the second event each of the others was looked at.
  const unseen = ({ conversation }) => receiver.events.filter(({ data }) => data.conversation._id === conversation).length;
  for (let round = 1; round <= 2; round++) {
    const away = await server.pair();
    await write(away);
    await eventually("message.unseen of one who is away", () => unseen(away), 6_000);
  }
  assert.deepEqual(pairs.map(unseen), pairs.map(() => 0));
  // The first one has begun to look before the others.
  if (nodes.length > 1) await nodes[0].kill();
  for (const device of devices) device.socket.disconnect();
  await eventually("message.unseen of each", () => pairs.every(unseen));
  assert.deepEqual(pairs.map(unseen), pairs.map(() => 1));
});

test("secrets: two sign each event, and a bad one stops the start", async (t) => {
  const receiver = await Receiver.start(t);
  const made = run(temporaryFolder(t), ["webhooks", "secret"]);
  assert.match(made.stdout, /^whsec_[A-Za-z0-9+/]{43}=\n$/);
  const server = await Server.start(t, { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET: `${made.stdout.trim()},${WEBHOOK_SECRET}` });
  await server.pair();
  assert.equal((await receiver.received("conversation.created")).signatures.split(" ").length, 2);
  for (const [more, name] of [
    [{ WEBHOOK_SECRET: "hush" }, "WEBHOOK_SECRET"],
    [{ WEBHOOK_SECRET: "" }, "WEBHOOK_SECRET"],
    [{ WEBHOOK_URL: "nowhere" }, "WEBHOOK_URL"],
    [{ WEBHOOK_EVENTS: "message.sent" }, "WEBHOOK_EVENTS"],
  ]) {
    const { status, stderr } = run(temporaryFolder(t), ["serve"], { JWT_SECRET: "x".repeat(32), WEBHOOK_URL: receiver.url, WEBHOOK_SECRET, ...more });
    assert.equal(status, 2);
    assert.match(stderr, new RegExp(`^horse-trust: ${name}: [^\n]*\n$`));
    assert.doesNotMatch(stderr, /hush/);
  }
});
