// Durability is not traded for speed: what is acknowledged was synced before, by a trace of the server's own calls.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { Client } from "../lib/client.js";
import { Server, temporaryFolder } from "../lib/server.js";

const MESSAGES = 400;

test("each acknowledged message was synced before its acknowledgement was sent", async (t) => {
  const folder = temporaryFolder(t);
  const [shim, trace, fails] = ["trace.so", "trace.log", "fails"].map((name) => join(folder, name));
  execFileSync("cc", ["-O1", "-shared", "-fPIC", "-o", shim, fileURLToPath(new URL("../lib/sync-trace.c", import.meta.url)), "-ldl"]);
  const server = await Server.start(t, { LD_PRELOAD: shim, SYNC_TRACE: trace, SYNC_FAILS: fails }, { folder });
  const pairs = await Promise.all([1, 2, 3, 4].map(() => server.pair()));
  const clients = await Promise.all(pairs.map(({ ana }) => Client.connect(t, server, ana, { transports: ["websocket"] })));
  const acks = await Promise.all(Array.from({ length: MESSAGES }, (_, n) => clients[n % 4].send(pairs[n % 4].conversation, `synced-${n};`)));
  assert.ok(acks.every((ack) => ack.success));

  const written = new Set();
  const atSync = new Set();
  const durable = new Set();
  const acknowledged = new Set();
  let syncs = 0;
  for (const line of readFileSync(trace, "utf8").trim().split("\n")) {
    const [kind, number] = [line[0], Number(line.slice(2))];
    if (kind === "W") written.add(number);
    // What a sync makes durable was written before it began.
    if (kind === "B") for (const one of written) atSync.add(one);
    if (kind === "S") {
      syncs++;
      for (const one of atSync) durable.add(one);
    }
    if (kind === "A") {
      assert.ok(durable.has(number), `message ${number} was acknowledged before it was synced`);
      acknowledged.add(number);
    }
  }
  assert.equal(acknowledged.size, MESSAGES, "the trace saw every acknowledgement");
  assert.ok(syncs > 0 && syncs < MESSAGES, `${syncs} syncs for ${MESSAGES} messages: they were committed in groups`);

  // A sync that fails: nothing is acknowledged, and nothing is delivered.
  const bruno = await Client.connect(t, server, pairs[0].bruno, { transports: ["websocket"] });
  await bruno.ask("join_conversation", pairs[0].conversation);
  writeFileSync(fails, "");
  const refused = await clients[0].send(pairs[0].conversation, "never synced");
  assert.deepEqual(refused, { success: false, message: "Error sending message" });
  rmSync(fails);
  assert.equal((await clients[0].send(pairs[0].conversation, "synced again")).success, true);
  const [delivered] = await bruno.received("new_message");
  assert.equal(delivered.text, "synced again");
  const texts = (await server.history(pairs[0].ana.token, pairs[0].conversation)).map((message) => message.text);
  assert.ok(!texts.includes("never synced"));
});
