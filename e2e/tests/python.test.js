// A client in another language: python-socketio, the newest release and the first that sends `auth`.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import test from "node:test";
import { promisify } from "node:util";

import { within } from "../lib/client.js";
import { Server } from "../lib/server.js";

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const TRANSPORTS = ["websocket", "polling", "upgrade"];

for (const [release, python] of [["new", ".venv/bin/python"], ["old", ".venv-old/bin/python"]]) {
  for (const transport of TRANSPORTS) {
    test(`python-socketio, ${release}, chats over ${transport}`, async (t) => {
      const server = await Server.start(t);
      const { ana, bruno, conversation } = await server.pair();
      const args = [path("python/chat.py"), server.url, ana.token, bruno.token, conversation, transport];
      const { stdout } = await promisify(execFile)(path(python), args, { timeout: 30_000 });
      assert.equal(stdout.trim().split("\n").at(-1), "all is well", stdout);
    });

    test(`python-socketio, ${release}, comes back by itself over ${transport} after an orderly shutdown`, async (t) => {
      const server = await Server.start(t);
      const { ana, conversation } = await server.pair();
      const args = [path("python/comeback.py"), server.url, ana.token, conversation, transport];
      const client = spawn(path(python), args, { stdio: ["pipe", "pipe", "inherit"] });
      t.after(() => client.kill("SIGKILL"));
      const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
      const line = async (what) => assert.equal((await within(what, lines.next())).value, what);
      await line("connected");
      client.stdin.write("before\n");
      await line("sent");
      assert.equal((await server.stop()).code, 0, server.output);
      await line("disconnected");
      await server.launch();
      await line("connected");
      client.stdin.write("after\n");
      await line("sent");
      const history = await server.history(ana.token, conversation);
      assert.deepEqual(history.map(({ text }) => text), ["before", "after"]);
      const exit = once(client, "exit");
      client.stdin.end();
      assert.deepEqual((await within("exit", exit))[0], 0);
    });
  }
}
