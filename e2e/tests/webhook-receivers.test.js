// Receivers of webhooks that misbehave: what becomes of the events, and that the chat does not notice.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { connect } from "../lib/client.js";
import { certificate } from "../lib/cluster.js";
import { Receiver, WEBHOOK_SECRET } from "../lib/receiver.js";
import { Server, eventually, run, temporaryFolder } from "../lib/server.js";

/** Writes `begin`, and then `text` over and over until the connection is closed. */
function endless(socket, text, begin = "") {
  socket.on("error", () => {});
  socket.write(begin);
  const more = () => {
    while (!socket.destroyed && socket.write(text));
  };
  socket.on("drain", more);
  more();
}

test("receivers that misbehave: retried or given up, and nobody's chat is slowed", async (t) => {
  const hostile = {
    hangs: () => {},
    "closes in the middle": (response) => response.writeHead(500, { "content-length": 100 }).write("x", () => response.destroy()),
    redirects: (response, event) => response.writeHead(302, { location: "/other" }).end(),
    "answers with 10 MB": (response) => response.writeHead(500).end(Buffer.alloc(10_000_000)),
    "answers with headers without an end": (response) => endless(response.socket, `x: ${"y".repeat(10_000)}\r\n`, "HTTP/1.1 200 OK\r\n"),
    "answers with what is no HTTP": (response) => response.socket.end("SSH-2.0-OpenSSH_9.6\r\n"),
  };
  const receivers = {};
  for (const [name, answer] of Object.entries(hostile)) {
    receivers[name] = await Receiver.start(t);
    receivers[name].answer = (response, event, attempt) => (attempt === 1 ? answer(response, event) : response.writeHead(200).end());
  }
  const gone = await Receiver.start(t);
  gone.answer = (response) => response.writeHead(410).end();
  const urls = [...Object.values(receivers), gone].map(({ url }) => url).join(",");
  const server = await Server.start(t, { WEBHOOK_URL: urls, WEBHOOK_SECRET, WEBHOOK_EVENTS: "message.created" });
  const { ana, conversation } = await server.pair();
  const a = await connect(t, server, ana);
  const begin = performance.now();
  for (let number = 1; number <= 20; number++) assert.ok((await a.send(conversation, `${number}`)).success);
  assert.ok(performance.now() - begin < 10_000);
  for (const [name, receiver] of Object.entries(receivers)) {
    // A message is tried once in vain, 5 s pass, and then the next.
    const [first, again] = [await receiver.received("message.created", 1), await receiver.received("message.created", 2)];
    assert.deepEqual([first.data.message.seq, again.data.message.seq, again.id], [1, 1, first.id], name);
    assert.ok(receiver.events.every(({ path }) => path === "/hook"), "no redirect is followed");
  }
  await gone.received("message.created", 20);
  assert.equal(new Set(gone.events.map(({ id }) => id)).size, 20, "410 gives up at once");
  const { text: figures } = await server.request("GET", "/metrics");
  assert.match(figures, /horse_trust_webhooks_failed_total [1-9]/);
});

test("a certificate that is not trusted, or is another host's, is refused", async (t) => {
  const files = certificate(t);
  const tls = { key: readFileSync(files.key), cert: readFileSync(files.certificate) };
  const [receiver, other] = [await Receiver.start(t, { tls }), await Receiver.start(t, { tls })];
  // The certificate is one for localhost.
  const urls = `${receiver.url},https://127.0.0.1:${other.port}/hook`;
  const server = await Server.start(t, { WEBHOOK_URL: urls, WEBHOOK_SECRET, WEBHOOK_EVENTS: "message.created" });
  const refusals = () => (server.output.match(/its certificate is not accepted.*/g) ?? []).length;
  const { ana, conversation } = await server.pair();
  const a = await connect(t, server, ana);
  assert.ok((await a.send(conversation, "hello")).success);
  await eventually("both are refused", () => refusals() >= 2);
  await server.restart({ SSL_CERT_FILE: files.root });
  assert.equal((await receiver.received("message.created")).data.message.text, "hello");
  await eventually("the other host is refused again", () => refusals() >= 1);
  assert.deepEqual([receiver.events.length, other.events.length], [1, 0]);
});

test("an answer whose body has no end counts by its status", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = (response) => endless(response.writeHead(200), "x".repeat(10_000));
  const server = await Server.start(t, { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET, WEBHOOK_EVENTS: "message.created" });
  const { ana, conversation } = await server.pair();
  const a = await connect(t, server, ana);
  for (let number = 1; number <= 3; number++) await a.send(conversation, `${number}`);
  await receiver.received("message.created", 3);
  assert.deepEqual(receiver.events.map(({ data }) => data.message.seq), [1, 2, 3]);
});

test("what was given up is listed, and sent again by one command", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.answer = (response) => response.writeHead(410).end();
  const API_KEYS = "the-key-of-the-platform-for-webhooks";
  const server = await Server.start(t, { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET, WEBHOOK_EVENTS: "message.created", API_KEYS });
  const { ana, conversation } = await server.pair();
  const a = await connect(t, server, ana);
  for (let number = 1; number <= 3; number++) await a.send(conversation, `${number}`);
  await receiver.received("message.created", 3);
  // The receiver lives in this process, which waits for each command.
  const command = (...args) => {
    const { status, stdout, stderr } = run(temporaryFolder(t), ["webhooks", ...args], { API_URL: server.url, API_KEY: API_KEYS });
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  const [first] = await eventually("three are listed", () => {
    const lines = command("list").split("\n");
    return lines.length === 3 && lines;
  });
  const [id, type, , origin, attempts, , error] = first.split("\t");
  assert.deepEqual([id, type, origin, attempts, error], [receiver.events[0].id, "message.created", new URL(receiver.url).origin, "1", "410"]);
  assert.match(command("list", "--limit", "2"), /\nmore: --after \d+-\d+$/);
  receiver.answer = (response) => response.writeHead(204).end();
  assert.equal(command("retry", id), "1 to be sent again");
  await eventually("it is sent again", () => receiver.events.filter((event) => event.id === id).length === 2);
  assert.equal(command("retry"), "2 to be sent again");
  await receiver.received("message.created", 6);
  assert.equal(command("list"), "");
  assert.equal(command("retry"), "0 to be sent again");
  assert.deepEqual(receiver.events.slice(4).map(({ data }) => data.message.seq), [2, 3]);
  const { json } = await server.request("GET", "/api/admin/audit", { token: API_KEYS });
  assert.deepEqual(json.data.map(({ action, details }) => [action, details]), [["webhooks.retry", { retried: 2 }], ["webhooks.retry", { retried: 1 }]]);
});
