// CPU per message with one, two and three nodes over PostgreSQL and Redis, behind nginx: 50 pairs in a closed loop.
// Needs what the end-to-end tests need: `make build`, `cargo build --release -p horse-trust-bench`, `npm ci --prefix e2e`.
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { balance, cluster } from "../e2e/lib/cluster.js";

const GENERATOR = fileURLToPath(new URL("../target/release/horse-trust-bench", import.meta.url));
const SECONDS = 8;
const TICKS = 100;

/** CPU seconds of the processes whose command is `name`. */
function cpu(name) {
  let ticks = 0;
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() !== name) continue;
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It ended meanwhile.
    }
  }
  return ticks / TICKS;
}

async function measure(count) {
  const ends = [];
  const context = { after: (end) => ends.unshift(end) };
  try {
    const { nodes } = await cluster(context, count, { MESSAGE_RATE: "0", LOG: "error" });
    const { port } = await balance(context, nodes);
    const names = ["horse-trust", "postgres", "redis-server"];
    const warmUp = 3;
    const options = ["--address", `127.0.0.1:${port}`, "--pid", `${nodes[0].process.pid}`, "--warm-up", `${warmUp}`, "--seconds", `${SECONDS}`];
    const generator = spawn(GENERATOR, ["chat", ...options], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    generator.stdout.on("data", (text) => (output += text));
    const ended = new Promise((resolve) => generator.once("exit", resolve));
    // People are registered first, which is not what is measured: a window within the run.
    const messages = async () => {
      const texts = await Promise.all(nodes.map((node) => node.request("GET", "/metrics")));
      return texts.reduce((sum, { text }) => sum + Number(text.match(/^horse_trust_messages_stored_total (\d+)/m)?.[1] ?? 0), 0);
    };
    while ((await messages()) < 1000) await new Promise((resolve) => setTimeout(resolve, 200));
    const before = { messages: await messages(), cpu: names.map(cpu), at: performance.now() };
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    const after = { messages: await messages(), cpu: names.map(cpu), at: performance.now() };
    await ended;
    const sent = after.messages - before.messages;
    const each = after.cpu.map((seconds, n) => Math.round(((seconds - before.cpu[n]) / sent) * 1e6));
    return { nodes: count, perSecond: Math.round(sent / ((after.at - before.at) / 1000)), nodesUs: each[0], postgresUs: each[1], redisUs: each[2] };
  } finally {
    for (const end of ends) await end();
  }
}

console.log("nodes | messages a second | CPU a message, µs: nodes, PostgreSQL, Redis");
for (const count of [1, 2, 3]) {
  const { nodes, perSecond, nodesUs, postgresUs, redisUs } = await measure(count);
  console.log(`${nodes} | ${perSecond} | ${nodesUs}, ${postgresUs}, ${redisUs}`);
}
process.exit(0);
