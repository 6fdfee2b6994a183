// Everything that goes over a socket is as docs/api/asyncapi.yaml says, and everything that it says comes about.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";

import { within } from "../lib/client.js";
import { Server, eventually, token } from "../lib/server.js";
import { CheckedClient, Events } from "./lib/events.js";

const events = new Events();
const seconds = () => Math.floor(Date.now() / 1000);
const connect = (t, server, user, auth = {}) => CheckedClient.open(t, server, { token: user.token, ...auth }, events);

async function refused(client, name, payload, message) {
  const answer = await client.ask(name, payload);
  assert.deepEqual([answer.success, answer.message], [false, message], `${name} ${JSON.stringify(payload)}`);
}

async function done(client, name, payload) {
  const answer = await client.ask(name, payload);
  assert.equal(answer.success, true, `${name} ${JSON.stringify(payload)}: ${JSON.stringify(answer)}`);
  return answer.data;
}

/** Two users, each connected and in their conversation. */
async function two(t, settings) {
  const server = await Server.start(t, settings);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = await Promise.all([ana, bruno].map((user) => connect(t, server, user)));
  for (const client of [a, b]) await done(client, "join_conversation", conversation);
  return { server, ana, bruno, conversation, a, b };
}

test("two talk", async (t) => {
  const { server, ana, bruno, conversation, a, b } = await two(t);
  const first = await done(a, "send_message", { conversation_id: conversation, text: "Is the mare for sale?", client_id: "1" });
  await done(a, "send_message", { conversation_id: conversation, text: "Is the mare for sale?", client_id: "1" });
  const second = await done(a, "send_message", { conversation_id: conversation, text: "Hello?" });
  await b.received("new_message", 2);
  await b.received("message_notification", 2);
  await b.received("unread_count");
  await a.received("message_delivered");
  await done(b, "typing", conversation);
  await a.received("user_typing");
  await done(b, "stop_typing", conversation);
  await a.received("user_stop_typing");
  for (const part of [{}, { after_seq: 0, limit: 1 }, { before_seq: 2 }, { before_seq: 1, limit: 1000 }]) {
    await done(b, "fetch_messages", { conversation_id: conversation, ...part });
  }
  await done(b, "mark_read", { conversation_id: conversation, up_to_seq: 1 });
  await done(b, "mark_read", { conversation_id: conversation });
  await a.received("messages_read", 2);
  await done(a, "edit_message", { message_id: first._id, text: "Is the grey mare for sale?" });
  await b.received("message_updated");
  await done(a, "delete_message", { message_id: first._id });
  await done(a, "delete_message", second._id);
  await b.received("message_deleted", 2);
  await done(b, "fetch_messages", { conversation_id: conversation });
  const reply = await done(b, "send_message", { conversation_id: conversation, text: "Which one?", reply_to: second._id });
  assert.deepEqual(reply.reply_to, { _id: second._id, seq: second.seq, sender_id: ana.id, text: "" });
  const third = await done(a, "send_message", { conversation_id: conversation, text: "Buy now" });
  await done(b, "report_message", { message_id: third._id, reason: "Asks for money in advance." });

  const elsewhere = await connect(t, server, bruno);
  await done(b, "block_user", { user_id: ana.id });
  await elsewhere.received("user_blocked");
  await a.received("conversation_updated");
  await done(b, "unblock_user", { user_id: ana.id });
  await elsewhere.received("user_unblocked");
  await done(b, "block_user", ana.id);
  await done(b, "unblock_user", ana.id);
  await refused(a, "no_such_event", {}, "Unknown event");

  const updated = await done(b, "update_conversation", { conversation_id: conversation, archived: true, muted: true, pinned: false });
  assert.deepEqual([updated.archived, updated.muted, updated.pinned], [true, true, undefined]);
  await elsewhere.received("conversation_updated");
  await done(b, "update_conversation", { conversation_id: conversation });
  await done(b, "leave_conversation", conversation);
});

test("somebody comes and goes", async (t) => {
  const { a, b, bruno, server } = await two(t, { PRESENCE_GRACE: "1s" });
  const states = (online) => a.named("presence").filter((one) => one.online === online && one.user_id === bruno.id);
  b.socket.disconnect();
  await eventually("bruno is gone", () => states(false).length === 1);
  await connect(t, server, bruno);
  await eventually("bruno is back", () => states(true).length >= 1);
});

test("a client that reconnects gets what it missed", async (t) => {
  const { server, bruno, conversation, a, b } = await two(t);
  const first = await done(a, "send_message", { conversation_id: conversation, text: "first" });
  await b.received("new_message");
  b.socket.disconnect();
  await done(a, "send_message", { conversation_id: conversation, text: "second" });
  for (const [serverOffset, count] of [[first._id, 1], [0, 2], ["", 2]]) {
    const again = await connect(t, server, bruno, { serverOffset });
    await again.received("new_message", count);
    again.socket.disconnect();
  }
  const unknown = await connect(t, server, bruno, { serverOffset: "no id of a message" });
  await unknown.received("resync");
  await done(await connect(t, server, bruno, { serverOffset: null }), "join_conversation", conversation);
});

test("a token is renewed", async (t) => {
  const server = await Server.start(t);
  const ana = await server.register("Ana");
  const bearer = (exp, userId = ana.id) => token({ userId, role: "seller", ...(exp ? { exp } : {}) });
  const client = await connect(t, server, { token: bearer(seconds() + 30) });
  await client.received("token_expiring");
  await done(client, "refresh_token", { token: bearer(seconds() + 3600) });
  await done(client, "refresh_token", bearer());
  await refused(client, "refresh_token", { token: bearer(seconds() - 10) }, "Invalid or expired token");
  await refused(client, "refresh_token", { token: bearer(undefined, "another") }, "Invalid or expired token");
  await refused(client, "refresh_token", { token: 7 }, "Invalid request");
});

test("what is refused", async (t) => {
  const { server, ana, bruno, conversation, a, b } = await two(t);
  const carla = await connect(t, server, await server.register("Carla"));
  const { _id: message_id } = await done(a, "send_message", { conversation_id: conversation, text: "hello", client_id: "1" });
  const long = "x".repeat(2001);

  for (const name of ["join_conversation", "leave_conversation", "typing", "stop_typing"]) {
    await refused(carla, name, conversation, "Conversation not found");
    await refused(a, name, { not: "an id" }, "Conversation not found");
  }
  for (const [text, message] of [
    [" ", "Message text is required"],
    [long, "Message is too long (maximum 2000 characters)"],
    [7, "Invalid message"],
  ]) {
    await refused(a, "send_message", { conversation_id: conversation, text }, message);
    await refused(a, "edit_message", { message_id, text }, message);
  }
  await refused(a, "send_message", { conversation_id: conversation, text: "x", client_id: "" }, "Invalid message");
  await refused(a, "send_message", { conversation_id: conversation, text: "x", client_id: "1" }, "client_id was used for another message");
  await refused(a, "send_message", { conversation_id: conversation, text: "x", client_id: "x".repeat(65) }, "Invalid message");
  await refused(a, "send_message", { conversation_id: conversation, text: "x", reply_to: "unknown" }, "Message to reply to not found");
  await refused(carla, "send_message", { conversation_id: conversation, text: "x" }, "Conversation not found");
  for (const name of ["fetch_messages", "mark_read", "update_conversation"]) {
    await refused(carla, name, { conversation_id: conversation }, "Conversation not found");
    await refused(a, name, [], "Invalid request");
  }
  await refused(a, "fetch_messages", { conversation_id: conversation, after_seq: 1, before_seq: 2 }, "Invalid request");
  await refused(a, "fetch_messages", { conversation_id: conversation, limit: 0 }, "Invalid request");
  await refused(a, "mark_read", { conversation_id: conversation, up_to_seq: "1" }, "Invalid request");
  await refused(a, "update_conversation", { conversation_id: conversation, archived: 1 }, "Invalid request");

  for (const [name, more] of [["edit_message", { text: "x" }], ["delete_message", {}]]) {
    await refused(b, name, { message_id, ...more }, "Only the sender can change a message");
    await refused(carla, name, { message_id, ...more }, "Message not found");
    await refused(a, name, { message_id: 7, ...more }, "Invalid request");
  }
  await refused(carla, "report_message", { message_id, reason: "x" }, "Message not found");
  await refused(a, "report_message", { message_id, reason: "x" }, "Cannot report your own message");
  for (const reason of ["", "x".repeat(1001)]) {
    await refused(b, "report_message", { message_id, reason }, "A reason is required (maximum 1000 characters)");
  }
  await refused(b, "report_message", "x", "Invalid request");

  for (const name of ["block_user", "unblock_user"]) {
    await refused(a, name, { user_id: "no id!" }, "Invalid recipient ID");
    await refused(a, name, { user_id: ana.id }, "Cannot block yourself");
    await refused(a, name, 7, "Invalid request");
  }
  await done(a, "block_user", { user_id: "nobody" });
  await done(a, "block_user", { user_id: bruno.id });
  for (const [client, message] of [[a, "You have blocked this user"], [b, "You cannot message this user"]]) {
    await refused(client, "send_message", { conversation_id: conversation, text: "x" }, message);
    for (const name of ["typing", "stop_typing"]) await refused(client, name, conversation, message);
  }
  await refused(a, "edit_message", { message_id, text: "x" }, "You have blocked this user");
  await done(a, "unblock_user", bruno.id);
  await done(b, "block_user", ana.id);
  await refused(a, "edit_message", { message_id, text: "x" }, "You cannot message this user");
});

test("a message gets too old to be changed", async (t) => {
  const { conversation, a } = await two(t, { EDIT_WINDOW: "1s" });
  const { _id: message_id } = await done(a, "send_message", { conversation_id: conversation, text: "hello" });
  const isTooOld = async () => !(await a.ask("edit_message", { message_id, text: "changed" })).success;
  await eventually("it is too old", isTooOld);
  await refused(a, "edit_message", { message_id, text: "x" }, "Message can no longer be changed");
  await refused(a, "delete_message", { message_id }, "Message can no longer be changed");
});

test("what comes too fast", async (t) => {
  const { ana, conversation, a } = await two(t, { MESSAGE_RATE: "1" });
  const payloads = {
    join_conversation: conversation,
    leave_conversation: conversation,
    send_message: { conversation_id: conversation, text: "x" },
    typing: conversation,
    stop_typing: conversation,
    fetch_messages: { conversation_id: conversation },
    mark_read: { conversation_id: conversation },
    edit_message: { message_id: "unknown", text: "x" },
    delete_message: { message_id: "unknown" },
    block_user: { user_id: "unknown" },
    unblock_user: { user_id: "unknown" },
    update_conversation: { conversation_id: conversation, muted: true },
    report_message: { message_id: "unknown", reason: "x" },
    refresh_token: { token: ana.token },
  };
  assert.deepEqual(Object.keys(payloads).sort(), events.received.toSorted());
  for (const [name, payload] of Object.entries(payloads)) {
    // More than any rate takes at once.
    const answers = await Promise.all(Array.from({ length: 250 }, () => a.ask(name, payload)));
    const tooMany = answers.filter((answer) => answer.message === "Too many messages");
    assert.ok(tooMany.length > 0, `${name}: ${JSON.stringify(answers[249])}`);
  }
});

test("a socket is in at most 1000 rooms", async (t) => {
  const { server, ana, bruno, a } = await two(t);
  const open = async (horse) => {
    const body = { recipient_id: bruno.id, horse_id: `horse-${horse}` };
    const { json } = await server.request("POST", "/api/chat/conversations", { token: ana.token, body });
    return json.data._id;
  };
  const answers = [];
  for (let horse = 0; horse < 1000; horse += 50) {
    const opened = await Promise.all(Array.from({ length: 50 }, (_, n) => open(horse + n)));
    answers.push(...(await Promise.all(opened.map((id) => a.ask("join_conversation", id)))));
  }
  assert.equal(answers.at(-1).message, "Too many conversations joined");
});

test("the store fails", async (t) => {
  const { server, bruno, conversation, a, b } = await two(t);
  const { _id: message_id } = await done(a, "send_message", { conversation_id: conversation, text: "hello" });
  const carla = await server.register("Carla");
  await done(a, "block_user", { user_id: carla.id });
  server.limitFiles(0);
  await refused(a, "send_message", { conversation_id: conversation, text: "x" }, "Error sending message");
  await refused(a, "edit_message", { message_id, text: "x" }, "Server error");
  await refused(a, "delete_message", { message_id }, "Server error");
  await refused(b, "mark_read", { conversation_id: conversation }, "Server error");
  await refused(b, "update_conversation", { conversation_id: conversation, muted: true }, "Server error");
  await refused(b, "report_message", { message_id, reason: "x" }, "Server error");
  await refused(a, "block_user", { user_id: bruno.id }, "Server error");
  await refused(a, "unblock_user", { user_id: carla.id }, "Server error");
});

test("who is not let in", async (t) => {
  const server = await Server.start(t, { CONNECTION_RATE: "1" });
  const ana = await server.register("Ana");
  const error = (auth) => new CheckedClient(t, server, auth, events, { reconnection: false }).refused();
  assert.equal((await error({})).message, "Authentication error: no token");
  assert.equal((await error({ token: "garbage" })).message, "Authentication error: invalid token");
  const elsewhere = new CheckedClient(t, { url: `${server.url}/elsewhere` }, { token: ana.token }, events);
  assert.equal((await elsewhere.refused()).message, "Invalid namespace");

  // More at once than a user may connect; each attempt ends as connected or refused.
  const attempts = Array.from({ length: 260 }, () => {
    const options = { transports: ["websocket"], reconnection: false };
    const { socket } = new CheckedClient(t, server, { token: ana.token }, events, options);
    return within("an answer", new Promise((resolve) => {
      socket.once("connect", () => resolve()).once("connect_error", resolve);
    }));
  });
  const refusals = (await Promise.all(attempts)).filter(Boolean);
  assert.ok(refusals.some((refusal) => refusal.message === "Too many connections"), `${refusals.length} were refused`);
});

test("an account that is suspended", async (t) => {
  const { server, ana, a } = await two(t);
  const bearer = token({ userId: "the-admin", role: "admin" });
  await server.request("PUT", `/api/admin/users/${ana.id}`, { token: bearer, body: { full_name: "Ana B" } });
  await a.received("user_updated");
  const { status, stderr } = spawnSync("sqlite3", ["-cmd", ".timeout 5000", server.database, `UPDATE users SET is_active = 0 WHERE id = '${ana.id}'`]);
  assert.equal(status, 0, `${stderr}`);
  await a.received("account_suspended");
  const client = new CheckedClient(t, server, { token: ana.token }, events, { reconnection: false });
  assert.equal((await client.refused()).message, "Authentication error: account suspended");
});

test("all of the document was seen, and nothing else", () => {
  const exempt = [
    // The store can be made to fail at writing alone.
    /^(join_conversation|leave_conversation|typing|stop_typing|fetch_messages): Server error$/,
  ];
  assert.deepEqual(events.findings(exempt), []);
});
