// Blocks, on every way from one to the other.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { connect } from "../lib/client.js";
import { Server, eventually } from "../lib/server.js";

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
  assert.deepEqual(await b.ask("block_user", { user_id: "nobody" }), { success: true }, "the answer does not say who exists");
  assert.equal((await server.request("DELETE", `/api/chat/blocks/${ana.id}`, { token: bruno.token })).status, 200);
  // Another node knows of it a moment later.
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
    const isSent = () => updates(client).at(-1)?.blocked_by_me === blocked[0] && updates(client).at(-1)?.blocked_by_other === blocked[1];
    await eventually("the list's item is sent", isSent);
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
  assert.deepEqual(updates(c), [], "nobody else is notified");
});
