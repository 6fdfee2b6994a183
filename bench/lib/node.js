// A node of the peer in bench/peers/node, over PostgreSQL and Redis.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { eventually, freePort } from "../../e2e/lib/server.js";

const FOLDER = fileURLToPath(new URL("../peers/node", import.meta.url));
/** With which the load generator signs its tokens: see crates/bench/src/world.rs. */
const SECRET = "the load generator signs its own tokens with this";

export class Node {
  /** `folder` has the people's files; `adapter` is one of the peer's ADAPTER. */
  static async start(t, { database, redis, folder, adapter }) {
    const node = new Node();
    node.port = await freePort();
    const { PATH, HOME } = process.env;
    node.process = spawn(process.execPath, [join(FOLDER, "server.js")], {
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        PATH, HOME, NODE_ENV: "production", PORT: `${node.port}`, JWT_SECRET: SECRET, STORE: database, REDIS_URL: redis, ADAPTER: adapter,
        USERS: join(folder, "users.jsonl"), CONVERSATIONS: join(folder, "conversations.jsonl"),
      },
    });
    node.exited = new Promise((resolve) => node.process.once("exit", resolve));
    t.after(() => (node.process.kill("SIGKILL"), node.exited));
    await eventually("the peer answers", () => {
      if (node.process.exitCode !== null) throw new Error(`the peer ended with ${node.process.exitCode}; npm ci --prefix bench/peers/node`);
      // Any answer: it knows no route.
      return fetch(`http://127.0.0.1:${node.port}/`).then(() => true, () => false);
    });
    return node;
  }
}

/** The versions of what the peer is made of. */
export function versions() {
  const version = (name) => `${name} ${JSON.parse(readFileSync(join(FOLDER, "node_modules", name, "package.json"), "utf8")).version}`;
  return [`Node ${process.versions.node}`, ...["socket.io", "@socket.io/redis-adapter", "ioredis", "pg"].map(version)];
}
