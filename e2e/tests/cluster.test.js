// Several nodes over PostgreSQL and Redis: people on different nodes chat as on one.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, WEBSOCKET, connect } from "../lib/client.js";
import { balance, cluster } from "../lib/cluster.js";
import { SLOWNESS, Server, eventually, run, temporaryFolder } from "../lib/server.js";

test("three nodes: messages, typing, receipts, presence, blocks and the end of sessions cross them", async (t) => {
  const { nodes, redis } = await cluster(t, 3, { PRESENCE_GRACE: "1s" });
  const { ana, bruno, conversation } = await nodes[0].pair();
  const [a, b, phone] = [await connect(t, nodes[0], ana), await connect(t, nodes[1], bruno), await connect(t, nodes[2], bruno, { serverOffset: "" })];
  await Promise.all([a, b].map((client) => client.ask("join_conversation", conversation)));
  const sent = [];
  for (let n = 0; n < 20; n++) sent.push((await (n % 2 ? a : b).send(conversation, `${n}`)).data);
  for (const client of [a, b, phone]) assert.deepEqual(await client.received("new_message", 20), sent);
  assert.deepEqual(sent.map((message) => message.seq), sent.map((_, n) => n + 1));
  await a.received("message_notification", 10);
  await a.ask("typing", conversation);
  assert.deepEqual(await b.received("user_typing"), [{ userId: ana.id, conversation_id: conversation }]);
  await eventually("delivered", () => a.named("message_delivered").some((event) => event.recipient === bruno.id && event.up_to_seq === 20));
  await b.ask("mark_read", { conversation_id: conversation });
  assert.equal((await a.received("messages_read"))[0].up_to_seq, 20);
  await phone.received("messages_read");
  await eventually("unread", () => phone.named("unread_count").some((event) => event.unread_count === 0));
  await eventually("online", () => a.named("presence").some((event) => event.user_id === bruno.id && event.online));
  const before = a.named("presence").length;
  b.socket.disconnect();
  await sleep(1_800);
  assert.equal(a.named("presence").length, before, "another device is on another node");
  phone.socket.disconnect();
  await eventually("offline", () => a.named("presence").some((event) => event.user_id === bruno.id && !event.online));

  const again = await connect(t, nodes[2], bruno);
  await again.ask("join_conversation", conversation);
  await again.ask("block_user", ana.id);
  assert.equal((await a.send(conversation, "x")).message, "You cannot message this user");
  await again.ask("unblock_user", ana.id);
  await eventually("delivered again", async () => (await a.send(conversation, "x")).success, 5_000);
  await again.received("new_message");

  const channels = Number(redis.ask("PUBSUB", "NUMSUB", `horse-trust:user:${ana.id}`).split("\n")[1]);
  assert.equal(channels, 1, "only the node that has Ana's socket listens for her");
  const gone = again.disconnected();
  await nodes[0].request("POST", "/api/auth/logout-everywhere", { token: bruno.token });
  assert.equal(await gone, "io server disconnect");
  for (const node of nodes) {
    await eventually("void on every node", async () => (await node.request("GET", "/api/auth/me", { token: bruno.token })).status === 401, 1_000);
  }
});

test("Redis away: a node chats on; the others catch up when it is back; nothing is lost or doubled", async (t) => {
  const { nodes, redis } = await cluster(t, 2);
  const { ana, bruno, conversation } = await nodes[0].pair();
  const [a, near, far] = [await connect(t, nodes[0], ana), await connect(t, nodes[0], bruno), await connect(t, nodes[1], bruno)];
  for (const client of [a, near, far]) await client.ask("join_conversation", conversation);
  const sent = [(await a.send(conversation, "before")).data];
  await far.received("new_message");
  await redis.stop();
  for (let n = 0; n < 5; n++) sent.push((await a.send(conversation, `away ${n}`)).data);
  assert.deepEqual(await near.received("new_message", 6), sent);
  await redis.launch();
  assert.deepEqual(await far.received("new_message", 6, 10_000), sent);
  sent.push((await far.send(conversation, "back")).data);
  for (const client of [a, near, far]) assert.deepEqual(await client.received("new_message", 7), sent);
});

test("a node receives and can't publish: what it could not publish reaches the others when it can again", async (t) => {
  const { nodes, redis } = await cluster(t, 2);
  const { ana, bruno, conversation } = await nodes[0].pair();
  const [a, far] = [await connect(t, nodes[0], ana), await connect(t, nodes[1], bruno)];
  await far.ask("join_conversation", conversation);
  const sent = [(await a.send(conversation, "before")).data];
  await far.received("new_message");
  redis.ask("ACL", "SETUSER", "default", "-publish");
  for (let n = 0; n < 5; n++) sent.push((await a.send(conversation, `unpublished ${n}`)).data);
  await nodes[0].request("POST", "/api/auth/logout-everywhere", { token: ana.token });
  await sleep(1_500);
  assert.equal(far.named("new_message").length, 1);
  redis.ask("ACL", "SETUSER", "default", "+publish");
  assert.deepEqual(await far.received("new_message", 6, 5_000), sent);
  await eventually("void on the other node", async () => (await nodes[1].request("GET", "/api/auth/me", { token: ana.token })).status === 401, 3_000);
});

test("who comes back within the grace, while Redis forgot everything, is known to be there", async (t) => {
  const { nodes, redis } = await cluster(t, 2, { PRESENCE_GRACE: "30s" });
  const { ana, bruno } = await nodes[0].pair();
  const present = (user) => redis.ask("SMEMBERS", `horse-trust:nodes-of:${user.id}`);
  await connect(t, nodes[0], ana);
  const first = await connect(t, nodes[1], bruno);
  await eventually("both are noted", () => present(ana) && present(bruno));
  first.socket.disconnect();
  await redis.stop();
  await redis.launch();
  await eventually("who is here is noted again", () => present(ana));
  await connect(t, nodes[1], bruno);
  await eventually("who came back is noted", () => present(bruno), 5_000);
});

test("a block that was acknowledged holds on every node, also without Redis", async (t) => {
  const { nodes, redis } = await cluster(t, 2);
  const { ana, bruno, conversation } = await nodes[0].pair();
  const [a, b] = [await connect(t, nodes[0], ana), await connect(t, nodes[1], bruno)];
  // From here on Ana's node remembers that there is none.
  const { data } = await a.send(conversation, "before");
  await redis.stop();
  await b.ask("block_user", ana.id);
  assert.equal((await a.send(conversation, "x")).message, "You cannot message this user");
  await b.ask("unblock_user", ana.id);
  await eventually("delivered again", async () => (await a.send(conversation, "after")).success, 3_000);
  await b.ask("block_user", ana.id);
  assert.equal((await a.ask("edit_message", { message_id: data._id, text: "changed" })).message, "You cannot message this user");
  await b.ask("unblock_user", ana.id);
  await a.ask("block_user", bruno.id);
  assert.equal((await b.send(conversation, "y")).message, "You cannot message this user");
  const history = await nodes[0].history(ana.token, conversation);
  assert.deepEqual(history.map((message) => message.text), ["before", "after"]);
});

test("a node is killed after it acknowledged: the others read what it did not publish", async (t) => {
  const { nodes } = await cluster(t, 2);
  const { ana, bruno, conversation } = await nodes[0].pair();
  const [a, b] = [await connect(t, nodes[0], ana), await connect(t, nodes[1], bruno)];
  await b.ask("join_conversation", conversation);
  const acks = Array.from({ length: 50 }, (_, n) => a.send(conversation, `${n}`));
  const first = await Promise.race(acks);
  assert.ok(first.success);
  await nodes[0].kill();
  const stored = await nodes[1].history(bruno.token, conversation);
  assert.deepEqual(await b.received("new_message", stored.length, 15_000).then((all) => all.map((message) => message.seq)), stored.map((message) => message.seq));
  for (const ack of acks) ack.catch(() => {});
});

test("PostgreSQL away: refused, not ready, and back by itself", async (t) => {
  const { nodes, postgres } = await cluster(t, 1);
  const { ana, conversation } = await nodes[0].pair();
  const a = await connect(t, nodes[0], ana);
  assert.equal((await a.send(conversation, "before")).success, true);
  await postgres.stop();
  assert.deepEqual(await a.send(conversation, "away"), { success: false, message: "Error sending message" });
  assert.equal((await nodes[0].request("GET", "/health/db")).status, 503);
  assert.equal((await nodes[0].request("GET", "/health")).status, 200);
  await postgres.launch();
  await eventually("ready again", async () => (await nodes[0].request("GET", "/health/db")).status === 200);
  await eventually("sends again", async () => (await a.send(conversation, "back")).success);
  assert.ok(!(await nodes[0].history(ana.token, conversation)).some((message) => message.text === "away"));
});

test("nodes that could not reach each other refuse to start", async (t) => {
  const { settings } = await cluster(t, 1);
  const { REDIS_URL, ...alone } = settings;
  const refused = run(temporaryFolder(t), ["serve"], { ...alone, PORT: "0" });
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /^horse-trust: REDIS_URL: another node uses this database.*ALLOW_NODES_WITHOUT_REDIS/);
  const sqlite = run(temporaryFolder(t), ["serve"], { JWT_SECRET: "x", REDIS_URL, PORT: "0" });
  assert.deepEqual([sqlite.status, sqlite.stderr.startsWith("horse-trust: REDIS_URL: needs a DATABASE_URL like postgres://")], [2, true]);
  const allowed = await Server.start(t, { ...alone, ALLOW_NODES_WITHOUT_REDIS: "true" });
  assert.equal((await allowed.request("GET", "/health/db")).status, 200);
});

test("a node without a conversation's sockets does no work for its messages", async (t) => {
  const { nodes } = await cluster(t, 3);
  const { ana, bruno, conversation } = await nodes[0].pair();
  const [a, b] = [await connect(t, nodes[0], ana), await connect(t, nodes[1], bruno)];
  await b.ask("join_conversation", conversation);
  const received = async (node) => Number((await node.request("GET", "/metrics")).text.match(/^horse_trust_bus_received_total (\d+)/m)[1]);
  const [before, began] = [await Promise.all(nodes.map(received)), Date.now()];
  for (let n = 0; n < 300; n++) await a.send(conversation, `${n}`);
  await b.received("new_message", 300);
  const after = await Promise.all(nodes.map(received));
  const [, second, third] = after.map((count, n) => count - before[n]);
  // Two other nodes say each second that they are there.
  const heartbeats = 2 * Math.ceil((Date.now() - began) / 1000 + 1);
  t.diagnostic(JSON.stringify({ messages: 300, receivedByTheOthersNode: second, receivedByTheThird: third, heartbeats }));
  assert.ok(second >= 300, `${second}`);
  assert.ok(third <= heartbeats, `${third} of at most ${heartbeats}`);
});

test("a rolling restart of three nodes under load: no failed send with retries", async (t) => {
  const { nodes } = await cluster(t, 3);
  const { url } = await balance(t, nodes);
  // Those who wait as the official client does by itself, and those with a short delay.
  const kinds = { "by default": {}, quick: { reconnectionDelay: 100 } };
  const pairs = await Promise.all(Array.from({ length: 8 }, () => nodes[0].pair()));
  let isOver = false;
  const longest = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, 0]));
  const texts = pairs.map(() => []);
  const refused = [];
  let reconnections = 0;
  const writers = pairs.map(async ({ ana, conversation }, n) => {
    const kind = Object.keys(kinds)[n % 2];
    const defaults = { reconnectionDelay: 1_000, reconnectionDelayMax: 5_000 };
    const client = new Client(t, { url }, { token: ana.token }, { ...WEBSOCKET, ...defaults, ...kinds[kind], retries: 50, ackTimeout: 1_000 });
    await client.connected();
    client.socket.on("connect", () => reconnections++);
    client.socket.on("connect_error", (error) => refused.push(error.message));
    while (!isOver) {
      const text = `${texts[n].length}`;
      const began = performance.now();
      const ack = await client.socket.emitWithAck("send_message", { conversation_id: conversation, text, client_id: text });
      longest[kind] = Math.max(longest[kind], Math.round(performance.now() - began));
      assert.equal(ack.success, true, JSON.stringify(ack));
      texts[n].push(text);
      await sleep(5);
    }
  });
  const sent = () => texts.flat().length;
  for (const node of nodes) {
    const before = sent();
    await eventually("all write", () => sent() > before + 100);
    assert.equal((await node.stop()).code, 0);
    await node.launch();
    // Sooner, nginx may have no node left that it takes for well.
    await eventually("nginx sends to it again", async () => {
      await fetch(`${url}/api/auth/me`);
      return (await node.request("GET", "/metrics")).text.includes('horse_trust_http_answers_total{status="401"}');
    });
  }
  const before = sent();
  await eventually("all write", () => sent() > before + 100);
  isOver = true;
  await Promise.all(writers);
  t.diagnostic(JSON.stringify({ sends: sent(), reconnections, longestPauseMilliseconds: longest }));
  for (const [n, { ana, conversation }] of pairs.entries()) {
    assert.deepEqual((await nodes[0].history(ana.token, conversation)).map((message) => message.text), texts[n]);
  }
  assert.ok(reconnections >= pairs.length, `${reconnections} reconnections`);
  assert.deepEqual(refused, [], "who comes back is taken elsewhere at once");
  // 1.5 s are the most that the client waits before it comes back; the rest is for a slow machine.
  for (const [kind, pause] of Object.entries(longest)) assert.ok(pause < 6_000 * SLOWNESS, `the longest pause was ${pause} ms, ${kind}`);
});

test("a node is killed: its users are gone after the grace, but for those who came back elsewhere", async (t) => {
  const { nodes, redis } = await cluster(t, 3, { PRESENCE_GRACE: "1s" });
  const { ana, bruno } = await nodes[0].pair();
  const carla = await nodes[0].register("Carla");
  // By both: nobody is shown the presence of somebody they only opened a conversation with.
  for (const [one, other] of [[ana, carla], [carla, ana]]) {
    await nodes[0].request("POST", "/api/chat/conversations", { token: one.token, body: { recipient_id: other.id } });
  }
  const a = await connect(t, nodes[0], ana);
  const [b, c] = [await connect(t, nodes[1], bruno), await connect(t, nodes[1], carla)];
  const isShown = (user, online) => a.named("presence").some((event) => event.user_id === user.id && event.online === online);
  await eventually("online", () => isShown(bruno, true) && isShown(carla, true));
  b.socket.io.reconnection(false);
  c.socket.io.uri = nodes[2].url;
  const began = Date.now();
  await nodes[1].kill();
  await c.connected();
  await eventually("gone", () => isShown(bruno, false), 12_000);
  t.diagnostic(JSON.stringify({ shownAfterMilliseconds: Date.now() - began }));
  assert.ok(Date.now() - began < 11_000 * SLOWNESS, "within ten seconds and the grace");
  // What comes to others of Carla would have come by then.
  await sleep(2_000);
  assert.ok(!isShown(carla, false), "who came back was never away");
  const { json } = await nodes[2].request("GET", "/api/chat/conversations", { token: ana.token });
  const states = json.data.flatMap((item) => item.participant_states).filter(({ user_id }) => user_id !== ana.id);
  assert.deepEqual(Object.fromEntries(states.map(({ user_id, online }) => [user_id, online])), { [bruno.id]: false, [carla.id]: true });
  assert.equal(redis.ask("KEYS", "horse-trust:nodes-of:*").split("\n").length, 2, "nothing of the dead node is left");
  // Redis forgets everything: the nodes say it again.
  await redis.stop();
  await redis.launch();
  await eventually("known again", () => redis.ask("KEYS", "horse-trust:nodes-of:*").split("\n").filter(Boolean).length === 2, 10_000);
  // A node that ends in order is not waited for.
  c.socket.io.reconnection(false);
  await nodes[2].stop();
  await eventually("gone, too", () => isShown(carla, false), 5_000);
});

test("a user's rates of messages and openings are one over all nodes, also by HTTP alone", async (t) => {
  const { nodes, redis } = await cluster(t, 3, { MESSAGE_RATE: "1" });
  const { ana, bruno, conversation } = await nodes[0].pair();
  const post = (node, user) => node.request("POST", `/api/chat/conversations/${conversation}/messages`, { token: user.token, body: { text: "x" } });
  const statuses = async (user, count) => {
    const began = performance.now();
    const all = [];
    for (let n = 0; n < count; n++) all.push((await post(nodes[n % 3], user)).status);
    return { taken: all.filter((status) => status === 201).length, refused: all.filter((status) => status === 429).length, refilled: Math.ceil((performance.now() - began) / 1000) };
  };
  const { taken, refused, refilled } = await statuses(ana, 15);
  assert.equal(taken + refused, 15);
  assert.ok(taken >= 5 && taken <= 5 + refilled, `${taken} of 15 were taken, ${refilled} over the burst of 5 are right`);
  // What comes by a socket counts for the nodes that have none.
  const b = await connect(t, nodes[1], bruno);
  const acks = await Promise.all(Array.from({ length: 8 }, () => b.send(conversation, "x")));
  assert.ok(acks.slice(0, 5).every((ack) => ack.success), "another user has a quota of their own, whole");
  const answer = await post(nodes[2], bruno);
  assert.equal(answer.status, 429);
  assert.ok(Number(answer.headers.get("retry-after")) >= 1);
  // So is the rate of opening conversations.
  const dora = await nodes[0].register("Dora");
  const began = performance.now();
  const opened = [];
  for (let n = 0; n < 15; n++) opened.push((await nodes[n % 3].request("POST", "/api/chat/conversations", { token: dora.token, body: { recipient_id: ana.id } })).status);
  const open = opened.filter((status) => status === 200).length;
  assert.equal(open + opened.filter((status) => status === 429).length, 15);
  assert.ok(open >= 5 && open <= 5 + Math.ceil((performance.now() - began) / 1000), `${open} of 15 conversations were opened`);
  // Without Redis each node counts for itself.
  await redis.stop();
  const carla = await nodes[0].register("Carla");
  const { json } = await nodes[0].request("POST", "/api/chat/conversations", { token: carla.token, body: { recipient_id: ana.id } });
  const alone = await nodes[0].request("POST", `/api/chat/conversations/${json.data._id}/messages`, { token: carla.token, body: { text: "x" } });
  assert.equal(alone.status, 201);
});
