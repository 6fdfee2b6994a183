// What users set for their conversations, and what their devices learn of it.
import assert from "node:assert/strict";
import test from "node:test";

import { connect } from "../lib/client.js";
import { Server, eventually } from "../lib/server.js";

/** What the user's list has, by ids. */
async function listed(server, user, query = "") {
  const { json } = await server.request("GET", `/api/chat/conversations${query}`, { token: user.token });
  return json.data.map(({ _id }) => _id);
}

const settings = ({ archived, muted, pinned }) => [archived, muted, pinned];

test("a conversation is archived, muted and pinned for one user, on all devices", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [here, there, b] = await Promise.all([ana, ana, bruno].map((user) => connect(t, server, user)));
  await b.send(conversation, "Is the mare still for sale?");

  const changed = await here.ask("update_conversation", { conversation_id: conversation, archived: true, pinned: true });
  assert.deepEqual([changed.success, changed.data._id, settings(changed.data)], [true, conversation, [true, undefined, true]]);
  assert.equal(changed.data.unread_count, 1, "it still counts");
  const [event] = await there.received("conversation_updated");
  assert.deepEqual(settings(event), [true, undefined, true]);
  const muted = await there.ask("update_conversation", { conversation_id: conversation, muted: true, archived: null });
  assert.deepEqual(settings(muted.data), [true, true, true], "what is not given stays");
  assert.deepEqual(settings((await here.received("conversation_updated"))[0]), [true, true, true]);
  await there.settle();
  assert.equal(there.named("conversation_updated").length, 1, "the device that asks knows already");

  assert.deepEqual(await listed(server, ana), []);
  assert.deepEqual(await listed(server, ana, "?filter=unread"), []);
  assert.deepEqual(await listed(server, ana, "?limit=10"), []);
  assert.deepEqual(await listed(server, ana, "?filter=archived"), [conversation]);
  assert.deepEqual(await listed(server, ana, "?filter=all"), [conversation]);
  assert.deepEqual(await listed(server, bruno), [conversation], "it is hers alone");
  assert.deepEqual(settings((await b.ask("update_conversation", conversation)).data), [undefined, undefined, undefined]);
  assert.deepEqual(b.named("conversation_updated"), []);

  await b.send(conversation, "Hello?");
  assert.deepEqual(await listed(server, ana), [conversation], "the next message brings it back");
  assert.deepEqual(await listed(server, ana, "?filter=archived"), []);
  const { data } = await here.ask("update_conversation", { conversation_id: conversation, muted: false, pinned: false });
  assert.deepEqual([settings(data), data.unread_count], [[undefined, undefined, undefined], 2]);
});

test("many changes in a moment are few events, and the last is current", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  const devices = await Promise.all(Array.from({ length: 3 }, () => connect(t, server, ana)));
  const begin = performance.now();
  const changes = Array.from({ length: 60 }, (_, n) => {
    return devices[n % 2].ask("update_conversation", { conversation_id: conversation, muted: n % 3 === 0, pinned: n % 5 === 0 });
  });
  await Promise.all(changes);
  await devices[0].ask("update_conversation", { conversation_id: conversation, muted: true, pinned: false });
  for (const device of devices.slice(1)) {
    await eventually("the last state", () => {
      const last = device.named("conversation_updated").at(-1);
      return last && settings(last).join() === ",true,";
    });
  }
  const most = 2 + (performance.now() - begin) / 100;
  const came = devices[2].named("conversation_updated").length;
  assert.ok(came <= most, `${came} events for 61 changes`);
});

test("a lost connection that is recovered has the changes, a new one finds them in the list", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  const [lost, other] = [await connect(t, server, ana, { recovery: true }), await connect(t, server, ana)];
  await other.ask("join_conversation", conversation);
  // An event with an offset has to come before a socket can be recovered.
  await lost.ask("join_conversation", conversation);
  await other.send(conversation, "Hello");
  await lost.received("new_message");
  lost.socket.io.engine.close();
  await other.ask("update_conversation", { conversation_id: conversation, muted: true });
  await lost.connected();
  assert.equal(lost.socket.recovered, true);
  assert.deepEqual(settings((await lost.received("conversation_updated"))[0]), [undefined, true, undefined]);
});

test("who is not in a conversation sets nothing, and what is no setting is refused", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  const [a, c] = [await connect(t, server, ana), await connect(t, server, await server.register("Carla"))];
  const refused = async (client, payload, message) => {
    assert.deepEqual(await client.ask("update_conversation", payload), { success: false, message }, JSON.stringify(payload));
  };
  for (const payload of [conversation, { conversation_id: conversation, muted: true }, { conversation_id: "unknown", muted: true }]) {
    await refused(c, payload, "Conversation not found");
  }
  for (const payload of [null, 7, [], {}, { muted: true }, { conversation_id: 7 }]) await refused(a, payload, "Invalid request");
  for (const value of ["true", 1, 0, {}, []]) {
    for (const name of ["archived", "muted", "pinned"]) {
      await refused(a, { conversation_id: conversation, [name]: value }, "Invalid request");
    }
  }
});

test("a conversation that was left sends no more", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = await Promise.all([ana, bruno].map((user) => connect(t, server, user)));
  assert.deepEqual(await b.ask("leave_conversation", conversation), { success: true }, "also if it was not joined");
  await b.ask("join_conversation", conversation);
  await a.send(conversation, "one");
  await b.received("new_message");
  assert.deepEqual(await b.ask("leave_conversation", { conversation_id: conversation }), { success: true });
  await a.send(conversation, "two");
  await b.received("message_notification", 2);
  assert.equal(b.named("new_message").length, 1);
  await b.ask("join_conversation", conversation);
  await a.send(conversation, "three");
  assert.deepEqual((await b.received("new_message", 2)).map(({ text }) => text), ["one", "three"]);
  const stranger = await connect(t, server, await server.register("Carla"));
  for (const [client, payload] of [[stranger, conversation], [b, "unknown"], [b, 7], [b, {}]]) {
    assert.deepEqual(await client.ask("leave_conversation", payload), { success: false, message: "Conversation not found" });
  }
});
