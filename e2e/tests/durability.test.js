// What was acknowledged is there, whatever happens to the process.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client } from "../lib/client.js";
import { Writer } from "../lib/load.js";
import { SLOWNESS, Server } from "../lib/server.js";

const PAIRS = 4;

/** Has both of each pair write, over and over, until `end` ends the server; checks what is there then. */
async function killedAgainAndAgain(t, rounds, end) {
  const server = await Server.start(t);
  const pairs = await Promise.all(Array.from({ length: PAIRS }, () => server.pair()));
  const writers = pairs.map(({ conversation }) => new Writer(conversation));
  for (let round = 0; round < rounds; round++) {
    const clients = await Promise.all(pairs.map(({ ana, bruno }, n) =>
      Client.connect(t, server, (n + round) % 2 ? ana : bruno, { transports: ["websocket"], reconnection: false })));
    writers.forEach((writer, n) => writer.start(clients[n]));
    // Another moment each time.
    await Promise.all(writers.map((writer) => writer.more(30 + round * 7)));
    await end(server, round);
    clients.forEach((client) => client.socket.disconnect());
    const milliseconds = await server.launch();
    assert.ok(milliseconds < 1000 * SLOWNESS, `ready again after ${milliseconds} ms`);
  }
  for (const [n, { ana, conversation }] of pairs.entries()) writers[n].check(await server.history(ana.token, conversation));
}

test("ten kills under load: nothing acknowledged is lost, doubled or out of order", async (t) => {
  await killedAgainAndAgain(t, 10, (server) => server.kill());
});

test("a kill in the middle of the drain harms nothing", async (t) => {
  await killedAgainAndAgain(t, 6, async (server, round) => {
    server.process.kill("SIGTERM");
    await sleep(round);
    await server.kill();
  });
});
