// Attacks on a server while others chat. They must notice nothing, and memory must come back.
//
//   node attacks/run.js [--store sqlite|cluster|both] [--quick] [--only WORDS] [--json FILE] [--list]
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { RECOMMENDED, forgetPeak, peak, resident } from "./lib/memory.js";
import { World } from "./lib/world.js";

/** How much more than before may be held after an attack, in bytes. */
const KEPT = 20e6;
/** How much of the recommended memory has to be left at the peak, in bytes. */
const MARGIN = 256 * 1024 ** 2;
/** How much more than before one attack may have a node hold at its peak, in bytes: an eighth of the memory. */
const SHARE = RECOMMENDED / 8;
/** The slowest percent of the victims' messages begins here at the latest, in milliseconds. */
const SLOW = 250;
/** How long memory may take to come back, in milliseconds: times of the server (recovery, heartbeats), then the allocator's. */
const BACK = 60_000;
/** How long the victims chat before anybody attacks, in milliseconds: caches fill. */
const WARM_UP = 5_000;

const { values: options } = parseArgs({
  options: {
    store: { type: "string", default: "both" },
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    json: { type: "string", default: join(import.meta.dirname, "..", "output", "attacks.json") },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log("node attacks/run.js [--store sqlite|cluster|both] [--quick] [--only WORDS] [--json FILE] [--list]");
  process.exit(0);
}

/** Every attack that is asked for, with its file. */
async function attacks() {
  const folder = join(import.meta.dirname, "topics");
  const all = [];
  for (const name of readdirSync(folder).sort()) {
    const file = join(folder, name);
    for (const attack of (await import(file)).default) all.push({ settings: {}, ...attack, file, topic: name.replace(/\.js$/, "") });
  }
  const words = options.only.toLowerCase();
  return all.filter(({ name, topic, isQuick }) => (!options.quick || isQuick) && `${topic}: ${name}`.toLowerCase().includes(words));
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(0);

/** Memory of the nodes when it has come to rest. */
async function rest(pids) {
  const least = pids.map(() => Infinity);
  for (let n = 0; n < 10; n++) {
    pids.forEach((pid, index) => (least[index] = Math.min(least[index], resident(pid))));
    await sleep(100);
  }
  return least;
}

/** What is wrong with what the victims saw. */
function judgeVictims({ refused, lost, doubled, disordered, disconnects, latencies, logins }) {
  const failures = [];
  const count = (what, number) => number > 0 && failures.push(`${what}: ${number}`);
  count(`victims' messages refused (${[...new Set(refused)].join(", ")})`, refused.length);
  count("victims' messages lost", lost);
  count("victims' messages doubled", doubled);
  count("victims' messages out of order", disordered);
  count(`victims' connections cut (${[...new Set(disconnects)].join(", ")})`, disconnects.length);
  latencies.forEach(({ p99 }, n) => p99 > SLOW && failures.push(`p99 on node ${n}: ${p99.toFixed(0)} ms`));
  const refusedLogins = logins.filter(({ status }) => status !== 200);
  count(`victims' logins refused (${[...new Set(refusedLogins.map(({ status }) => status))].join(", ")})`, refusedLogins.length);
  return failures;
}

/** One attack; answers its row. */
async function row(world, attack) {
  const { pids } = world;
  const before = await rest(pids);
  pids.forEach(forgetPeak);
  await world.begin(attack.logins);
  const began = performance.now();
  const { failures, notes } = attack.run ? await world.attack(attack.file, attack.name, options.quick) : (await sleep(WARM_UP), { failures: [], notes: [] });
  const victims = await world.report();
  const seconds = (performance.now() - began) / 1000;
  const most = pids.map(peak);
  let after = pids.map(resident);
  const deadline = performance.now() + BACK;
  const isBack = () => after.every((bytes, n) => bytes <= before[n] + KEPT);
  while (!isBack() && performance.now() < deadline) {
    await sleep(200);
    after = pids.map(resident);
  }
  after.forEach((bytes, n) => bytes > before[n] + KEPT && failures.push(`memory of node ${n} stays at ${megabytes(bytes)} MB, ${megabytes(bytes - before[n])} more than before`));
  most.forEach((bytes, n) => bytes > RECOMMENDED - MARGIN && failures.push(`memory of node ${n} rose to ${megabytes(bytes)} MB`));
  most.forEach((bytes, n) => bytes > before[n] + SHARE && failures.push(`memory of node ${n} rose by ${megabytes(bytes - before[n])} MB`));
  world.nodes.forEach((node, n) => node.process.exitCode !== null && failures.push(`node ${n} ended`));
  failures.push(...judgeVictims(victims));
  const back = (performance.now() - deadline + BACK) / 1000;
  return { topic: attack.topic, attack: attack.name, seconds, before, most, after, back, victims, notes, failures };
}

/** One line of the table. */
function line({ attack, seconds, before, most, after, victims, failures, notes }) {
  const each = (values) => values.map(megabytes).join(" ");
  const latencies = victims.latencies.map(({ p99 }) => p99.toFixed(0)).join(" ");
  const cells = [attack.padEnd(64), `${seconds.toFixed(0)} s`.padStart(5), each(before).padStart(8), each(most).padStart(9), each(after).padStart(8), latencies.padStart(8)];
  return [`${cells.join("  ")}  ${failures.length ? "FAIL" : "ok"}`, ...failures.map((words) => `    ! ${words}`), ...notes.map((words) => `      ${words}`)].join("\n");
}

const HEAD = ["attack".padEnd(64), " time", "before".padStart(8), "at most".padStart(9), "after".padStart(8), "p99".padStart(8)].join("  ");

/** Runs attacks that share settings; answers their rows. */
async function group(store, attacks, settings) {
  const ends = [];
  const t = { after: (end) => ends.unshift(end) };
  const rows = [];
  try {
    const world = await World.start(t, store, attacks, settings, options.quick);
    if (!world.nodes.every((node) => node.isLimited)) console.log("(memory is watched, and not limited)");
    for (const attack of [{ topic: "calm", name: "nobody attacks" }, ...attacks]) {
      const result = await row(world, attack);
      rows.push({ store, ...result });
      console.log(line(result));
    }
  } finally {
    for (const end of ends) await end();
  }
  return rows;
}

const chosen = await attacks();
if (options.list) {
  for (const { topic, name, isQuick } of chosen) console.log(`${topic}: ${name}${isQuick ? " (quick)" : ""}`);
  process.exit(0);
}
if (chosen.length === 0) {
  console.error(`no attack is called ${options.only}`);
  process.exit(2);
}
const rows = [];
for (const store of options.store === "both" ? ["sqlite", "cluster"] : [options.store]) {
  console.log(`\n${store === "sqlite" ? "One server, SQLite" : "Two nodes, PostgreSQL and Redis (figures of both)"}; memory in MB, p99 of others' messages in ms\n${HEAD}`);
  const groups = new Map();
  for (const attack of chosen) {
    const key = JSON.stringify(attack.settings);
    groups.set(key, [...(groups.get(key) ?? []), attack]);
  }
  for (const [settings, attacks] of groups) rows.push(...(await group(store, attacks, JSON.parse(settings))));
}
mkdirSync(dirname(options.json), { recursive: true });
writeFileSync(options.json, `${JSON.stringify(rows, null, 1)}\n`);
const failed = rows.filter(({ failures }) => failures.length);
console.log(`\n${rows.length - failed.length} of ${rows.length} hold; figures in ${options.json}`);
process.exit(failed.length ? 1 : 0);
