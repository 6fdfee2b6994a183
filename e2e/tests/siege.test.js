// Two people chat while others attack: they notice nothing, and memory comes back.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, within } from "../lib/client.js";
import { SLOWNESS, Server, eventually } from "../lib/server.js";

/** Resident memory of the server, in bytes. */
const resident = (server) =>
  Number(readFileSync(`/proc/${server.process.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) * 1024;

/** A raw connection; `ended` when the server closed it. */
function raw(server, t) {
  const socket = connect(server.port, "127.0.0.1");
  socket.ended = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  return socket;
}

/** A WebSocket of which every byte is ours. */
async function rawWebSocket(server, t) {
  const socket = raw(server, t);
  socket.write(
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await new Promise((resolve) => socket.once("data", resolve));
  socket.resume();
  return socket;
}

/** A masked frame; the mask is zero, so the payload stands as it is. */
function frame(first, payload, announced = payload.length) {
  const header = Buffer.alloc(14);
  header[0] = first;
  header[1] = 0xff;
  header.writeBigUInt64BE(BigInt(announced), 2);
  return Buffer.concat([header, payload]);
}

test("a siege", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = await Promise.all([ana, bruno].map((user) => Client.connect(t, server, user, { transports: ["websocket"] })));
  await b.ask("join_conversation", conversation);
  let sent = 0, chatting = true;
  const slowest = { milliseconds: 0, during: "" };
  let during = "peace";
  const chat = (async () => {
    while (chatting) {
      const begin = performance.now();
      assert.equal((await a.send(conversation, `${sent}`)).success, true);
      await b.received("new_message", ++sent);
      const milliseconds = performance.now() - begin;
      if (milliseconds > slowest.milliseconds) Object.assign(slowest, { milliseconds, during });
      await sleep(5);
    }
  })();
  await sleep(500);
  const before = resident(server);

  const attack = async (name, act) => {
    during = name;
    await act();
  };
  const megabyte = Buffer.alloc(1 << 20, "x");

  await attack("8 MB frames", async () => {
    for (let n = 0; n < 5; n++) {
      const socket = await rawWebSocket(server, t);
      socket.write(frame(0x81, megabyte, 8 << 20));
      for (let m = 0; m < 7; m++) socket.write(megabyte);
      await socket.ended;
    }
  });
  await attack("30 MB in fragments", async () => {
    const socket = await rawWebSocket(server, t);
    socket.write(frame(0x01, Buffer.alloc(50_000, "4")));
    for (let n = 0; n < 600; n++) socket.write(frame(0x00, Buffer.alloc(50_000, "x")));
    await socket.ended;
  });
  await attack("300 000 fragments of a byte", async () => {
    const socket = await rawWebSocket(server, t);
    socket.write(frame(0x01, Buffer.from("4")));
    const many = Buffer.concat(Array.from({ length: 10_000 }, () => frame(0x00, Buffer.from("x"))));
    for (let n = 0; n < 30; n++) socket.write(many);
    await socket.ended;
  });
  await attack("a length of 2^62", async () => {
    const socket = await rawWebSocket(server, t);
    const header = Buffer.alloc(14);
    header.writeUInt16BE(0x82ff);
    header.writeBigUInt64BE(1n << 62n, 2);
    socket.write(header);
    await socket.ended;
  });
  await attack("200 slow headers", async () => {
    for (let n = 0; n < 200; n++) raw(server, t).write("GET /socket.io/ HTTP/1.1\r\nHost: x\r\n");
    await sleep(500);
  });
  await attack("1 000 handshakes left hanging", async () => {
    const opened = await Promise.all(Array.from({ length: 1000 }, (_, n) =>
      n % 2 ? rawWebSocket(server, t) : server.request("GET", "/socket.io/?EIO=4&transport=polling")));
    assert.equal(opened.length, 1000);
  });
  await attack("100 000 typing events of a participant", async () => {
    // Without the official client: the two who chat live in this process too, and would wait for it.
    const flooder = await rawWebSocket(server, t);
    let came = "";
    flooder.on("data", (bytes) => (came += bytes.toString("latin1")));
    const text = (packet) => frame(0x81, Buffer.from(packet));
    flooder.write(text(`40${JSON.stringify({ token: ana.token })}`));
    await eventually("the flooder is connected", () => came.includes('40{"sid"'));
    const typing = text(`42${JSON.stringify(["typing", conversation])}`);
    const thousand = Buffer.concat(Array.from({ length: 1_000 }, () => typing));
    for (let n = 0; n < 100; n++) {
      if (!flooder.write(thousand)) await within("the flood is taken", new Promise((resolve) => flooder.once("drain", resolve)), () => came.slice(-200), 60_000);
    }
    flooder.write(text('421["join_conversation","nowhere"]'));
    await eventually("all of it", () => came.includes("431["), 60_000);
    assert.ok(b.named("user_typing").length < 1000, "the other is not flooded");
  });

  during = "peace again";
  await sleep(200);
  chatting = false;
  await chat;
  assert.equal(a.socket.connected && b.socket.connected, true);
  const seen = b.named("new_message").map((message) => message.text);
  assert.deepEqual(seen, Array.from({ length: sent }, (_, n) => `${n}`));
  assert.ok(slowest.milliseconds < 3000 * SLOWNESS, `the slowest message took ${slowest.milliseconds} ms, during ${slowest.during}`);
  // The handshakes that hang are given up after ten seconds, the slow headers after twenty.
  await eventually("memory is back within 20 MB", () => resident(server) - before < 20e6, 25_000);
  t.diagnostic(`${sent} messages, the slowest ${slowest.milliseconds.toFixed(0)} ms during ${slowest.during}; ` +
    `${((resident(server) - before) / 1e6).toFixed(1)} MB more than before`);
});
