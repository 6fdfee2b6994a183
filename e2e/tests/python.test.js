// A client in another language: python-socketio.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import test from "node:test";
import { promisify } from "node:util";

import { Server } from "../lib/server.js";

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

for (const transport of ["websocket", "polling", "upgrade"]) {
  test(`python-socketio chats over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const { ana, bruno, conversation } = await server.pair();
    const args = [path("python/chat.py"), server.url, ana.token, bruno.token, conversation, transport];
    const { stdout } = await promisify(execFile)(path(".venv/bin/python"), args, { timeout: 30_000 });
    assert.equal(stdout.trim().split("\n").at(-1), "all is well", stdout);
  });
}
