// What the README promises to someone who has just typed `make run`.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "node:test";

import { Server, eventually } from "../lib/server.js";

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

test("the README's script chats with what the demo prints", async (t) => {
  const server = await Server.start(t, { JWT_SECRET: undefined }, { command: "demo" });
  const script = readFileSync(path("../README.md"), "utf8").match(/```js\n([^]*?)```/)[1];
  assert.ok(script.trim().split("\n").length <= 10, "ten lines");
  assert.match(script, /http:\/\/127\.0\.0\.1:3000/);
  // Beside node_modules, so that the import is found.
  mkdirSync(path("output"), { recursive: true });
  writeFileSync(path("output/chat.mjs"), script.replace("http://127.0.0.1:3000", server.url));
  const [, token] = server.output.match(/token\s+(\S+)/);
  const [, conversation] = server.output.match(/Conversation\s+(\S+)/);
  const chat = spawn(process.execPath, [path("output/chat.mjs"), token, conversation], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => chat.kill());
  let printed = "";
  chat.stdout.setEncoding("utf8").on("data", (text) => (printed += text));
  await eventually("the acknowledgement", () => /success: true,\s+data: \{/.test(printed)).catch((error) => {
    throw new Error(`${error.message}; printed: ${printed}`);
  });
  assert.match(printed, /wrote Is the mare still for sale\?/);
  assert.equal((await server.history(token, conversation)).length, 1);
});
