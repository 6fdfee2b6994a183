// What operators rely on: figures, readiness, an end that spreads its clients, ids in the log, and a backup.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";

import { Client } from "../lib/client.js";
import { Postgres, balance, cluster } from "../lib/cluster.js";
import { Writer } from "../lib/load.js";
import { SECRET, SLOWNESS, Server, eventually, run, temporaryFolder } from "../lib/server.js";

const WEBSOCKET = { transports: ["websocket"], reconnection: false };
const POLLING = { transports: ["polling"], reconnection: false };

/** The figures, by name and labels as they stand. */
async function figures(server, headers = {}) {
  const { status, text } = await server.request("GET", "/metrics", { headers });
  assert.equal(status, 200, text);
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const space = line.lastIndexOf(" ");
    return [line.slice(0, space), Number(line.slice(space + 1))];
  }));
}

const ready = async (server) => {
  const { status, json } = await server.request("GET", "/ready");
  return [status, json.status];
};

test("figures move when they should", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const a = await Client.connect(t, server, ana, WEBSOCKET);
  const b = await Client.connect(t, server, bruno, POLLING);
  for (let n = 0; n < 5; n++) assert.equal((await a.send(conversation, `private ${n}`)).success, true);
  const twice = { conversation_id: conversation, text: "once", client_id: "c1" };
  for (let n = 0; n < 2; n++) assert.equal((await a.ask("send_message", twice)).success, true);
  assert.equal((await a.send(conversation, "  ")).success, false);
  await server.request("GET", "/nowhere");
  await b.received("message_notification", 6);

  let now = await figures(server);
  const expected = {
    'horse_trust_sessions{transport="websocket"}': 1,
    'horse_trust_sessions{transport="polling"}': 1,
    horse_trust_sessions_opened_total: 2,
    horse_trust_messages_stored_total: 6,
    'horse_trust_store_seconds_count{operation="append_message"}': 7,
    'horse_trust_store_errors_total{operation="append_message"}': 0,
    horse_trust_acknowledgement_seconds_count: 7,
    'horse_trust_http_answers_total{status="404"}': 1,
    'horse_trust_http_answers_total{status="101"}': 1,
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(now.get(name), value, name);
  assert.ok(now.get("process_cpu_seconds_total") > 0);
  assert.ok(now.get("process_resident_memory_bytes") > 1e6);
  assert.ok(!now.has("horse_trust_bus_connected"), "a server alone has no bus");
  const { text } = await server.request("GET", "/metrics");
  for (const secret of [ana.id, bruno.id, ana.email, conversation, "private", a.socket.id]) {
    assert.ok(!text.includes(secret), `${secret} is in the figures`);
  }

  a.socket.disconnect();
  const closed = await eventually("the end is counted", async () => {
    now = await figures(server);
    return now.get('horse_trust_sessions{transport="websocket"}') === 0;
  });
  assert.ok(closed);
  const ends = [...now].filter(([name, count]) => name.startsWith("horse_trust_sessions_closed_total") && count > 0);
  assert.deepEqual(ends.map(([, count]) => count), [1]);
});

test("bytes that wait are seen, and gone when they are taken", async (t) => {
  const server = await Server.start(t, { OUTBOX_BYTES: String(100_000_000) });
  const { ana, bruno, conversation } = await server.pair();
  const a = await Client.connect(t, server, ana, WEBSOCKET);
  const slow = await Client.connect(t, server, bruno, WEBSOCKET);
  await slow.ask("join_conversation", conversation);
  const { ws } = slow.socket.io.engine.transport;
  ws.pause();
  await Promise.all(Array.from({ length: 2_500 }, () => a.send(conversation, "馬".repeat(2_000))));
  const waiting = async (name = "horse_trust_outbox_bytes") => (await figures(server)).get(name);
  assert.ok((await waiting()) > 1_000_000);
  assert.ok((await waiting("horse_trust_outbox_bytes_most")) > 1_000_000);
  ws.resume();
  await eventually("all is taken", async () => (await waiting()) === 0);
});

test("a store that fails is counted, and the server is not ready", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  const a = await Client.connect(t, server, ana);
  assert.deepEqual(await ready(server), [200, "ok"]);
  server.limitFiles(0);
  assert.equal((await a.send(conversation, "lost")).success, false);
  assert.deepEqual(await ready(server), [503, "store"]);
  assert.equal((await server.request("GET", "/health")).status, 200, "the process itself is well");
  const now = await figures(server);
  assert.equal(now.get('horse_trust_store_errors_total{operation="append_message"}'), 1);
  assert.equal(now.get("horse_trust_messages_stored_total"), 0);
  assert.equal(now.get("horse_trust_acknowledgement_seconds_count"), 0);
  server.limitFiles("unlimited");
  assert.deepEqual(await ready(server), [200, "ok"]);
});

test("figures are for this machine, or for who has the token", async (t) => {
  const alone = await Server.start(t);
  const status = async (server, headers = {}) => (await server.request("GET", "/metrics", { headers })).status;
  assert.equal(await status(alone), 200);
  assert.equal(await status(alone, { "x-forwarded-for": "127.0.0.1" }), 404, "it came by a proxy");
  const token = "a token of 16 characters and more";
  const open = await Server.start(t, { METRICS_TOKEN: token });
  assert.equal(await status(open), 404);
  assert.equal(await status(open, { authorization: `Bearer ${token.replace("16", "17")}` }), 404);
  assert.equal(await status(open, { authorization: `Bearer ${token.slice(0, -1)}` }), 404);
  assert.equal(await status(open, { authorization: `Bearer ${token}`, "x-forwarded-for": "1.2.3.4" }), 200);
  const { status: code, stderr } = run(temporaryFolder(t), ["serve"], { JWT_SECRET: SECRET, METRICS_TOKEN: "short" });
  assert.equal(code, 2);
  assert.match(stderr, /METRICS_TOKEN: at least 16 characters/);
  assert.ok(!stderr.includes("short"));
});

test("every request has an id in its answer and in the log, every connection its own", async (t) => {
  const server = await Server.start(t, { LOG: undefined, LOG_FORMAT: "json" });
  const { ana, conversation } = await server.pair();
  const path = `/api/chat/conversations/${conversation}/messages`;
  const given = await server.request("GET", `${path}?limit=7`, { token: ana.token, headers: { "x-request-id": "given-1" } });
  assert.equal(given.headers.get("x-request-id"), "given-1");
  const made = await server.request("GET", "/api/auth/me");
  assert.equal(made.status, 401);
  assert.match(made.headers.get("x-request-id"), /^[0-9a-f]{16}$/);
  const hostile = await server.request("GET", "/api/auth/me", { headers: { "x-request-id": 'a"b {}' } });
  assert.match(hostile.headers.get("x-request-id"), /^[0-9a-f]{16}$/);

  const client = await Client.connect(t, server, ana, WEBSOCKET);
  const sid = client.socket.io.engine.id;
  client.socket.disconnect();
  const lines = () => server.output.trim().split("\n").map((line) => JSON.parse(line));
  await eventually("the end is in the log", () => server.output.includes("socket disconnected"));

  const of = (id) => lines().filter((line) => line.span?.id === id);
  const [line] = of("given-1").filter(({ fields }) => fields.message === "request");
  assert.deepEqual([line.fields.method, line.fields.path, line.fields.status], ["GET", path, 200]);
  assert.ok(line.fields.milliseconds > 0);
  assert.equal(of(made.headers.get("x-request-id"))[0].fields.status, 401);
  // The id itself is a credential; its lines share a hash of it.
  assert.ok(!server.output.includes(sid));
  const connection = lines().filter(({ span }) => span?.name === "connection");
  assert.equal(new Set(connection.map(({ span }) => span.sid)).size, 1);
  assert.deepEqual(connection.map(({ fields }) => fields.message), ["socket connected", "socket disconnected"]);
  assert.ok(!server.output.includes("limit=7") && !server.output.includes(ana.token));
});

test("while it drains it is not ready, and serves on for its delay", async (t) => {
  const server = await Server.start(t, { DRAIN_DELAY: "5s", DRAIN_TIME: "0s" });
  const { ana, conversation } = await server.pair();
  const client = await Client.connect(t, server, ana, WEBSOCKET);
  const stopping = server.stop();
  await eventually("it is not ready", async () => (await ready(server))[0] === 503);
  assert.deepEqual(await ready(server), [503, "draining"]);
  assert.equal((await server.request("GET", "/health")).status, 200);
  assert.equal((await client.send(conversation, "still here")).success, true);
  const late = await Client.connect(t, server, ana, WEBSOCKET);
  assert.equal((await late.send(conversation, "and here")).success, true);
  const { code, milliseconds } = await stopping;
  assert.equal(code, 0, server.output);
  assert.ok(milliseconds >= 5_000 && milliseconds < 10_000 * SLOWNESS, `took ${milliseconds} ms`);
});

test("at the end clients are sent away one after another, and nothing of theirs is lost", async (t) => {
  const server = await Server.start(t, { DRAIN_TIME: "3s" });
  const { ana, conversation } = await server.pair();
  const count = 150;
  const options = (n) => (n % 3 === 0 ? POLLING : WEBSOCKET);
  const clients = await Promise.all(Array.from({ length: count }, (_, n) => Client.connect(t, server, ana, options(n))));
  const acknowledged = [];
  for (const [n, { socket }] of clients.entries()) {
    const write = (m) => socket.connected && socket.emit("send_message", { conversation_id: conversation, text: `${n} ${m}` }, (ack) => {
      acknowledged.push(ack.data._id);
      setTimeout(write, 300, m + 1);
    });
    write(0);
  }
  await eventually("all write", () => acknowledged.length > count);
  const begin = performance.now();
  const gone = clients.map(async (client) => {
    const reason = await client.disconnected();
    assert.match(reason, /^transport/, "a reason after which clients come back");
    return performance.now() - begin;
  });
  const stopping = server.stop();
  const times = (await Promise.all(gone)).toSorted((x, y) => x - y);
  const { code, milliseconds } = await stopping;
  assert.equal(code, 0, server.output);
  assert.ok(milliseconds < 10_000 * SLOWNESS, `took ${milliseconds} ms`);
  // A slow machine may be late with some, never early with many.
  for (const [n, time] of times.entries()) {
    assert.ok(time >= (3_000 * n) / count - 200, `${n} were gone after ${time} ms`);
  }
  await server.launch();
  const stored = new Set((await server.history(ana.token, conversation)).map((message) => message._id));
  assert.ok(acknowledged.every((id) => stored.has(id)));
  assert.equal(stored.size, acknowledged.length, "nothing stored was left without its acknowledgement");
});

test("session ids begin with the node's name, over every transport", async (t) => {
  const server = await Server.start(t, { NODE: "a1" });
  const { ana, conversation } = await server.pair();
  for (const options of [WEBSOCKET, POLLING, {}]) {
    const client = await Client.connect(t, server, ana, options);
    assert.match(client.socket.io.engine.id, /^a1-/);
    if (!options.transports) await client.upgraded();
    assert.equal((await client.send(conversation, "hello")).success, true);
  }
  const { status, stderr } = run(temporaryFolder(t), ["serve"], { JWT_SECRET: SECRET, NODE: "A-1" });
  assert.equal(status, 2);
  assert.match(stderr, /NODE: "A-1" is not a name/);
});

/** A server that is written to without a pause while `backUp` is called; then it is gone, and `restore` starts one from the backup. */
async function chatsOn(t, server, backUp, restore) {
  const { ana, bruno, conversation } = await server.pair();
  const client = await Client.connect(t, server, ana, WEBSOCKET);
  const writer = new Writer(conversation);
  writer.start(client);
  await writer.more(200);
  const before = writer.acknowledged.slice();
  backUp();
  await writer.more(100);
  await server.kill();

  const restored = await restore();
  const login = await restored.request("POST", "/api/auth/login", { body: { email: bruno.email, password: "correct horse" } });
  assert.equal(login.status, 200, login.text);
  const history = await restored.history(ana.token, conversation);
  const ids = history.map((message) => message._id);
  for (const message of before) assert.ok(ids.includes(message._id), "what was acknowledged before the backup is in it");
  assert.deepEqual(history.map((message) => message.seq), history.map((_, at) => at + 1), "counted without holes");
  const a = await Client.connect(t, restored, ana, WEBSOCKET);
  const b = await Client.connect(t, restored, { token: login.json.token }, WEBSOCKET);
  await b.ask("join_conversation", conversation);
  const ack = await a.send(conversation, "as if nothing had been");
  assert.equal(ack.data.seq, history.length + 1);
  assert.deepEqual((await b.received("new_message"))[0], ack.data);
}

/** Runs a program to its end, which has to be a good one. */
function succeed(program, ...args) {
  const { status, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  assert.equal(status, 0, `${program}: ${error ?? stderr}`);
}

test("a backup of SQLite that was made under load chats on in an empty system", async (t) => {
  const server = await Server.start(t);
  const folder = temporaryFolder(t);
  const copy = join(folder, "data", "horse-trust.db");
  mkdirSync(dirname(copy));
  // What `sqlite3 data/horse-trust.db ".backup …"` does, by the Python that the tests have anyway.
  const backup = "import sqlite3, sys; s, d = map(sqlite3.connect, sys.argv[1:]); s.backup(d); d.close()";
  await chatsOn(t, server, () => succeed("python3", "-c", backup, server.database, copy), () => Server.start(t, {}, { folder }));
});

test("a dump of PostgreSQL that was made under load chats on in an empty one", async (t) => {
  const [postgres, empty] = [await Postgres.start(t), await Postgres.start(t)];
  const [full, restored] = [postgres.database("chat"), empty.database("chat")];
  const server = await Server.start(t, { DATABASE_URL: full });
  const dump = join(temporaryFolder(t), "backup.dump");
  const backUp = () => succeed(postgres.program("pg_dump"), "--format=custom", `--file=${dump}`, full);
  await chatsOn(t, server, backUp, () => {
    succeed(empty.program("pg_restore"), "--exit-on-error", "--no-owner", `--dbname=${restored}`, dump);
    return Server.start(t, { DATABASE_URL: restored });
  });
});

test("nginx brings each request of a polling session to its node, and new clients to those that do not drain", async (t) => {
  const nodes = await Promise.all(["a", "b"].map((NODE) =>
    Server.start(t, { NODE, LOG: "error", TRUSTED_PROXIES: "127.0.0.1", DRAIN_TIME: "1s" })));
  const balancer = await balance(t, nodes);
  const user = await nodes[0].register();
  const connect = (options) => Client.connect(t, balancer, user, options);
  const clients = await Promise.all(Array.from({ length: 12 }, (_, n) => connect(n % 3 ? { transports: ["polling"] } : {})));
  await Promise.all(clients.map(async (client) => {
    for (let n = 0; n < 5; n++) await client.settle();
  }));
  const on = (node) => clients.filter(({ socket }) => socket.io.engine.id.startsWith(`${node}-`)).length;
  assert.ok(on("a") > 0 && on("b") > 0, "both nodes have some");
  for (const path of ["/metrics", "/ready"]) {
    assert.equal((await fetch(balancer.url + path)).status, 404, `${path} is not for the world`);
  }
  assert.equal((await fetch(`${balancer.url}/health`)).status, 200);

  const failures = [];
  for (const { socket } of clients) socket.on("connect_error", (error) => failures.push(error.message));
  const { code } = await nodes[0].stop();
  assert.equal(code, 0);
  await eventually("all are on the other node", () => clients.every(({ socket }) => socket.connected) && on("b") === clients.length);
  assert.deepEqual(failures, [], "nobody was refused meanwhile");
  await Promise.all(clients.map((client) => client.settle()));
});

test("a node is ready without Redis, which would take all nodes out, but not without PostgreSQL", async (t) => {
  const { postgres, redis, nodes: [node] } = await cluster(t, 1, { LOG: "error" });
  const { ana, conversation } = await node.pair();
  const client = await Client.connect(t, node, ana, WEBSOCKET);
  assert.deepEqual(await ready(node), [200, "ok"]);
  await redis.stop();
  assert.deepEqual(await ready(node), [200, "ok"]);
  assert.equal((await client.send(conversation, "without Redis")).success, true);
  await postgres.stop();
  assert.deepEqual(await ready(node), [503, "store"]);
  assert.equal((await client.send(conversation, "lost")).success, false);
  assert.equal((await node.request("GET", "/health")).status, 200);
  const now = await figures(node);
  // Without Redis less is remembered, so that a look-up may be what fails.
  const failed = [...now].filter(([name, count]) => name.startsWith("horse_trust_store_errors_total") && !name.includes("ping") && count > 0);
  assert.ok(failed.length > 0);
  assert.equal(now.get("horse_trust_messages_stored_total"), 1);
  await postgres.launch();
  await eventually("it is ready again", async () => (await ready(node))[0] === 200);
  await eventually("it stores again", async () => (await client.send(conversation, "back")).success);
});

test("the figures of the bus", async (t) => {
  const { redis, nodes: [first, second] } = await cluster(t, 2, { LOG: "error" });
  const { ana, bruno, conversation } = await first.pair();
  const a = await Client.connect(t, first, ana, WEBSOCKET);
  const b = await Client.connect(t, second, bruno, WEBSOCKET);
  await b.ask("join_conversation", conversation);
  const bus = async (node, name) => (await figures(node)).get(`horse_trust_bus_${name}`);
  assert.equal((await a.send(conversation, "by Redis")).success, true);
  await b.received("new_message", 1);
  assert.ok((await bus(first, "publish_seconds_count")) > 0);
  assert.ok((await bus(second, "received_total")) > 0);
  assert.equal(await bus(second, "connected"), 1);
  const healed = await bus(second, "healed_total");
  await redis.stop();
  await eventually("it receives nothing", async () => (await bus(second, "connected")) === 0);
  assert.equal((await a.send(conversation, "by the store")).success, true);
  await redis.launch();
  await b.received("new_message", 2);
  await eventually("it receives again", async () => (await bus(second, "connected")) === 1);
  assert.ok((await bus(second, "healed_total")) > healed);
});
