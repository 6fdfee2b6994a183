// What one account can have the server hold: a share, however many of its clients do not read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import test from "node:test";

import { Client } from "../lib/client.js";
import { cluster } from "../lib/cluster.js";
import { Server, eventually, token } from "../lib/server.js";

/** Resident memory of the server, in MiB. */
const resident = (server) =>
  Number(readFileSync(`/proc/${server.process.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) / 1024;

/** The greatest of what `measure` gives in `milliseconds`. */
async function greatest(measure, milliseconds) {
  const end = performance.now() + milliseconds;
  let most = 0;
  await eventually("the time is over", () => {
    most = Math.max(most, measure());
    return performance.now() > end;
  });
  return most;
}

/** A WebSocket in the namespace that reads only after `resume`. */
function slowSocket(t, server, auth) {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  const payload = Buffer.from(`40${JSON.stringify(auth)}`);
  const header = Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0]);
  socket.pause();
  socket.write(
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  socket.write(Buffer.concat([header, payload]));
  return socket;
}

/** `count` messages of 2000 control characters, 12 kB each as JSON. */
async function fill(t, server, user, conversation, count) {
  const writer = await Client.connect(t, server, user, { transports: ["websocket"] });
  const text = "\u0001".repeat(2000);
  const answers = [];
  // No more at once than the acknowledgements find room for.
  while (answers.length < count) {
    const length = Math.min(30, count - answers.length);
    answers.push(...(await Promise.all(Array.from({ length }, () => writer.send(conversation, text)))));
  }
  assert.ok(answers.every((answer) => answer.success));
  return { writer, ids: answers.map((answer) => answer.data._id) };
}

test("replays that are read slowly are held by pages, a few at once", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const { writer, ids } = await fill(t, server, bruno, conversation, 900);
  const before = server.process ? resident(server) : 0;
  const slow = Array.from({ length: 40 }, () => slowSocket(t, server, { token: ana.token, serverOffset: 0 }));
  if (server.process) {
    const most = await greatest(() => resident(server), 3000);
    t.diagnostic(`${before.toFixed(0)} MiB before, ${most.toFixed(0)} MiB with 40 replays`);
    assert.ok(most - before < 64, `${before} MiB before, ${most} MiB with replays of ${ids.length * 12} kB`);
  }
  // What is written meanwhile is not lost, nor what waits in line.
  const last = await writer.send(conversation, "the last one");
  for (const socket of slow.slice(0, 38)) socket.destroy();
  const client = new Client(t, server, { token: ana.token, serverOffset: 0 }, { transports: ["websocket"] });
  await client.received("new_message", ids.length + 1, 30_000);
  const came = client.named("new_message").map((message) => message._id);
  assert.deepEqual(came, [...ids, last.data._id]);
});

test("what a replay needed is gone with the connection", async (t) => {
  const server = await Server.start(t, { CONNECTION_RATE: "0" });
  if (!server.process) return t.skip("memory of one node");
  const { ana, bruno, conversation } = await server.pair();
  await fill(t, server, bruno, conversation, 1);
  // One conversation a horse.
  const horse = (n) => n.toString(16).padStart(24, "0");
  for (let n = 0; n < 600; n += 50) {
    await Promise.all(Array.from({ length: 50 }, async (_, m) => {
      const opened = await server.request("POST", "/api/chat/conversations", {
        token: ana.token,
        body: { recipient_id: bruno.id, horse_id: horse(n + m) },
      });
      await server.request("POST", `/api/chat/conversations/${opened.json.data._id}/messages`, {
        token: ana.token,
        body: { text: "x" },
      });
    }));
  }
  const newest = (await server.request("GET", "/api/chat/conversations", { token: ana.token })).json.data[0];
  const [message] = await server.history(ana.token, newest._id);
  const comeAndGo = async (count) => {
    for (let n = 0; n < count; n += 20) {
      const sockets = Array.from({ length: 20 }, () =>
        slowSocket(t, server, { token: ana.token, serverOffset: message._id }));
      await Promise.all(sockets.map((socket) => new Promise((resolve) => {
        let came = "";
        socket.on("data", (bytes) => (came += bytes.toString("latin1")).includes('40{"sid"') && resolve());
        socket.resume();
      })));
      sockets.forEach((socket) => socket.destroy());
    }
  };
  await comeAndGo(100);
  const before = resident(server);
  await comeAndGo(2500);
  t.diagnostic(`${before.toFixed(0)} MiB before, ${resident(server).toFixed(0)} MiB after 2500 connections`);
  // Of 600 conversations so many connections would keep 40 MiB. The last ones may still be closing.
  await eventually("what they needed is freed", () => resident(server) - before < 25);
});

test("presence costs in proportion to the partners, over several nodes", async (t) => {
  const { nodes, redis } = await cluster(t, 2);
  const ana = await nodes[0].register("Ana");
  const partners = Array.from({ length: 200 }, (_, n) => {
    const userId = `partner-${n}`;
    return { id: userId, token: token({ userId, role: "seller", iat: Math.floor(Date.now() / 1000) }) };
  });
  for (const partner of partners) {
    const opened = await nodes[0].request("POST", "/api/chat/conversations", { token: partner.token, body: { recipient_id: ana.id } });
    const path = `/api/chat/conversations/${opened.json.data._id}/messages`;
    const sent = await nodes[0].request("POST", path, { token: partner.token, body: { text: "x" } });
    assert.equal(sent.status, 201);
  }
  const [near, far] = [await Client.connect(t, nodes[0], partners[0]), await Client.connect(t, nodes[1], partners[199])];
  const taken = () => Number(redis.ask("INFO", "stats").match(/total_net_input_bytes:(\d+)/)[1]);
  const before = taken();
  const online = () => [near, far].every((client) => client.named("presence").some((event) => event.user_id === ana.id && event.online));
  await Client.connect(t, nodes[0], ana);
  await eventually("both know", online);
  const bytes = taken() - before;
  t.diagnostic(`${bytes} bytes through Redis for ${partners.length} partners`);
  // To each the names of all would be 600 kB.
  assert.ok(bytes < 1000 * partners.length, `${bytes} bytes`);
});

test("bodies of strangers are not kept", async (t) => {
  const server = await Server.start(t);
  if (!server.process) return t.skip("memory of one node");
  const before = resident(server);
  for (let n = 0; n < 400; n++) {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    socket.write("POST /api/chat/conversations HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    socket.write(Buffer.alloc(99_000, "x"));
  }
  const most = await greatest(() => resident(server), 1500);
  t.diagnostic(`${before.toFixed(0)} MiB before, ${most.toFixed(0)} MiB with 400 bodies`);
  // What a connection needs to read is 16 KiB and some; kept, the bodies would be 40 MiB and more.
  assert.ok(most - before < 25, `${before} MiB before, ${most} MiB after`);
});
