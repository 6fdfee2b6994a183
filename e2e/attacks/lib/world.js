// A server, or two nodes of one, with what the attacks need in the store, and the victims who chat.
import { fork, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

import { Postgres, Redis } from "../../lib/cluster.js";
import { SECRET, Server, freePort, run as runCommand, temporaryFolder } from "../../lib/server.js";
import { controlGroup } from "./memory.js";
import { PAIRS, victims, victimsConversation } from "./names.js";
import { Seed } from "./seed.js";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Defaults but for times that would be waited for, and the proxy that all addresses come from: what is given back after
 * the recovery window or a heartbeat is given back in seconds.
 */
const SETTINGS = {
  JWT_SECRET: SECRET, TRUSTED_PROXIES: "127.0.0.1", MESSAGE_RATE: "10",
  RECOVERY_WINDOW: "10s", PING_INTERVAL: "5s", PING_TIMEOUT: "5s", LOG: "info",
};

/** How long an attack may take, in milliseconds. */
const ATTACK_LIMIT = 120_000;

/** The next message of a process. */
function answer(child, what) {
  return new Promise((resolve, reject) => {
    const ended = (code) => reject(new Error(`${what}: the process ended with ${code}`));
    child.once("message", (message) => (child.off("exit", ended), resolve(message)));
    child.once("exit", ended);
  });
}

export class World {
  /** Starts the servers of `store`: `sqlite` is one, `cluster` two nodes over PostgreSQL and Redis. */
  static async start(t, store, attacks, settings, isQuick) {
    const world = new World();
    const folder = temporaryFolder(t);
    const common = { ...SETTINGS, ...settings };
    if (store === "cluster") {
      const [postgres, redis] = await Promise.all([Postgres.start(t), Redis.start(t)]);
      Object.assign(common, { DATABASE_URL: postgres.database("attacks"), ...redis.settings });
      world.redis = redis;
    }
    const seed = new Seed(folder);
    for (let pair = 0; pair < PAIRS; pair++) seed.conversation(victimsConversation(pair), ...victims(pair));
    for (const attack of attacks) attack.seed?.(seed, isQuick);
    const imported = runCommand(folder, seed.end(), { ...common, LOG: "warn" }, 300_000);
    if (imported.status !== 0) throw new Error(`the import failed: ${imported.stderr}`);
    world.nodes = [];
    for (let n = 0; n < (store === "cluster" ? 2 : 1); n++) {
      const name = store === "cluster" ? { NODE: "ab"[n] } : {};
      const group = controlGroup(t, n);
      const node = new Server(folder, await freePort(), { ...common, ...name });
      t.after(() => node.kill());
      await node.launch();
      group?.add(node.process.pid);
      node.isLimited = group !== undefined;
      world.nodes.push(node);
    }
    world.victims = fork(here("victims.js"), { stdio: "inherit" });
    t.after(() => world.victims.kill("SIGKILL"));
    await world.#ask({ command: "start", nodes: world.addresses });
    return world;
  }

  get addresses() {
    return this.nodes.map(({ port }) => ({ port }));
  }

  get pids() {
    return this.nodes.map((node) => node.process.pid);
  }

  #ask(question) {
    const answered = answer(this.victims, "the victims");
    this.victims.send(question);
    return answered;
  }

  /** From now on the victims' messages are counted anew; `logins` has one of them sign in each second. */
  begin(logins = false) {
    return this.#ask({ command: "begin", logins });
  }

  /** What came of the victims' messages since {@link begin}. */
  report() {
    return this.#ask({ command: "report" });
  }

  /** Runs an attack in a process of its own, with less of the processor than the server has; answers what it found. */
  async attack(file, name, isQuick) {
    const child = spawn("nice", ["-n", "10", process.execPath, here("attacker.js")], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    const timer = setTimeout(() => child.kill("SIGKILL"), ATTACK_LIMIT);
    child.send({ file, name, nodes: this.addresses, isQuick });
    try {
      return await answer(child, `the attack, within ${ATTACK_LIMIT / 1000} s`);
    } catch (error) {
      return { failures: [error.message], notes: [] };
    } finally {
      clearTimeout(timer);
      await exited;
    }
  }
}
