// A user is erased: what is left, for whom, and in which bytes.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";

import { connect } from "../lib/client.js";
import { Postgres } from "../lib/cluster.js";
import { Server, eventually } from "../lib/server.js";

const KEY = "a-key-of-the-platform-in-the-tests";

async function start(t, settings) {
  const server = await Server.start(t, { API_KEYS: KEY, ...settings });
  const admin = (method, path, body) => server.request(method, `/api/admin${path}`, { token: KEY, body });
  const erase = (user, query = "") => admin("DELETE", `/users/${user.id}${query}`);
  return { server, admin, erase };
}

/** The names of the database's files in which one of these texts stands. */
function filesWith(server, texts) {
  const folder = dirname(server.database);
  return readdirSync(folder).flatMap((name) => {
    const bytes = readFileSync(join(folder, name));
    return texts.filter((text) => bytes.includes(text)).map((text) => `${name}: ${text}`);
  });
}

test("an erased user has no profile, no token and no connection; what was said stays, unless it is to go", async (t) => {
  const { server, admin, erase } = await start(t);
  const { ana, bruno, conversation } = await server.pair();
  await admin("PUT", `/users/${ana.id}`, { phone: "+34600000001", profile_picture_url: "https://example.com/ana.jpg" });
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  await a.ask("send_message", { conversation_id: conversation, text: "Is she sold?" });

  const { status, json } = await erase(ana);
  assert.equal(status, 200);
  const { created_at, ...left } = json.data;
  assert.equal(typeof created_at, "string");
  assert.deepEqual(left, { _id: ana.id, full_name: null, role: "seller", is_active: true, is_deleted: true });
  await eventually("the connection is closed", () => !a.socket.connected);
  await eventually("her token is void", async () => (await server.request("GET", "/api/chat/conversations", { token: ana.token })).status === 401);
  const update = await eventually("the other is notified", () => b.events.find(({ name, args }) => name === "user_updated" && args[0].is_deleted));
  assert.deepEqual([update.args[0]._id, update.args[0].full_name], [ana.id, null]);
  const login = await server.request("POST", "/api/auth/login", { body: { email: ana.email, password: "correct horse" } });
  assert.equal(login.status, 401);

  const { data: list } = (await server.request("GET", "/api/chat/conversations", { token: bruno.token })).json;
  const other = list[0].participants.find((participant) => participant._id === ana.id);
  assert.deepEqual([other.full_name, other.is_deleted, list[0].last_message.preview ?? list[0].last_message.text], [null, true, "Is she sold?"]);
  assert.deepEqual((await server.history(bruno.token, conversation)).map(({ text }) => text), ["Is she sold?"]);
  assert.deepEqual((await admin("GET", `/users?email=${ana.email}`)).json.data, []);
  assert.equal((await admin("GET", `/users/${ana.id}`)).json.data.is_deleted, true);
  const { data: [entry] } = (await admin("GET", "/audit?limit=1")).json;
  assert.deepEqual([entry.action, entry.target, entry.details], ["user.erase", ana.id, { messages: "keep" }]);
  assert.ok(!JSON.stringify((await admin("GET", "/audit?limit=100")).json).includes(ana.email));

  assert.equal((await erase(ana, "?messages=delete")).status, 200, "also later");
  assert.deepEqual((await b.received("message_deleted"))[0].conversation_id, conversation);
  assert.deepEqual((await server.history(bruno.token, conversation)).map(({ text }) => text).join(""), "");
  const made = await admin("PUT", `/users/${ana.id}`, { full_name: "Ana again" });
  assert.equal(made.status, 201);
  assert.ok(!("is_deleted" in made.json.data));
  assert.equal((await server.request("GET", "/api/chat/conversations", { token: ana.token })).status, 401, "as before");
});

test("whom nobody knows, and what cannot be asked for", async (t) => {
  const { server, admin, erase } = await start(t);
  const { ana, bruno } = await server.pair();
  assert.deepEqual((await erase({ id: "nobody" })).json, { success: false, message: "User not found" });
  assert.equal((await erase({ id: "system" })).status, 404);
  const refused = await erase(ana, "?messages=some");
  assert.deepEqual([refused.status, refused.json.errors[0].path], [422, "messages"]);
  assert.equal((await server.request("DELETE", `/api/admin/users/${ana.id}`, { token: bruno.token })).status, 403);
  assert.equal((await server.request("DELETE", `/api/admin/users/${ana.id}`)).status, 401);
  // Someone of the platform's without an account here.
  await admin("PUT", "/users/guest/suspension", { reason: "a reason that names her" });
  assert.equal((await erase({ id: "guest" })).status, 200);
  assert.equal((await admin("GET", "/users/guest")).json.data.suspension ?? null, null);
});

const MARKS = ["Zyx-name", "zyx-mail", "zyx-text", "zyx-edited", "zyx-withdrawn", "zyx-reason", "zyx-note", "zyx-custom", "zyx-key", "zyx-ban", "zyx-picture", "600000077"];

/** A user of whom there is something in every place; answers the messages of the other. */
async function leaveTraces(t, { server, admin }, messages) {
  const zyx = await server.register("Zyx-name");
  await admin("PUT", `/users/${zyx.id}`, { email: "zyx-mail@example.com", phone: "+34600000077", profile_picture_url: "https://example.com/zyx-picture.jpg" });
  const others = await Promise.all(["Ana", "Bruno", "Carla"].map((name) => server.register(name)));
  const client = await connect(t, server, zyx);
  const talks = await Promise.all(others.map(async (other) => {
    const opened = await server.request("POST", "/api/chat/conversations", { token: zyx.token, body: { recipient_id: other.id } });
    return { other, conversation: opened.json.data._id, client: await connect(t, server, other) };
  }));
  const sent = [];
  for (let n = 0; n < messages; n++) {
    const { conversation, client: otherClient } = talks[n % talks.length];
    const long = "long ".repeat(n % 7 === 0 ? 300 : n % 11);
    const asked = [client.ask("send_message", { conversation_id: conversation, text: `zyx-text ${n} ${long}`, client_id: `zyx-key-${n}` })];
    asked.push(otherClient.ask("send_message", { conversation_id: conversation, text: `answer ${n} ${"word ".repeat(n % 40)}` }));
    sent.push(asked);
    if (n % 20 === 19) await Promise.all(sent.flat());
  }
  const answers = await Promise.all(sent.map((asked) => asked[0]));
  const ids = answers.map((answer) => answer.data._id);
  for (const id of ids.slice(0, 6)) await client.ask("edit_message", { message_id: id, text: "zyx-edited" });
  for (const id of ids.slice(3, 9)) await client.ask("delete_message", id);
  const quoted = await talks[0].client.ask("send_message", { conversation_id: talks[0].conversation, text: "quoting", reply_to: ids[12] });
  assert.match(quoted.data.reply_to.text, /zyx-text/);
  const custom = { text: "zyx-withdrawn", sender_id: zyx.id, custom: { note: "zyx-custom" } };
  const posted = await admin("POST", `/conversations/${talks[1].conversation}/messages`, custom);
  assert.equal(posted.status, 201);
  await client.ask("delete_message", posted.json.data._id);
  await talks[0].client.ask("report_message", { message_id: ids[15], reason: "said zyx-text 15" });
  const answer = await talks[0].client.ask("send_message", { conversation_id: talks[0].conversation, text: "rude" });
  await client.ask("report_message", { message_id: answer.data._id, reason: "zyx-reason" });
  const { data: [report] } = (await admin("GET", "/reports")).json;
  await admin("PATCH", `/reports/${report._id}`, { state: "resolved", note: "zyx-note" });
  await admin("PUT", `/users/${zyx.id}/suspension`, { reason: "zyx-ban" });
  return { zyx, talks };
}

test("with the messages, all that was said is gone: texts, quotes, withdrawn ones, reports", async (t) => {
  const context = await start(t);
  const { server, admin, erase } = context;
  const { zyx, talks } = await leaveTraces(t, context, 60);
  assert.equal((await erase(zyx, "?messages=delete")).status, 200);
  const seen = [];
  for (const { other, conversation } of talks) {
    const history = await server.history(other.token, conversation);
    seen.push(history, (await admin("GET", `/conversations/${conversation}/messages`)).json);
    assert.ok(history.some(({ text }) => text.startsWith("answer")), "the other's own stay");
  }
  seen.push((await admin("GET", "/reports")).json, (await admin("GET", "/audit?limit=100")).json, (await admin("GET", `/users/${zyx.id}`)).json);
  for (const { other } of talks) {
    const { json } = await server.request("GET", "/api/chat/conversations", { token: other.token });
    assert.equal(json.data[0].unread_count, 0, "what is gone has not to be read");
    seen.push(json);
  }
  const text = JSON.stringify(seen);
  assert.deepEqual(MARKS.filter((mark) => text.includes(mark)), []);
});

test("no byte of it is left in the file or its log", { skip: process.env.TEST_POSTGRES && "of the SQLite file" }, async (t) => {
  const context = await start(t);
  const { server, erase } = context;
  const { zyx } = await leaveTraces(t, context, 3000);
  assert.notDeepEqual(filesWith(server, MARKS), []);
  assert.equal((await erase(zyx, "?messages=delete")).status, 200);
  assert.deepEqual(filesWith(server, MARKS), []);
  await server.stop();
  assert.deepEqual(filesWith(server, MARKS), []);
});

test("after a vacuum it is in no row of PostgreSQL, live or dead", { skip: process.env.TEST_POSTGRES && "has a PostgreSQL of its own" }, async (t) => {
  const postgres = await Postgres.start(t);
  const context = await start(t, { DATABASE_URL: postgres.database("erasure") });
  const { zyx } = await leaveTraces(t, context, 300);
  const query = (sql) => {
    const { status, stdout, stderr } = postgres.query(sql, "erasure");
    assert.equal(status, 0, stderr);
    return stdout;
  };
  query("CREATE EXTENSION pageinspect");
  const tables = query("SELECT relname FROM pg_class WHERE relkind IN ('r', 't') AND relnamespace IN ('public'::regnamespace, 'pg_toast'::regnamespace) AND relpages + pg_relation_size(oid) > 0").trim().split("\n");
  /** The marks that stand in a row of a page, also in one that is dead. */
  const left = () => tables.flatMap((table) => {
    const schema = table.startsWith("pg_toast") ? "pg_toast" : "public";
    const rows = query(`SELECT encode(i.t_data, 'hex') FROM generate_series(0, pg_relation_size('${schema}.${table}') / 8192 - 1) page, heap_page_items(get_raw_page('${schema}.${table}', page::int)) i`);
    return MARKS.filter((mark) => rows.includes(Buffer.from(mark).toString("hex"))).map((mark) => `${table}: ${mark}`);
  });
  assert.notDeepEqual(left(), []);
  assert.equal((await context.erase(zyx, "?messages=delete")).status, 200);
  query("VACUUM");
  assert.deepEqual(left(), []);
});

test("an erasure that a kill cuts off is finished after the next start", async (t) => {
  const context = await start(t);
  const { server, admin, erase } = context;
  const { zyx, talks } = await leaveTraces(t, context, 2000);
  const cut = erase(zyx, "?messages=delete").catch(() => "cut off");
  const isErasing = async () => (await admin("GET", `/users/${zyx.id}`)).json.data.is_deleted;
  await eventually("it has begun", isErasing);
  await eventually("some is erased", () => talks.some(({ client }) => client.events.some(({ name }) => name === "message_deleted")));
  await server.kill();
  assert.equal(await cut, "cut off");
  await server.launch();
  await eventually("all is erased", async () => {
    const histories = await Promise.all(talks.map(({ other, conversation }) => server.history(other.token, conversation)));
    return histories.every((history) => !JSON.stringify(history).includes("zyx"));
  });
  if (!process.env.TEST_POSTGRES) await eventually("no byte is left", () => filesWith(server, MARKS).length === 0);
});
