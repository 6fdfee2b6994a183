// The process of one attack: runs it, tells its parent what is wrong, and ends with all of its connections.
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { Wire, frame, tcp } from "./wire.js";
import { idOf, tokenOf } from "./names.js";

/** What an attack is given. */
class Attacker {
  failures = [];
  notes = [];
  #agent = new Agent({ keepAlive: true, maxSockets: 512 });

  constructor({ nodes, isQuick }) {
    this.nodes = nodes;
    this.isQuick = isQuick;
  }

  /** A node in turn. */
  node(n = 0) {
    return this.nodes[n % this.nodes.length];
  }

  id = idOf;
  token = tokenOf;
  frame = frame;
  tcp = tcp;
  sleep = sleep;

  /** A WebSocket without a user. */
  open(n, options) {
    return Wire.open(this.node(n), options);
  }

  /** A socket of a seeded user. */
  connect(n, user, options) {
    return Wire.connect(this.node(n), tokenOf(user), options);
  }

  /** Says what should not be so. */
  check(isRight, words) {
    if (!isRight && !this.failures.includes(words)) this.failures.push(words);
  }

  note(words) {
    this.notes.push(words);
  }

  /** A request; answers status and body. A connection that breaks is status 0. */
  http(n, method, path, { user, token = user && tokenOf(user), body, raw, address = "203.0.113.1", headers = {} } = {}) {
    const { port } = this.node(n);
    const content = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    return new Promise((resolve) => {
      const asked = request({
        host: "127.0.0.1", port, method, path, agent: this.#agent, timeout: 30_000,
        headers: {
          "x-forwarded-for": address,
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(content === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(content) }),
          ...headers,
        },
      }, (response) => {
        const parts = [];
        response.on("data", (part) => parts.push(part));
        response.on("end", () => {
          const bytes = Buffer.concat(parts);
          resolve({ status: response.statusCode, headers: response.headers, length: bytes.length, text: bytes.toString() });
        });
        response.on("error", () => resolve({ status: 0, headers: {}, length: 0, text: "" }));
      });
      asked.on("timeout", () => asked.destroy());
      asked.on("error", () => resolve({ status: 0, headers: {}, length: 0, text: "" }));
      asked.end(content);
    });
  }

  /** Does something `count` times, `atOnce` at a time. */
  async each(count, atOnce, act) {
    let next = 0;
    const lane = async () => {
      while (next < count) await act(next++);
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane));
  }

  /** Does something `perSecond` times a second for some seconds, and waits until all of it is done. */
  async pace(perSecond, seconds, act) {
    const begin = performance.now();
    const under = [];
    for (let n = 0; n < perSecond * seconds; ) {
      const due = Math.min(perSecond * seconds, ((performance.now() - begin) / 1000) * perSecond);
      while (n < due) under.push(act(n++));
      await sleep(5);
    }
    return Promise.all(under);
  }
}

process.once("message", async ({ file, name, ...world }) => {
  const attacker = new Attacker(world);
  try {
    const { default: attacks } = await import(file);
    await attacks.find((attack) => attack.name === name).run(attacker);
  } catch (error) {
    attacker.failures.push(`the attack broke off: ${error.stack}`);
  }
  const { failures, notes } = attacker;
  process.send({ failures, notes }, () => process.exit(0));
});
process.once("disconnect", () => process.exit(1));
