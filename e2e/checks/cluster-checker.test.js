// The checker over three nodes behind nginx, while nodes are killed, Redis stops and starts, PostgreSQL restarts.
// Again with the same seed: SEED=... MESSAGES=... node --test checks/cluster-checker.test.js. It has the machine to itself.
// With REDIS_CLUSTER=true over a Redis Cluster, of which one shard at a time stops.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Redis, balance, cluster } from "../lib/cluster.js";
import { RedisCluster } from "../lib/redis-cluster.js";
import { Server, temporaryFolder } from "../lib/server.js";
import { weather } from "../lib/weather.js";

const SEED = Number(process.env.SEED || Date.now() % 1_000_000);
const MESSAGES = Number(process.env.MESSAGES || 50_000);
const START_REDIS = process.env.REDIS_CLUSTER === "true" ? (t) => RedisCluster.start(t) : Redis.start;

test(`${MESSAGES} messages over three nodes in bad weather: none lost, doubled or out of order for anybody (SEED=${SEED})`, async (t) => {
  const { nodes, redis, postgres } = await cluster(t, 3, {}, START_REDIS);
  const { port, url } = await balance(t, nodes);
  const server = new Server(temporaryFolder(t), port, {});
  const happenedTo = { kills: 0, redis: 0, postgres: 0 };
  const storm = async (random, signal) => {
    // Each kind at least once, then at random.
    const first = [0, 0.5, 0.9];
    while (first.length || !signal.aborted) {
      await sleep(700 + random() * 1_000, undefined, { signal }).catch(() => {});
      if (signal.aborted && !first.length) break;
      const kind = first.shift() ?? random();
      if (kind < 0.5) {
        const node = nodes[Math.floor(random() * nodes.length)];
        await node.kill();
        await sleep(random() * 500);
        await node.launch();
        happenedTo.kills++;
      } else if (kind < 0.8) {
        await redis.stop();
        await sleep(random() * 1_500);
        await redis.launch();
        happenedTo.redis++;
      } else {
        await postgres.stop();
        await postgres.launch();
        happenedTo.postgres++;
      }
    }
  };
  const report = (seen) => t.diagnostic(seen);
  // All at once, a few would be written before anything has happened to the nodes.
  const pace = MESSAGES / 20;
  const { flaws, happened } = await weather({ server, urls: [url], seed: SEED, messages: MESSAGES, clients: 20, storm, report, pace, cutEvery: 1_500, fails: true });
  t.diagnostic(JSON.stringify({ seed: SEED, ...happened, ...happenedTo, ...flaws }));
  assert.deepEqual(flaws, { lost: 0, doubled: 0, outOfOrder: 0, changed: 0 });
  assert.equal(happened.messages, MESSAGES);
  assert.equal(happened.received, 2 * MESSAGES, "each of the two has each message");
  assert.ok(Object.values(happenedTo).every((count) => count > 0), "the weather was bad in every way");
});
