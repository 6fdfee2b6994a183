// A client in another language: rust_socketio, built by scripts/test-requirements.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import test from "node:test";
import { promisify } from "node:util";

import { Server } from "../lib/server.js";

const CLIENT = fileURLToPath(new URL("../rust/target/debug/horse-trust-rust-client", import.meta.url));

for (const transport of ["websocket", "polling", "upgrade"]) {
  test(`rust_socketio chats over ${transport}`, async (t) => {
    const server = await Server.start(t);
    const { ana, bruno, conversation } = await server.pair();
    const { stdout } = await promisify(execFile)(CLIENT, [server.url, ana.token, bruno.token, conversation, transport], { timeout: 30_000 });
    assert.equal(stdout.trim(), "all is well");
  });
}
