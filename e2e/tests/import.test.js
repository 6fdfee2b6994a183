// `horse-trust import`: what mongoexport wrote of the Mongoose application.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { Postgres } from "../lib/cluster.js";
import { Server, run, temporaryFolder, token } from "../lib/server.js";

const oid = (n) => n.toString(16).padStart(24, "0");
const date = (n) => new Date(1_700_000_000_000 + n * 1000).toISOString();
// bcrypt of "imported horse" with cost 4, as the Mongoose application stored it.
const BCRYPT = "$2b$04$kFu.HLznUF0UjCimWOGK8uKBn2PI7V.qrzc8gmfTwIL6U0a7qp4fa";

function collections() {
  const users = [1, 2, 3].map((n) => ({
    _id: { $oid: oid(n) }, email: `User${n}@Example.com`, password_hash: BCRYPT, role: n === 3 ? "admin" : "seller",
    full_name: `User ${n}`, phone: "+5491112345678", profile_picture_url: `https://img.example/${n}.jpg`,
    is_active: true, created_at: { $date: date(0) }, __v: 0,
  }));
  const conversations = [{
    _id: { $oid: oid(100) }, participants: [{ $oid: oid(1) }, { $oid: oid(2) }], horse_id: { $oid: oid(7) },
    last_message: { text: "m9", sender_id: { $oid: oid(2) }, sent_at: { $date: date(9) }, is_read: false },
    created_at: { $date: date(0) }, updated_at: { $date: date(9) },
  }];
  const messages = Array.from({ length: 10 }, (_, n) => ({
    _id: { $oid: oid(1000 + n) }, conversation_id: { $oid: oid(100) }, sender_id: { $oid: oid(1 + (n % 2)) },
    text: `m${n}`, is_read: n < 6, read_at: n < 6 ? { $date: date(n + 1) } : null, deleted_at: n === 4 ? { $date: date(20) } : null,
    sent_at: { $date: date(n) },
  }));
  // The order of a file says nothing.
  return { users, conversations, messages: messages.reverse() };
}

const canonical = (value) =>
  JSON.parse(JSON.stringify(value), (key, inner) => (key === "$date" ? { $numberLong: String(Date.parse(inner)) } : inner));

const WRITERS = {
  "JSON lines": (records) => records.map((record) => JSON.stringify(record)).join("\n"),
  "an array": (records) => `\ufeff[${records.map((record) => JSON.stringify(record, null, 1)).join(",\n")}]\n`,
  "canonical lines": (records) => records.map((record) => JSON.stringify(canonical(record))).join("\r\n") + "\r\n",
};

function write(folder, write, data) {
  const args = ["import"];
  for (const [name, records] of Object.entries(data)) {
    writeFileSync(join(folder, `${name}.json`), write(records));
    args.push(`--${name}`, `${name}.json`);
  }
  return args;
}

/** Where a store is, in settings. */
const STORES = {
  SQLite: async () => ({}),
  PostgreSQL: async (t) => ({ DATABASE_URL: (await Postgres.start(t)).database("chat") }),
};

for (const [[store, settingsOf], [form, writer]] of Object.entries(STORES).flatMap((store) => Object.entries(WRITERS).map((writer) => [store, writer]))) {
  test(`import of ${form} into ${store}; twice changes nothing`, async (t) => {
    const settings = await settingsOf(t);
    const folder = temporaryFolder(t);
    const args = write(folder, writer, collections());
    const first = run(folder, args, settings);
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stdout, /users: 3 imported, 0 already there/);
    assert.match(first.stdout, /messages: 10 imported, 0 already there/);
    const look = async () => {
      const server = await Server.start(t, settings, { folder });
      const busy = run(folder, args, settings);
      assert.equal(busy.status, 2);
      assert.match(busy.stderr, /in use by another process/);
      const bearer = token({ userId: oid(1), role: "seller" });
      const list = (await server.request("GET", "/api/chat/conversations", { token: bearer })).json;
      // Who has read up to where changes by what is looked at below.
      for (const conversation of list.data) delete conversation.participant_states;
      const unread = (await server.request("GET", "/api/chat/unread-count", { token: bearer })).json.unread_count;
      const history = await server.history(token({ userId: oid(2) }), oid(100));
      await server.stop();
      return { list, unread, history };
    };
    const seen = await look();
    const [conversation] = seen.list.data;
    assert.equal(conversation._id, oid(100));
    assert.equal(conversation.horse_id, oid(7));
    assert.equal(conversation.updated_at, date(9));
    assert.deepEqual(conversation.participants[1], { _id: oid(2), full_name: "User 2", profile_picture_url: "https://img.example/2.jpg" });
    assert.deepEqual(conversation.last_message, { text: "m9", sender_id: oid(2), sent_at: date(9), is_read: false });
    assert.equal(seen.unread, 2, "m7 and m9 of the other are not read");
    assert.deepEqual(seen.history.map((message) => message.text), [0, 1, 2, 3, 5, 6, 7, 8, 9].map((n) => `m${n}`), "by time, less the deleted");
    assert.deepEqual(seen.history.map((message) => message.is_read), [true, true, true, true, true, false, false, false, false]);
    assert.equal(seen.history[0]._id, oid(1000));
    assert.equal(seen.history[0].sent_at, date(0));
    const sender = { _id: oid(1), full_name: "User 1", profile_picture_url: "https://img.example/1.jpg" };
    assert.deepEqual(seen.history[0].sender_id, sender);
    const again = run(folder, args, settings);
    assert.match(again.stdout, /messages: 0 imported, 10 already there/);
    // Looking at the history has read what the other wrote to this user; nothing else has changed.
    assert.deepEqual((await look()).list.data, seen.list.data);
  });
}

test("a bad record is named, and nothing of its file stays", async (t) => {
  const folder = temporaryFolder(t);
  const data = collections();
  for (const [collection, change, pattern] of [
    ["users", (records) => (records[1].email = "USER1@example.com"), /users\.json:2: email: belongs to another user/],
    ["users", (records) => (records[2].role = "king"), /users\.json:3: role: neither seller nor admin/],
    ["users", (records) => delete records[1].email, /users\.json:2: email: missing/],
    ["conversations", (records) => records[0].participants.pop(), /conversations\.json:1: participants: not two ids/],
    ["messages", (records) => (records[5].sent_at = { $date: "soon" }), /messages\.json:6: sent_at: not a date/],
    ["messages", (records) => (records[5].text = 7), /messages\.json:6: text: not a text/],
    ["messages", (records) => (records[5].conversation_id = { $oid: oid(999) }), /messages\.json:6: conversation_id: no such conversation/],
    ["messages", (records) => (records[5].sender_id = { $oid: oid(3) }), /messages\.json:6: sender_id: takes no part/],
  ]) {
    const bad = structuredClone(data);
    change(bad[collection]);
    const result = run(folder, write(folder, WRITERS["JSON lines"], bad));
    assert.equal(result.status, 2, `${pattern}`);
    assert.match(result.stderr, pattern);
    assert.equal(result.stderr.trim().split("\n").length, 1, result.stderr);
  }
  const lines = WRITERS["JSON lines"](data.users).split("\n");
  writeFileSync(join(folder, "users.json"), [lines[0], "{not json", lines[2]].join("\n"));
  assert.match(run(folder, ["import", "--users", "users.json"]).stderr, /users\.json:2: not JSON/);
  assert.match(run(folder, ["import", "--users", "nowhere.json"]).stderr, /nowhere\.json/);
  const good = run(folder, write(folder, WRITERS["JSON lines"], data));
  assert.match(good.stdout, /messages: 10 imported, 0 already there/, "nothing of the bad files had stayed");
});

test("an imported bcrypt hash logs in, and is replaced", async (t) => {
  const folder = temporaryFolder(t);
  const args = write(folder, WRITERS["JSON lines"], { users: collections().users.slice(0, 1) });
  assert.equal(run(folder, args).status, 0);
  const server = await Server.start(t, {}, { folder });
  for (const password of ["wrong password", "imported horse", "imported horse"]) {
    const { status } = await server.request("POST", "/api/auth/login", { body: { email: "user1@example.com", password } });
    assert.equal(status, password === "imported horse" ? 200 : 401, password);
  }
});
