// docs/integration.md: every command of the page is run, in the order of the page, and every answer compared.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "node:test";

import { Placeholders, Shell, blocksOf, jsonValues } from "../lib/page.js";
import { BINARY, SECRET, Server, eventually, freePort, temporaryFolder } from "../lib/server.js";

const path = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const oid = (text) => ({ $oid: text.padEnd(24, "0") });
const user = (digit) => ({ $oid: `65a00000000000000000000${digit}` });
const date = (day) => ({ $date: `2024-01-${day}T10:30:00.000Z` });

const CONVERSATION = { $oid: "65c000000000000000000001" };

/** What the page's platform has in its MongoDB. */
const COLLECTIONS = {
  users: [
    { _id: user(1), email: "lucia@example.com", full_name: "Lucía Fernández", role: "seller", __v: 0 },
    { _id: user(2), email: "bruno@example.com", full_name: "Bruno Díaz", role: "seller", __v: 0 },
  ],
  conversations: [{ _id: CONVERSATION, participants: [user(1), user(2)], created_at: date(15), updated_at: date(16) }],
  messages: [
    { _id: oid("65f1"), conversation_id: CONVERSATION, sender_id: user(2), text: "Is the foal for sale?", is_read: true, sent_at: date(15) },
    { _id: oid("65f2"), conversation_id: CONVERSATION, sender_id: user(1), text: "Not yet.", is_read: false, sent_at: date(16) },
  ],
};

// In place of the program of this name, which needs a MongoDB: its arguments are --uri U --collection C --out F.
const PREAMBLE = `
horse-trust() { "$BINARY" "$@"; }
mongoexport() { cp "exported/$4" "$6"; }
`;

test("the commands of docs/integration.md", async (t) => {
  const folder = temporaryFolder(t);
  symlinkSync(path("examples/express/node_modules"), join(folder, "node_modules"));
  const shell = new Shell(t, folder, { BINARY, JWT_SECRET: SECRET, MONGODB_URI: "mongodb://127.0.0.1/shop" }, PREAMBLE);
  await shell.run("mkdir exported");
  for (const [name, records] of Object.entries(COLLECTIONS)) {
    writeFileSync(join(folder, "exported", name), records.map((record) => JSON.stringify(record)).join("\n"));
  }
  const placeholders = new Placeholders();
  const receiver = { port: await freePort(), printed: "" };
  let came = "";

  /** Starts the server in the folder of the page's `.env`, which sets all but what differs in a test. */
  let server;
  async function startServer() {
    await server?.stop();
    const settings = { JWT_SECRET: undefined, UNSEEN_AFTER: "1s", WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/webhooks/chat` };
    server = await Server.start(t, settings, { folder });
    return server;
  }

  function startReceiver(script) {
    writeFileSync(join(folder, "receiver.mjs"), script);
    const [, WEBHOOK_SECRET] = readFileSync(join(folder, ".env"), "utf8").match(/^WEBHOOK_SECRET=(.*)$/m);
    const child = spawn(process.execPath, ["receiver.mjs"], { cwd: folder, env: { ...process.env, WEBHOOK_SECRET, PORT: `${receiver.port}` }, stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill());
    child.stdout.setEncoding("utf8").on("data", (text) => (receiver.printed += text));
  }

  const actions = {
    async sh(text) {
      const address = text.startsWith("CHAT=") && (await startServer()).url;
      came = await shell.run(placeholders.fill(address ? text.replace("http://127.0.0.1:3000", address) : text));
    },
    json(text) {
      const [written, answers] = [jsonValues(text), jsonValues(came)];
      assert.equal(placeholders.difference(written, answers), undefined, came);
    },
    async text(text) {
      if (text.startsWith("E-mail to ")) await eventually(text, () => receiver.printed.includes(text));
      else assert.equal(came, text);
    },
    js(text) {
      if (text.includes("express")) startReceiver(text);
      else writeFileSync(join(folder, "token.mjs"), text);
    },
  };
  const sections = new Set();
  for (const { section, language, text } of blocksOf(readFileSync(path("docs/integration.md"), "utf8"))) {
    sections.add(section);
    await t.test(`${section}: ${text.split("\n")[0]}`, () => actions[language](text));
  }
  assert.ok(sections.has("Types"), "read to its end");
});

test("docs/integration.md names every field that an import reads", () => {
  const page = readFileSync(path("docs/integration.md"), "utf8");
  const [, fields] = readFileSync(path("crates/horse-trust/src/import/records.rs"), "utf8").match(/FIELDS: &\[&str\] = &\[([^]*?)\];/);
  const names = [...fields.matchAll(/"(\w+)"/g)].map(([, name]) => name);
  assert.ok(names.includes("sent_at"));
  assert.deepEqual(names.filter((name) => !page.includes(`\`${name}\``)), []);
});

test("an answer that is not the page's is seen", () => {
  const placeholders = new Placeholders();
  const [id, other] = ["65c000000000000000000001", "0123456789abcdef01234567"];
  assert.equal(placeholders.difference({ a: [{ _id: id }], at: "2026-01-15T10:30:00.000Z" }, { a: [{ _id: other, more: 1 }], at: "2030-01-15T10:30:00.000Z" }), undefined);
  assert.equal(placeholders.fill(`/conversations/${id}`), `/conversations/${other}`);
  for (const [written, answer] of [[{ a: 1 }, {}], [{ _id: id }, { _id: "f".repeat(24) }], [[1], [1, 2]], ["eyJ…", "abc"], [{}, []], [null, {}]]) {
    assert.ok(placeholders.difference(written, answer), JSON.stringify([written, answer]));
  }
  assert.deepEqual(jsonValues('{"a":1}{"b":\n2}\n{"c":{}}'), [{ a: 1 }, { b: 2 }, { c: {} }]);
});
