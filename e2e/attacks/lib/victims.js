// The process of those who chat while others attack: writes down how long each message takes, and what is refused or lost.
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import { io } from "socket.io-client";

import { PAIRS, PASSWORD, emailOf, idOf, tokenOf, victims, victimsAddress, victimsConversation } from "./names.js";

/** Milliseconds between two ticks; in each one message goes either way. */
const TICK = 20;
/** How long a message may be on its way before it counts as lost, in milliseconds. */
const PATIENCE = 15_000;
/** Milliseconds between two logins. */
const LOGIN_INTERVAL = 1_000;

let nodes;
const pairs = [];
/** Messages by text, until they are acknowledged and received. */
const underWay = new Map();
let stats;

function reset() {
  stats = { sent: 0, refused: [], doubled: 0, disordered: 0, disconnects: [], latencies: nodes.map(() => []), lag: [], logins: [] };
}

/** A part of a message's way is done; over it both ways count, from when the message was due. */
function step(text, part, node) {
  const message = underWay.get(text);
  if (!message || message[part]) return false;
  message[part] = true;
  stats.latencies[node].push(performance.now() - message.begin);
  if (message.isAcknowledged && message.isReceived) underWay.delete(text);
  return true;
}

async function join(pair) {
  const conversation = idOf(victimsConversation(pair));
  const sides = victims(pair).map((name, side) => {
    const node = (pair + side) % nodes.length;
    const socket = io(`http://127.0.0.1:${nodes[node].port}`, {
      transports: ["websocket"], auth: { token: tokenOf(name) }, extraHeaders: { "x-forwarded-for": victimsAddress(2 * pair + side) }, reconnectionDelay: 50,
    });
    const last = { next: 0, received: -1 };
    socket.on("connect", () => socket.emit("join_conversation", conversation));
    socket.on("disconnect", (reason) => stats.disconnects.push(reason));
    socket.on("new_message", ({ text, sender_id }) => {
      if (sender_id._id === idOf(name)) return;
      const n = Number(text.split(":")[2]);
      if (n <= last.received) stats[n === last.received ? "doubled" : "disordered"]++;
      last.received = n;
      step(text, "isReceived", node);
    });
    return { name, node, socket, last };
  });
  pairs.push({ pair, conversation, sides });
  for (const { socket } of sides) while (!socket.connected) await sleep(10);
}

function send({ pair, conversation, sides }, side) {
  const { node, socket, last } = sides[side];
  const text = `${pair}:${side}:${last.next++}`;
  underWay.set(text, { begin: performance.now() });
  stats.sent++;
  socket.emit("send_message", { conversation_id: conversation, text, client_id: text }, (ack) => {
    if (!ack.success) stats.refused.push(ack.message);
    step(text, "isAcknowledged", node);
  });
}

function login() {
  const { port } = nodes[stats.logins.length % nodes.length];
  const body = JSON.stringify({ email: emailOf(victims(0)[0]), password: PASSWORD });
  const begin = performance.now();
  const mine = stats;
  const asked = request({
    host: "127.0.0.1", port, method: "POST", path: "/api/auth/login", timeout: PATIENCE,
    headers: { "content-type": "application/json", "content-length": body.length, "x-forwarded-for": victimsAddress(2 * PAIRS) },
  }, (response) => {
    response.resume();
    mine.logins.push({ status: response.statusCode, milliseconds: performance.now() - begin });
  });
  asked.on("timeout", () => asked.destroy());
  asked.on("error", () => mine.logins.push({ status: 0, milliseconds: performance.now() - begin }));
  asked.end(body);
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

/** Ends a time of measurement: waits for what is on its way, and begins the next. */
async function report() {
  const mine = stats;
  const open = [...underWay.keys()];
  reset();
  const deadline = performance.now() + PATIENCE;
  while (open.some((text) => underWay.has(text)) && performance.now() < deadline) await sleep(20);
  const lost = open.filter((text) => underWay.has(text));
  for (const text of lost) underWay.delete(text);
  // What was on its way has been counted with the next time; its latency is as good there.
  const sorted = mine.latencies.map((values) => values.sort((one, other) => one - other));
  return {
    sent: mine.sent, lost: lost.length, refused: mine.refused, doubled: mine.doubled, disordered: mine.disordered, disconnects: mine.disconnects,
    latencies: sorted.map((values) => ({ p50: percentile(values, 0.5), p99: percentile(values, 0.99), max: values.at(-1) ?? 0 })),
    lag: percentile(mine.lag.sort((one, other) => one - other), 0.99),
    logins: mine.logins,
  };
}

let loginTimer;
process.on("message", async ({ command, ...given }) => {
  switch (command) {
    case "start": {
      nodes = given.nodes;
      reset();
      for (let pair = 0; pair < PAIRS; pair++) await join(pair);
      const begin = performance.now();
      let tick = 0;
      setInterval(() => {
        const now = (performance.now() - begin) / TICK;
        stats.lag.push(Math.max(0, now - tick - 1) * TICK);
        for (; tick < now; tick++) {
          send(pairs[tick % PAIRS], 0);
          send(pairs[tick % PAIRS], 1);
        }
      }, TICK);
      return process.send({ isReady: true });
    }
    case "begin":
      reset();
      clearInterval(loginTimer);
      if (given.logins) loginTimer = setInterval(login, LOGIN_INTERVAL);
      return process.send({});
    case "report":
      clearInterval(loginTimer);
      return process.send(await report());
  }
});
process.once("disconnect", () => process.exit(0));
