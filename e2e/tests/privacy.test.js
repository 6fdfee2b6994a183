// The log at LOG=trace over a run of everything: nothing that people wrote, and nothing that lets somebody in.
import assert from "node:assert/strict";
import test from "node:test";

import { Client } from "../lib/client.js";
import { Postgres, Redis } from "../lib/cluster.js";
import { duplicateKey } from "../lib/lines.js";
import { SECRET, Server, token } from "../lib/server.js";

let number = 0;
/** A word that is nowhere else. */
const word = (what) => `zq${what}${(number++).toString(36)}${Math.random().toString(36).slice(2, 10)}`;

/** A polling session made by hand; answers its sid and what the CONNECT was answered. */
async function poll(server, userToken) {
  const base = `${server.url}/socket.io/?EIO=4&transport=polling`;
  const opened = JSON.parse((await (await fetch(base)).text()).slice(1));
  const url = `${base}&sid=${opened.sid}`;
  const post = (body) => fetch(url, { method: "POST", body });
  await post(`40${JSON.stringify({ token: userToken, recovery: true })}`);
  const answer = await (await fetch(url)).text();
  await post(`4this is no packet ${userToken}`);
  return { sid: opened.sid, ...JSON.parse(answer.slice(answer.indexOf("{"))) };
}

/** Uses whatever takes something, rightly and wrongly; answers everything that was sent or given, which is private. */
async function useEverything(t, server, other = server) {
  const secrets = [SECRET];
  const secret = (what) => (secrets.push(word(what)), secrets.at(-1));
  const account = async () => {
    const name = secret("name");
    const [email, password] = [`${name}@${secret("mail")}.example`, secret("password")];
    const body = { email, password, full_name: name, phone: `+54${String(Math.random()).slice(2, 12)}` };
    const { json } = await server.request("POST", "/api/auth/register", { body });
    const login = await server.request("POST", "/api/auth/login", { body: { email, password } });
    secrets.push(email, body.phone, json.token, login.json.token);
    return { id: json.user.id, token: login.json.token, email, password, body };
  };
  const [ana, bruno] = [await account(), await account()];
  // Refused: an e-mail that is taken, a wrong password, an unknown e-mail, bodies that are no JSON.
  await server.request("POST", "/api/auth/register", { body: { ...ana.body, password: secret("again") } });
  await server.request("POST", "/api/auth/register", { body: { email: secret("bademail"), full_name: secret("nul") + "\0", password: "1" } });
  await server.request("POST", "/api/auth/login", { body: { email: ana.email, password: secret("wrong") } });
  await server.request("POST", "/api/auth/login", { body: { email: `${secret("unknown")}@example.com`, password: secret("wrong") } });
  for (const raw of [`{"email":"${secret("broken")}`, `"${secret("string")}"`, `{"${secret("field")}":{}}`]) {
    await server.request("POST", "/api/auth/login", { raw, headers: { "content-type": "application/json" } });
  }
  // Tokens that do not verify, in each place that takes one.
  const claims = { userId: ana.id, note: word("claim") };
  const bad = [
    token(claims, { secret: "another" }),
    token(claims, { header: { alg: "none", kid: word("kid") } }),
    token({ userId: word("user") + " " }),
    token({ ...claims, exp: 1 }),
    secret("garbage"),
    `a.b.${secret("garbage")}`,
  ];
  secrets.push(...bad, ana.token.split(".")[2]);
  for (const text of bad) {
    await server.request("GET", "/api/auth/me", { token: text });
    await server.request("GET", `/api/auth/me?token=${text}`);
    await new Client(t, server, { token: text }, { reconnection: false }).refused();
  }
  const opened = await server.request("POST", "/api/chat/conversations", { token: ana.token, body: { recipient_id: bruno.id } });
  const conversation = opened.json.data._id;
  const options = [{ auth: { token: ana.token, recovery: true } }, { auth: { token: ana.token }, transports: ["polling"] }];
  const clients = [];
  for (const { auth, ...rest } of options) {
    const client = new Client(t, server, auth, rest);
    await client.connected();
    clients.push(client);
  }
  clients.push(await Client.connect(t, other, bruno));
  const [client, polling, theirs] = clients;
  for (const one of clients) secrets.push(one.socket.id, one.socket.io.engine.id, ...[one.socket._pid].filter(Boolean));
  const { sid, pid, ...session } = await poll(server, ana.token);
  secrets.push(sid, pid, session.sid);
  for (const one of [client, theirs]) await one.ask("join_conversation", conversation);
  const sent = [];
  for (const one of [client, polling, theirs]) {
    const { data } = await one.ask("send_message", { conversation_id: conversation, text: secret("text"), client_id: secret("clientid") });
    sent.push(data);
  }
  await client.ask("send_message", { conversation_id: conversation, text: `${secret("nultext")}\0` });
  await client.ask("send_message", { conversation_id: conversation, text: secret("long").repeat(200) });
  await client.ask("send_message", secret("payload"));
  await client.ask(secret("event"), secret("argument"));
  await client.ask("edit_message", { message_id: sent[0]._id, text: secret("edited") });
  await client.ask("delete_message", { message_id: sent[1]._id });
  await theirs.ask("report_message", { message_id: sent[0]._id, reason: secret("reason") });
  await client.ask("typing", conversation);
  await client.ask("mark_read", { conversation_id: conversation });
  await client.ask("fetch_messages", { conversation_id: conversation });
  await client.ask("search_messages", { query: secret("search") });
  await client.ask("refresh_token", { token: bad[0] });
  await client.ask("refresh_token", { token: ana.token });
  await client.ask("block_user", { user_id: bruno.id });
  await theirs.send(conversation, secret("blocked"));
  await client.ask("unblock_user", { user_id: bruno.id });
  const path = `/api/chat/conversations/${conversation}/messages`;
  await server.request("POST", path, { token: ana.token, body: { text: secret("posted"), client_id: secret("clientid") } });
  await server.request("POST", path, { token: ana.token, raw: `{"text":"${secret("brokentext")}`, headers: { "content-type": "application/json" } });
  await server.request("POST", "/api/chat/reports", { token: bruno.token, body: { message_id: sent[0]._id, reason: secret("reason") } });
  await server.request("GET", `${path}?token=${secret("query")}`, { token: ana.token });
  await server.request("GET", `/api/chat/search?query=${secret("search")}`, { token: ana.token });
  await server.request("GET", `/api/chat/users?email=${encodeURIComponent(ana.email)}`, { token: bruno.token });
  // What is caught up on, and what is recovered.
  const away = await Client.connect(t, other, bruno, { auth: { token: bruno.token, serverOffset: 0 } });
  secrets.push(away.socket.id, away.socket.io.engine.id);
  client.socket.io.engine.close();
  await client.connected();
  secrets.push(client.socket.id, client.socket.io.engine.id);
  const signedOut = await server.request("POST", "/api/auth/login", { body: { email: ana.email, password: "correct horse" } });
  secrets.push(signedOut.json.token);
  await server.request("POST", "/api/auth/logout", { token: signedOut.json.token });
  await server.request("POST", "/api/auth/logout-everywhere", { token: ana.token });
  await server.request("GET", "/api/auth/me", { token: ana.token });
  return secrets;
}

function assertPrivate(output, secrets) {
  assert.match(output, /TRACE|DEBUG/, "the filter is heeded");
  for (const secret of secrets) {
    const at = output.indexOf(secret);
    assert.ok(at < 0, `in the log: ${secret}: ${output.slice(Math.max(0, at - 200), at + 100)}`);
  }
  for (const hash of [/\$argon2/, /\$2[aby]\$/]) assert.doesNotMatch(output, hash);
}

test("SQLite, LOG=trace: nothing private, and no key of a JSON line is there twice", async (t) => {
  const server = await Server.start(t, { LOG: "trace", LOG_FORMAT: "json" });
  const secrets = await useEverything(t, server);
  await server.stop();
  assertPrivate(server.output, secrets);
  const lines = server.output.trim().split("\n");
  for (const line of lines) assert.equal(duplicateKey(line), undefined, line);
  assert.ok(lines.some((line) => line.includes("a message was reported")), "a report was made");
});

test("PostgreSQL and Redis, two nodes, LOG=trace: nothing private", async (t) => {
  const [postgres, redis] = await Promise.all([Postgres.start(t), Redis.start(t)]);
  const url = new URL(postgres.database("chat"));
  // Anything goes as a password here; the log must not have it.
  url.password = word("dbpassword");
  const settings = { DATABASE_URL: url.href, ...redis.settings, LOG: "trace,tokio_postgres=trace,redis=trace" };
  const nodes = [await Server.start(t, settings), await Server.start(t, { ...settings, LOG_FORMAT: "json" })];
  const secrets = await useEverything(t, ...nodes);
  for (const node of nodes) await node.stop();
  for (const node of nodes) assertPrivate(node.output, [...secrets, url.password]);
  for (const line of nodes[1].output.trim().split("\n")) assert.equal(duplicateKey(line), undefined, line);
});

test("an id of a session names it in the log by a hash that its lines share", async (t) => {
  const server = await Server.start(t, { LOG: "trace", LOG_FORMAT: "json" });
  const { ana } = await server.pair();
  const client = await Client.connect(t, server, ana, { transports: ["polling"] });
  const { id } = client.socket.io.engine;
  await client.ask("send_message", "not an object");
  await client.ask("join_conversation", "unknown");
  client.socket.disconnect();
  await server.stop();
  assert.ok(!server.output.includes(id));
  const lines = server.output.trim().split("\n").map((line) => JSON.parse(line));
  const sessions = new Set(lines.flatMap(({ span, fields }) => span?.sid ?? fields?.sid ?? []));
  assert.equal(sessions.size, 1, JSON.stringify([...sessions]));
  assert.match([...sessions][0], /^[0-9a-f]{16}$/);
});

test("keys that are there twice are found", () => {
  assert.equal(duplicateKey('{"a":1,"b":{"a":"\\"a\\":","c":[{"a":1},{"a":2}]}}'), undefined);
  assert.equal(duplicateKey('{"a":1,"b":{"c":1,"c":2}}'), "b.c");
  assert.equal(duplicateKey('{"a":[{"x":{}},1],"a":2}'), "a");
});
