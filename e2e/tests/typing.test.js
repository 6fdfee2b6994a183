// Typing belongs to a user, over all their devices and nodes; only the other is notified.
import assert from "node:assert/strict";
import test from "node:test";

import { Client, WEBSOCKET } from "../lib/client.js";
import { cluster } from "../lib/cluster.js";
import { Server } from "../lib/server.js";

async function joined(t, node, user, conversation) {
  const client = await Client.connect(t, node, user, WEBSOCKET);
  await client.ask("join_conversation", conversation);
  return client;
}

const seen = (client) => client.events.map(({ name }) => name).filter((name) => ["user_typing", "user_stop_typing", "new_message"].includes(name));

/** Two of Ana's tabs type, and Bruno watches; `nodes` are where the tabs and Bruno are. */
async function play(t, nodes) {
  const { ana, bruno, conversation } = await nodes[0].pair();
  const [first, second, watching] = [
    await joined(t, nodes[0], ana, conversation),
    await joined(t, nodes[1], ana, conversation),
    await joined(t, nodes[2], bruno, conversation),
  ];
  await first.ask("typing", conversation);
  await watching.received("user_typing");
  await second.ask("typing", conversation);
  await watching.received("user_typing", 2);
  await first.ask("stop_typing", conversation);
  // Whatever the stop led to is here before the typing that follows it.
  await second.ask("typing", conversation);
  await watching.received("user_typing", 3);
  assert.deepEqual(watching.named("user_stop_typing"), [], "the other tab still types");
  first.socket.disconnect();
  await second.ask("stop_typing", conversation);
  await watching.received("user_stop_typing");

  const again = await joined(t, nodes[0], ana, conversation);
  for (const tab of [again, second]) await tab.ask("typing", conversation);
  await watching.received("user_typing", 5);
  await second.send(conversation, "Is it still there?");
  await watching.received("new_message");
  await watching.received("user_stop_typing", 2);
  assert.deepEqual(seen(watching).slice(-2).toSorted(), ["new_message", "user_stop_typing"], "a message ends it, once");
  for (const tab of [first, second, again]) {
    assert.deepEqual([tab.named("user_typing"), tab.named("user_stop_typing")], [[], []], "nobody is notified of their own typing");
  }
  return { watching, second, conversation };
}

test("two tabs type: it is over when both have stopped, or a message was sent", async (t) => {
  const server = await Server.start(t);
  const { watching, second, conversation } = await play(t, [server, server, server]);
  assert.deepEqual(seen(watching).slice(-2), ["user_stop_typing", "new_message"], "it ends before the message is there");
  await second.send(conversation, "Yes");
  await watching.received("new_message", 2);
  assert.equal(watching.named("user_stop_typing").length, 2, "who did not type has nothing to stop");
});

test("two tabs on two nodes type, and a third node watches", async (t) => {
  const { nodes } = await cluster(t, 3);
  await play(t, nodes);
});
