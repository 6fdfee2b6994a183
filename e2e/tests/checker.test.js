// 50 000 messages of 20 clients in bad weather. Again with the same seed: SEED=... node --test tests/checker.test.js
import assert from "node:assert/strict";
import test from "node:test";

import { Server } from "../lib/server.js";
import { kills, weather } from "../lib/weather.js";

const SEED = Number(process.env.SEED || Date.now() % 1_000_000);
const MESSAGES = Number(process.env.MESSAGES || 50_000);

test(`${MESSAGES} messages through cuts and kills: none lost, doubled or out of order for anybody (SEED=${SEED})`, async (t) => {
  const server = await Server.start(t);
  const storm = {};
  const { flaws, happened } = await weather({
    server,
    urls: [server.url],
    seed: SEED,
    messages: MESSAGES,
    clients: 20,
    storm: kills(server, 1_500, storm),
    report: (seen) => t.diagnostic(seen),
  });
  t.diagnostic(JSON.stringify({ seed: SEED, ...happened, ...storm, ...flaws }));
  assert.deepEqual(flaws, { lost: 0, doubled: 0, outOfOrder: 0, changed: 0 });
  assert.equal(happened.messages, MESSAGES);
  assert.equal(happened.received, 2 * MESSAGES, "each of the two has each message");
  assert.ok(storm.kills > 0 && happened.connections > 40, "the weather was bad");
});
