// The tests of the protocol over PostgreSQL, with one node and with three. Over SQLite, which is for one node, they run
// with the others.
import { spawn } from "node:child_process";
import { once } from "node:events";

import { Postgres, Redis } from "./lib/cluster.js";

const FILES = ["base-path", "connection", "events", "order", "delivery", "receipts", "changes", "replies", "conversations", "listings", "blocks", "tokens", "platform-tokens", "unread", "platform", "erasure", "export", "webhooks", "webhook-kills"].map((name) => `tests/${name}.test.js`);

const ends = [];
const context = { after: (end) => ends.unshift(end) };
let failed = false;
try {
  const [postgres, redis] = await Promise.all([Postgres.start(context), Redis.start(context)]);
  for (const nodes of [1, 3]) {
    console.log(`\nPostgreSQL, nodes: ${nodes}`);
    const preload = new URL("lib/several.js", import.meta.url).href;
    const settings = { NODE_OPTIONS: `--import=${preload}`, TEST_POSTGRES: `${postgres.port}`, TEST_REDIS: redis.url, TEST_NODES: `${nodes}` };
    // Not `spawnSync`: nothing would read what PostgreSQL logs meanwhile, and it waits once the pipe is full.
    const tests = spawn(process.execPath, ["--test", "--test-concurrency=2", ...FILES], {
      env: { ...process.env, ...settings },
      stdio: "inherit",
      cwd: import.meta.dirname,
    });
    const [status] = await once(tests, "exit");
    failed ||= status !== 0;
  }
} finally {
  for (const end of ends) await end();
}
process.exit(failed ? 1 : 0);
