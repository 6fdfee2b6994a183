// What several nodes cost: CPU per message with one, two and three nodes over PostgreSQL and Redis behind nginx, and
// of a third node that has none of the people; the product beside the official server on Node. `make bench-nodes`.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Node, versions } from "./lib/node.js";
import { report } from "./lib/report.js";
import { Postgres, Redis, balance } from "../e2e/lib/cluster.js";
import { Server } from "../e2e/lib/server.js";

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const GENERATOR = path("target/release/horse-trust-bench");
const PAIRS = 50;
const TICKS = Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout);

const { values: given } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, seconds: { type: "string", default: "8" }, write: { type: "boolean", default: false } },
});
const [rounds, seconds] = [Number(given.rounds), Number(given.seconds)];
if (!(rounds >= 1 && seconds >= 1)) throw new Error("--rounds and --seconds: a number from 1");

/** Who is measured, and how a node of each is started. */
const SERVERS = {
  "Horse Trust": { start: (t, settings) => Server.start(t, { ...settings, DATABASE_URL: settings.database, REDIS_URL: settings.redis, LOG: "error" }) },
  "Node, sharded adapter": { start: (t, settings) => Node.start(t, { ...settings, adapter: "sharded" }), given: true },
  "Node, plain adapter": { start: (t, settings) => Node.start(t, { ...settings, adapter: "plain" }), given: true },
};

/** CPU seconds of a process and of its children: PostgreSQL is a process for each connection. */
function cpu(root) {
  let ticks = 0;
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
      const [parent, user, system] = [1, 11, 12].map((n) => Number(fields[n]));
      if (Number(pid) === root || parent === root) ticks += user + system;
    } catch (error) {
      // It ended meanwhile.
      if (!["ENOENT", "ESRCH"].includes(error.code)) throw error;
    }
  }
  return ticks / TICKS;
}

/** What `work` does with a cluster of its own, which is ended with it. */
async function withCluster(server, count, folder, work) {
  const ends = [];
  const t = { after: (end) => ends.unshift(end) };
  try {
    const [postgres, redis] = await Promise.all([Postgres.start(t), Redis.start(t)]);
    const settings = { database: postgres.database("chat"), redis: redis.url, folder };
    const nodes = [];
    for (let n = 0; n < count; n++) nodes.push(await SERVERS[server].start(t, settings));
    return await work({ t, nodes, processes: { postgres: postgres.service.process.pid, redis: redis.service.process.pid } });
  } finally {
    for (const end of ends) await end();
  }
}

/** Lets people chat at these ports; the generator's figures, and the CPU seconds of `processes` while it measured. */
async function load({ ports, server, pid, processes }) {
  const args = ["chat", "--pairs", `${PAIRS}`, "--warm-up", "3", "--seconds", `${seconds}`, "--pid", `${pid}`];
  for (const port of ports) args.push("--address", `127.0.0.1:${port}`);
  if (SERVERS[server].given) args.push("--given");
  const generator = spawn(GENERATOR, args, { stdio: ["ignore", "pipe", "pipe"] });
  const marks = {};
  let [output, said] = ["", ""];
  generator.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  generator.stderr.setEncoding("utf8").on("data", (text) => {
    said += text;
    for (const mark of ["measuring", "measured"]) {
      if (said.includes(`${mark}\n`)) marks[mark] ??= Object.values(processes).map(cpu);
    }
  });
  const code = await new Promise((resolve) => generator.once("close", resolve));
  if (code !== 0) throw new Error(`${server}: the load generator ended with ${code}: ${said}`);
  const { figures } = JSON.parse(output);
  // Each message has to be acknowledged and delivered to both, once and in order.
  for (const flaw of ["unacknowledged", "undelivered", "undelivered_to_sender", "unnotified", "out_of_order"]) {
    if (figures[flaw] !== 0) throw new Error(`${server}: ${flaw}: ${figures[flaw]}`);
  }
  const spent = Object.keys(processes).map((name, n) => [name, marks.measured[n] - marks.measuring[n]]);
  return { messages: figures.messages, perSecond: figures.acknowledged_per_second, spent: Object.fromEntries(spent) };
}

const named = (nodes) => Object.fromEntries(nodes.map((node, n) => [`node ${n + 1}`, node.process.pid]));
const micro = (cpuSeconds, messages) => (cpuSeconds / messages) * 1e6;

/** Everybody connects through nginx. */
const throughNginx = (server, count, folder) =>
  withCluster(server, count, folder, async ({ t, nodes, processes }) => {
    const { port, service } = await balance(t, nodes);
    const measured = { ...processes, ...named(nodes), nginx: service.process.pid };
    const { messages, perSecond, spent } = await load({ ports: [port], server, pid: nodes[0].process.pid, processes: measured });
    const ours = Object.keys(named(nodes)).reduce((sum, name) => sum + spent[name], 0);
    const figures = { nodes: ours, postgres: spent.postgres, redis: spent.redis, nginx: spent.nginx };
    return { perSecond, ...Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, micro(value, messages)])) };
  });

/** Everybody is on two of three nodes; what the third one spends, beside what it spends when nobody writes. */
const elsewhere = (server, folder) =>
  withCluster(server, 3, folder, async ({ nodes }) => {
    const third = nodes[2].process.pid;
    await sleep(2_000);
    const before = cpu(third);
    await sleep(seconds * 1_000);
    const idle = cpu(third) - before;
    const ports = nodes.slice(0, 2).map((node) => node.port);
    const { messages, perSecond, spent } = await load({ ports, server, pid: nodes[0].process.pid, processes: named(nodes) });
    const each = (value) => micro(value, messages);
    return {
      perSecond,
      busy: each((spent["node 1"] + spent["node 2"]) / 2),
      third: each(spent["node 3"]),
      idleMs: (idle / seconds) * 1e3,
      loadedMs: (spent["node 3"] / seconds) * 1e3,
    };
  });

const folder = mkdtempSync(join(tmpdir(), "horse-trust-nodes-"));
const results = { rounds, seconds, pairs: PAIRS, balanced: {}, elsewhere: {} };
try {
  const made = spawnSync(GENERATOR, ["people", "--users", `${2 * PAIRS}`, folder], { encoding: "utf8" });
  if (made.status !== 0) throw new Error(`the people: ${made.stderr}`);
  const add = (group, server, key, figures) => {
    ((group[server] ??= {})[key] ??= []).push(figures);
    console.error(server, key, JSON.stringify(figures, (_, value) => (typeof value === "number" ? Math.round(value * 10) / 10 : value)));
  };
  for (let round = 0; round < rounds; round++) {
    for (const count of [1, 2, 3]) {
      for (const server of Object.keys(SERVERS)) add(results.balanced, server, count, await throughNginx(server, count, folder));
    }
    for (const server of Object.keys(SERVERS)) add(results.elsewhere, server, "figures", await elsewhere(server, folder));
  }
} finally {
  rmSync(folder, { recursive: true });
}
results.machine = `${cpus()[0].model}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB of memory, Linux ${release()}`;
const version = (command) => spawnSync(command, ["--version"], { encoding: "utf8" }).stdout.match(/[\d.]+/)[0];
results.versions = [`PostgreSQL ${version(new Postgres().program("postgres"))}`, `Redis ${version("redis-server")}`, ...versions()];
const text = report(results);
if (given.write) writeFileSync(path("docs/performance-nodes.md"), text);
console.log(text);
process.exit(0);
