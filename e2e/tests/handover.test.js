// Connection state recovery from one node to another: the client comes back elsewhere, and it is the same socket.
import assert from "node:assert/strict";
import { connect as dial, createServer } from "node:net";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, WEBSOCKET, within } from "../lib/client.js";
import { cluster } from "../lib/cluster.js";
import { SLOWNESS, Server, eventually } from "../lib/server.js";

/** A client that asks for recovery. */
async function recoverable(t, node, user, auth = {}) {
  const client = new Client(t, node, { token: user.token, recovery: true, ...auth }, WEBSOCKET);
  await client.connected();
  return client;
}

/** Loses the client's connection, and has it come back to `node`; answers whether it was recovered, and how long that took. */
async function move(client, node, lose = () => client.socket.io.engine.close()) {
  const { socket } = client;
  socket.io.uri = node.url;
  const gone = new Promise((resolve) => socket.once("disconnect", resolve));
  lose();
  await within("disconnect", gone);
  const began = performance.now();
  await within("reconnect", new Promise((resolve) => (socket.connected ? resolve() : socket.once("connect", resolve))));
  return { recovered: socket.recovered, milliseconds: performance.now() - began };
}

/** Something between a client and a server: it can let the client go without the server's noticing, or be slow. */
async function tunnel(t, port, delay = 0) {
  const [near, far] = [new Set(), new Set()];
  const server = createServer((client) => {
    const upstream = dial(port, "127.0.0.1");
    near.add(client.on("error", () => {}));
    far.add(upstream.on("error", () => {}));
    const later = (action) => (delay ? setTimeout(action, delay) : action());
    client.on("data", (data) => later(() => upstream.write(data)));
    upstream.on("data", (data) => later(() => client.writable && client.write(data)));
    upstream.on("close", () => far.delete(upstream));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    for (const socket of [...near, ...far]) socket.destroy();
  });
  const { port: own } = server.address();
  return { url: `http://127.0.0.1:${own}`, port: own, far, lose: () => near.forEach((socket) => socket.destroy()) };
}

const texts = (messages) => messages.map((message) => message.text);
const upTo = (count) => Array.from({ length: count }, (_, n) => `${n}`);

test("a client that comes back to another node is the same socket, in its rooms, with what it missed, from node to node", async (t) => {
  const { nodes } = await cluster(t, 3, { PRESENCE_GRACE: "1s" });
  const { ana, bruno, conversation } = await nodes[0].pair();
  const [a, b] = [await recoverable(t, nodes[0], ana), await recoverable(t, nodes[1], bruno)];
  await a.ask("join_conversation", conversation);
  await b.ask("join_conversation", conversation);
  const { id } = b.socket;
  let sent = 0;
  const write = async (count) => {
    for (let n = 0; n < count; n++) assert.equal((await a.send(conversation, `${sent++}`)).success, true);
  };
  await write(3);
  await b.received("new_message", sent);
  // Away from the node that it began on, on from there, and back.
  for (const [round, to] of [2, 0, 1, 0, 2, 1].entries()) {
    const [{ recovered }] = await Promise.all([move(b, nodes[to]), write(5)]);
    assert.equal(recovered, true, `round ${round}`);
    assert.equal(b.socket.id, id);
    await write(1);
    assert.deepEqual(texts(await b.received("new_message", sent)), upTo(sent), `round ${round}`);
    await b.received("message_notification", sent);
    await b.ask("typing", conversation);
    await a.received("user_typing", round + 1);
    await a.ask("typing", conversation);
    await b.received("user_typing", round + 1);
    await Promise.all([a, b].map((client) => client.ask("stop_typing", conversation)));
  }
  assert.equal(b.named("message_notification").length, sent, "a notification each");
  assert.ok(!a.named("presence").some((event) => event.user_id === bruno.id && !event.online), "never away");
});

test("under writing, two devices that move without end miss nothing and see nothing twice", async (t) => {
  const { nodes, redis, settings } = await cluster(t, 1);
  // Redis is far from the second and further from the third: each node is ahead of another, and behind one.
  for (const delay of [5, 12]) {
    const { port } = await tunnel(t, redis.port, delay);
    nodes.push(await Server.start(t, { ...settings, REDIS_URL: `redis://127.0.0.1:${port}` }));
  }
  const { ana, bruno, conversation } = await nodes[0].pair();
  const { json } = await nodes[0].request("POST", "/api/chat/conversations", { token: bruno.token, body: { recipient_id: (await nodes[0].register("Carla")).id } });
  const other = json.data._id;
  // One follows all by its feed, one has joined one conversation.
  const [feed, room] = [await recoverable(t, nodes[1], bruno, { serverOffset: "" }), await recoverable(t, nodes[2], bruno)];
  await room.ask("join_conversation", conversation);
  const writers = [await Client.connect(t, nodes[0], ana, WEBSOCKET), await Client.connect(t, nodes[2], ana, WEBSOCKET), await Client.connect(t, nodes[1], bruno, WEBSOCKET)];
  const sent = [];
  let isOver = false;
  const writing = writers.map(async (writer, n) => {
    while (!isOver) {
      const ack = await writer.send(n === 2 && sent.length % 2 ? other : conversation, "x");
      assert.equal(ack.success, true);
      sent.push(ack.data);
    }
  });
  const count = { feed: 0, room: 0 };
  const longest = { feed: 0, room: 0 };
  const rounds = 60;
  const moving = Object.entries({ feed, room }).map(async ([name, client], seed) => {
    for (let round = 0; round < rounds; round++) {
      await sleep(20 + ((round * 37 + seed * 53) % 90));
      const { recovered, milliseconds } = await move(client, nodes[(round * (seed + 1)) % 3]);
      count[name] += recovered;
      longest[name] = Math.max(longest[name], Math.round(milliseconds));
      assert.equal(recovered, true, `${name}, round ${round}`);
    }
  });
  await Promise.all(moving).finally(() => (isOver = true));
  await Promise.all(writing);
  sent.sort((one, another) => (one._id < another._id ? -1 : 1));
  t.diagnostic(JSON.stringify({ messages: sent.length, rounds, recovered: count, longestMilliseconds: longest }));
  const ids = (messages) => messages.map((message) => message._id);
  assert.deepEqual(ids(await feed.received("new_message", sent.length)), ids(sent));
  const joined = sent.filter((message) => message.conversation_id === conversation);
  assert.deepEqual(ids(await room.received("new_message", joined.length)), ids(joined));
  const notified = sent.filter((message) => message.sender_id._id !== bruno.id).length;
  for (const client of [feed, room]) {
    await client.received("message_notification", notified);
    assert.equal(client.named("message_notification").length, notified);
  }
});

test("the old node need not have noticed the loss", async (t) => {
  const { nodes } = await cluster(t, 2);
  const { ana, bruno, conversation } = await nodes[0].pair();
  const { url, lose, far } = await tunnel(t, nodes[0].port);
  const [a, b] = [await Client.connect(t, nodes[0], ana, WEBSOCKET), await recoverable(t, { url }, bruno)];
  await b.ask("join_conversation", conversation);
  await a.send(conversation, "0");
  await b.received("new_message");
  const { id } = b.socket;
  const moved = move(b, nodes[1], lose);
  await a.send(conversation, "1");
  assert.equal((await moved).recovered, true);
  assert.equal(b.socket.id, id);
  await a.send(conversation, "2");
  assert.deepEqual(texts(await b.received("new_message", 3)), upTo(3));
  await eventually("the old connection is cut", () => far.size === 0);
});

test("who can't have the socket gets a new one, at once", async (t) => {
  const { nodes, redis } = await cluster(t, 2);
  const { ana, bruno, conversation } = await nodes[0].pair();
  const fresh = async (client, node, before) => {
    const { id } = client.socket;
    const { recovered, milliseconds } = await move(client, node, before);
    assert.ok(!recovered && client.socket.id !== id);
    // Another node is waited for three seconds (PATIENCE in bus/redis/recovery.rs); here nobody is.
    assert.ok(milliseconds < 2_000 * SLOWNESS, `${milliseconds} ms`);
    await client.ask("join_conversation", conversation);
  };
  // Another user with the private id.
  const victim = await recoverable(t, nodes[0], bruno);
  await victim.ask("join_conversation", conversation);
  const thief = await recoverable(t, nodes[1], ana);
  const { id } = victim.socket;
  const stolen = new Client(t, nodes[1], { token: ana.token, recovery: true, pid: victim.socket._pid }, WEBSOCKET);
  await stolen.connected();
  assert.notEqual(stolen.socket.id, id);
  assert.notEqual(stolen.socket._pid, victim.socket._pid);
  assert.equal(victim.socket.connected, true);
  assert.equal((await thief.send(conversation, "0")).success, true);
  await victim.received("new_message");
  assert.equal((await move(victim, nodes[1])).recovered, true, "the victim still can");
  // A private id that never was, of a node that is not there.
  const stranger = new Client(t, nodes[1], { token: ana.token, recovery: true, pid: "0123456789abcdef.AAAAAAAAAAAAAAAAAAAA", offset: "1" }, WEBSOCKET);
  await stranger.connected();
  // Redis is away.
  await move(victim, nodes[0]);
  await redis.stop();
  await sleep(200);
  await fresh(victim, nodes[1]);
  await redis.launch();
  for (const node of nodes) assert.ok(!node.output.includes(victim.socket._pid), "no private id in the log");
});

test("what is no message comes with the socket, and by serverOffset alone does not", async (t) => {
  const { nodes } = await cluster(t, 2);
  const { ana, bruno, conversation } = await nodes[0].pair();
  const a = await Client.connect(t, nodes[0], ana, WEBSOCKET);
  const { data } = await a.send(conversation, "before");
  const withSocket = await recoverable(t, nodes[0], bruno, { serverOffset: data._id });
  const auth = { token: bruno.token, serverOffset: data._id };
  const byOffset = new Client(t, nodes[0], auth, WEBSOCKET);
  await byOffset.connected();
  // A socket can be recovered once its replay is done, which a second message says.
  for (const count of [1, 2]) {
    await a.send(conversation, "seen");
    await withSocket.received("new_message", count);
  }
  for (const { socket } of [withSocket, byOffset]) {
    socket.io.reconnection(false);
    const gone = new Promise((resolve) => socket.once("disconnect", resolve));
    socket.io.engine.close();
    await within("disconnect", gone);
  }
  assert.equal((await a.ask("edit_message", { message_id: data._id, text: "after" })).success, true);
  await a.send(conversation, "next");
  for (const client of [withSocket, byOffset]) {
    client.socket.io.uri = nodes[1].url;
    client.socket.connect();
    await client.connected();
    await client.received("new_message", 3);
  }
  assert.equal(withSocket.socket.recovered, true);
  assert.deepEqual(texts(await withSocket.received("message_updated")), ["after"]);
  assert.ok(!byOffset.socket.recovered);
  assert.equal(byOffset.named("message_updated").length, 0);
});

test("the old node is killed: a new socket, and serverOffset brings what was missed", async (t) => {
  const { nodes } = await cluster(t, 2);
  const { ana, bruno, conversation } = await nodes[1].pair();
  const a = await Client.connect(t, nodes[1], ana, WEBSOCKET);
  const auth = { token: bruno.token, recovery: true, serverOffset: "" };
  const b = new Client(t, nodes[0], auth, WEBSOCKET);
  b.socket.on("new_message", (message) => (auth.serverOffset = message._id));
  await b.connected();
  for (const text of upTo(3)) await a.send(conversation, text);
  await b.received("new_message", 3);
  const moved = move(b, nodes[1], () => nodes[0].kill());
  for (const n of [3, 4]) await a.send(conversation, `${n}`);
  const { recovered, milliseconds } = await moved;
  assert.equal(recovered, false);
  // Not the three seconds that a node which is there would be waited for.
  assert.ok(milliseconds < 2_000 * SLOWNESS, `${milliseconds} ms`);
  await a.send(conversation, "5");
  assert.deepEqual(texts(await b.received("new_message", 6)), upTo(6));
});
