// Unread counts are what a recount gives, whatever happened at once.
import assert from "node:assert/strict";
import test from "node:test";

import { randomOf } from "../lib/checker.js";
import { Client } from "../lib/client.js";
import { Server, eventually } from "../lib/server.js";

const SEED = Number(process.env.SEED || Date.now() % 1_000_000);
const STEPS = 10_000;
const USERS = 5;

test(`unread counts after ${STEPS} concurrent sends, reads and deletes equal a recount (SEED=${SEED})`, async (t) => {
  const random = randomOf(SEED);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const server = await Server.start(t);
  const users = await Promise.all(Array.from({ length: USERS }, (_, n) => server.register(`User${n}`)));
  const conversations = [];
  for (let one = 0; one < USERS; one++) {
    for (let other = one + 1; other < USERS; other++) {
      const body = { recipient_id: users[other].id };
      const { json } = await server.request("POST", "/api/chat/conversations", { token: users[one].token, body });
      conversations.push({ id: json.data._id, members: [one, other], messages: [] });
    }
  }
  const clients = await Promise.all(users.map((user) => Client.connect(t, server, user, { transports: ["websocket"] })));
  const counts = { sent: 0, read: 0, deleted: 0 };
  const step = async () => {
    const conversation = pick(conversations);
    const member = pick(conversation.members);
    const client = clients[member];
    const kind = random();
    if (kind < 0.6) {
      const { data } = await client.send(conversation.id, "x");
      conversation.messages.push({ id: data._id, seq: data.seq, member });
      counts.sent++;
    } else if (kind < 0.8) {
      const up_to_seq = random() < 0.3 ? undefined : (pick(conversation.messages)?.seq ?? 0);
      const ack = await client.ask("mark_read", { conversation_id: conversation.id, up_to_seq });
      assert.equal(ack.success, true);
      counts.read++;
    } else {
      const own = conversation.messages.filter((message) => message.member === member);
      if (own.length === 0) return;
      const ack = await client.ask("delete_message", { message_id: pick(own).id });
      assert.equal(ack.success, true);
      counts.deleted++;
    }
  };
  let left = STEPS;
  const work = async () => {
    while (left-- > 0) await step();
  };
  await Promise.all(Array.from({ length: 50 }, work));
  assert.ok(Math.min(...Object.values(counts)) > STEPS / 20, JSON.stringify(counts));

  for (const [member, user] of users.entries()) {
    let total = 0;
    const list = (await server.request("GET", "/api/chat/conversations", { token: user.token })).json.data;
    for (const conversation of conversations.filter(({ members }) => members.includes(member))) {
      let unread = 0;
      for (let after_seq = 0, more = true; more; ) {
        const ack = await clients[member].ask("fetch_messages", { conversation_id: conversation.id, after_seq, limit: 100 });
        unread += ack.data.filter((message) => message.sender_id._id !== user.id && !message.is_read && !message.deleted_at).length;
        after_seq = ack.data.at(-1)?.seq ?? 0;
        more = ack.has_more;
      }
      total += unread;
      assert.equal(list.find(({ _id }) => _id === conversation.id).unread_count, unread);
      // What was pushed last is right, too.
      await eventually("the last push", () => {
        const pushed = clients[member].named("unread_count").findLast((event) => event.conversation_id === conversation.id);
        return (pushed?.conversation_unread_count ?? 0) === unread;
      });
    }
    assert.equal((await server.request("GET", "/api/chat/unread-count", { token: user.token })).json.unread_count, total);
  }
});
