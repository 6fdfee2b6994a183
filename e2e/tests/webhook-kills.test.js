// Webhooks while the server is killed and the receiver fails at random.
//   MESSAGES=20000 KILLS=10 SEED=7 node --test tests/webhook-kills.test.js
// WEBHOOKS=off makes the same run without webhooks, whose latencies are there to compare with.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { WEBHOOK_SECRET } from "../lib/receiver.js";
import { Server, eventually } from "../lib/server.js";
import { UnreliableReceiver, judgeAttempts } from "../lib/unreliable-receiver.js";
import { weather } from "../lib/weather.js";

const SEED = Number(process.env.SEED || Date.now() % 1_000_000);
const MESSAGES = Number(process.env.MESSAGES || 600);
const KILLS = Number(process.env.KILLS || 2);
const HAS_WEBHOOKS = process.env.WEBHOOKS !== "off";
/** How many messages a second are written. */
const PACE = Math.min(MESSAGES / 3, 500);
/** Which share of all attempts fails. One that has failed is tried again after 5 s, after the next failure in a minute. */
const FAILING = 0.02;

test("a judge of attempts sees what is lost, out of order and twice", () => {
  const judge = (...attempts) => judgeAttempts(attempts, new Map([["a", 2], ["b", 1]]));
  const flawless = { lost: 0, outOfOrder: 0, failed: 0, twice: 0 };
  assert.deepEqual(judge(["a", 1, true], ["b", 1, true], ["a", 2, true]), flawless);
  assert.deepEqual(judge(["a", 1, false], ["b", 1, true], ["b", 1, true], ["a", 1, true], ["a", 2, true]), { ...flawless, failed: 1, twice: 1 });
  assert.deepEqual(judge(["a", 1, false], ["a", 2, true], ["a", 1, true], ["b", 1, true]), { ...flawless, lost: 1, outOfOrder: 1, failed: 1 });
});

/** How many events a node has sent since its start. */
async function sent(node) {
  const { text } = await node.request("GET", "/metrics");
  return Number(text.match(/^horse_trust_webhooks_sent_total (\d+)/m)?.[1] ?? 0);
}

/** The node that sends, once the receiver has got some events from it. */
async function sender(nodes) {
  const counts = await eventually("a node sends", async () => {
    const counts = await Promise.all(nodes.map(sent));
    return Math.max(...counts) >= 5 && counts;
  });
  return nodes[counts.indexOf(Math.max(...counts))];
}

test(`${MESSAGES} messages, ${KILLS} kills: each is received, in the order of its conversation (SEED=${SEED})`, async (t) => {
  const receiver = HAS_WEBHOOKS ? await UnreliableReceiver.start(t, SEED, FAILING) : undefined;
  const server = await Server.start(t, receiver ? { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET, WEBHOOK_EVENTS: "message.created" } : {});
  const nodes = server.nodes ?? [server];
  let kills = 0;
  const storm = async (random) => {
    for (; kills < KILLS; kills++) {
      await sleep((MESSAGES / PACE / KILLS) * (0.5 + random() / 2) * 1_000);
      const node = receiver ? await sender(nodes) : nodes[0];
      await node.kill();
      await node.launch();
    }
  };
  const { flaws, happened, conversations } = await weather({
    server,
    urls: nodes.map(({ url }) => url),
    seed: SEED,
    messages: MESSAGES,
    clients: 20,
    storm,
    pace: PACE,
    report: (seen) => t.diagnostic(seen),
    fails: nodes.length > 1,
  });
  t.diagnostic(JSON.stringify({ seed: SEED, kills, ...happened }));
  assert.deepEqual(flaws, { lost: 0, doubled: 0, outOfOrder: 0, changed: 0 });
  if (!receiver) return;
  const judged = async () => judgeAttempts(await receiver.attempts(), conversations);
  // Another node may begin to send long after the last message.
  await eventually("the receiver has failed", async () => {
    const { failed, lost } = await judged();
    return failed >= 5 || lost === 0;
  });
  await receiver.recover();
  // An event that has failed three times in a row waits for five minutes, and those behind it in its conversation with it.
  await eventually("each message is received", async () => (await judged()).lost === 0, 80_000);
  const found = await judged();
  t.diagnostic(JSON.stringify(found));
  assert.equal(found.outOfOrder, 0);
  assert.ok(found.failed > 0);
});
