// Contract: "Configuration" and "Command line"; bad input at the start.
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { Client } from "../lib/client.js";
import { SECRET, Server, freePort, run, temporaryFolder } from "../lib/server.js";

/** The command ends with exit code 2 and one line that matches. */
function refused({ status, stderr }, pattern) {
  assert.equal(status, 2, stderr);
  assert.match(stderr, pattern);
  assert.equal(stderr.trim().split("\n").length, 1, stderr);
}

test("a bad start ends with one line that names the thing", async (t) => {
  const folder = temporaryFolder(t);
  const secret = { JWT_SECRET: SECRET };
  refused(run(folder, ["serve"]), /JWT_SECRET.*openssl rand/);
  refused(run(folder, ["serve"], { JWT_SECRET: "" }), /JWT_SECRET/);
  for (const [name, value] of [
    ["PORT", "abc"], ["PORT", "70000"], ["HOST", "a b"], ["JWT_EXPIRES_IN", "soon"], ["CORS_ORIGINS", "example.com"],
    ["DATABASE_URL", "mysql://x"], ["DATABASE_URL", "sqlite://"], ["DATABASE_URL", "data.db"], ["MESSAGE_RATE", "many"],
    ["LOG_FORMAT", "xml"], ["LOG", "a=b=c"], ["TRUSTED_PROXIES", "x"], ["MAX_CONNECTIONS", "0"],
    ["BASE_PATH", "chat"], ["BASE_PATH", "/a//b"], ["BASE_PATH", "/a/../b"], ["BASE_PATH", "/a b"], ["BASE_PATH", "https://example.com/chat"],
  ]) {
    refused(run(folder, ["serve"], { ...secret, [name]: value }), new RegExp(name));
  }
  refused(run(folder, ["serve", "--no-such-flag"], secret), /--no-such-flag/);
  refused(run(folder, ["serve"], { ...secret, DATABASE_URL: "sqlite:///proc/no/x.db" }), /\/proc\/no/);
  writeFileSync(join(folder, "text.db"), "this is no database, but long enough to look at".repeat(100));
  refused(run(folder, ["serve"], { ...secret, DATABASE_URL: "sqlite://text.db" }), /text\.db/);
  const busy = await Server.start(t);
  refused(run(folder, ["serve"], { ...secret, PORT: String(busy.port) }), new RegExp(`${busy.port}`));
  const second = { ...secret, PORT: String(await freePort()), DATABASE_URL: `sqlite://${busy.database}` };
  refused(run(folder, ["serve"], second), /horse-trust\.db: in use by another process/);
  refused(run(folder, ["import", "--users", "x"], second), /in use by another process/);
  writeFileSync(join(folder, ".env"), "JWT_SECRET='unclosed\n");
  refused(run(folder, ["serve"]), /\.env/);
  if (process.getuid() !== 0) {
    const locked = join(folder, "locked");
    mkdirSync(locked);
    chmodSync(locked, 0o500);
    refused(run(folder, ["serve"], { ...secret, DATABASE_URL: "sqlite://locked/x.db" }), /locked/);
  }
});

/** Seconds that a token is valid. */
function lifetime(token) {
  const { exp, iat } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  return exp - iat;
}

test("settings do what they say", async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, "made", "if absent.db");
  const server = await Server.start(t, { HOST: "127.0.0.2", DATABASE_URL: `sqlite://${file}`, JWT_EXPIRES_IN: "12h" });
  assert.ok(existsSync(file), "an absolute path has a third slash");
  await assert.rejects(fetch(`http://127.0.0.1:${server.port}/health`), "it listens at HOST alone");
  assert.equal(lifetime((await server.register()).token), 12 * 60 * 60);
  const byDefault = await Server.start(t);
  assert.ok(existsSync(byDefault.database));
  assert.equal(lifetime((await byDefault.register()).token), 7 * 24 * 60 * 60);
});

test("flag over environment over file", async (t) => {
  const folder = temporaryFolder(t);
  const life = (result) => lifetime(result.stdout);
  writeFileSync(join(folder, ".env"), `JWT_SECRET="${SECRET}"\nJWT_EXPIRES_IN=1h\n`);
  assert.equal(life(run(folder, ["token", "u"])), 3600);
  assert.equal(life(run(folder, ["token", "u"], { JWT_EXPIRES_IN: "2h" })), 7200);
  assert.equal(life(run(folder, ["token", "u", "--jwt-expires-in", "3h"], { JWT_EXPIRES_IN: "2h" })), 10_800);
  assert.equal(life(run(folder, ["token", "u", "--expires-in", "4h"])), 14_400);
});

test("help and version everywhere", (t) => {
  const folder = temporaryFolder(t);
  for (const args of [[], ["serve"], ["demo"], ["import"], ["token"]]) {
    const help = run(folder, [...args, "--help"]);
    assert.equal(help.status, 0);
    assert.match(help.stdout, /Usage: horse-trust/);
    const version = run(folder, [...args, "--version"]);
    assert.equal(version.status, 0);
    assert.match(version.stdout, /^horse-trust\S* \d+\.\d+\.\d+\n$/);
  }
});

test("token prints a token that connects", async (t) => {
  const server = await Server.start(t);
  const made = run(server.folder, ["token", "507f1f77bcf86cd799439011", "--role", "admin"], { JWT_SECRET: SECRET });
  assert.equal(made.status, 0);
  await Client.connect(t, server, { token: made.stdout.trim() });
  const env = { JWT_SECRET: SECRET };
  refused(run(server.folder, ["token", "a b"], env), /USER_ID.*a b/);
  refused(run(server.folder, ["token", "u", "--role", "king"], env), /--role.*king/);
  refused(run(server.folder, ["token", "u", "--expires-in", "soon"], env), /--expires-in.*soon/);
  refused(run(server.folder, ["token", "u"]), /JWT_SECRET/);
});

test("the demo prints what one needs to chat", async (t) => {
  const server = await Server.start(t, { JWT_SECRET: undefined }, { command: "demo" });
  const read = () => ({
    tokens: [...server.output.matchAll(/token\s+(\S+)/g)].map((match) => match[1]),
    conversation: server.output.match(/Conversation\s+(\S+)/)[1],
    logins: [...server.output.matchAll(/e-mail\s+(\S+)\n\s+password\s+(\S+)/g)].map(([, email, password]) => ({ email, password })),
  });
  const first = read();
  assert.match(server.output, new RegExp(`http://127.0.0.1:${server.port}`));
  const [a, b] = await Promise.all(first.tokens.map((token) => Client.connect(t, server, { token })));
  await b.ask("join_conversation", first.conversation);
  assert.equal((await a.send(first.conversation, "hello")).success, true);
  await b.received("new_message");
  for (const body of first.logins) assert.equal((await server.request("POST", "/api/auth/login", { body })).status, 200);
  assert.equal(first.logins.length, 2);
  await server.stop();
  await server.launch("demo");
  assert.equal(read().conversation, first.conversation);
  assert.equal((await server.history(first.tokens[0], first.conversation)).length, 1, "tokens and messages stay");
});
