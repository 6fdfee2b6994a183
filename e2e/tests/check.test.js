// `horse-trust check`: what is wrong with the settings and with what they name, without starting.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "node:test";
import { createServer as createTlsServer } from "node:tls";

import { Postgres, Redis, certificate } from "../lib/cluster.js";
import { BINARY, SECRET, Server, freePort, temporaryFolder } from "../lib/server.js";

/** Runs the command beside servers of this process, which a synchronous run would stop. */
async function check(folder, settings = {}) {
  const { PATH, HOME } = process.env;
  const command = spawn(BINARY, ["check"], { cwd: folder, env: { PATH, HOME, JWT_SECRET: SECRET, ...settings }, timeout: 60_000 });
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) command[name].setEncoding("utf8").on("data", (text) => (printed[name] += text));
  const [status] = await once(command, "close");
  const lines = (text) => text.split("\n").filter(Boolean);
  return { status, good: lines(printed.stdout), problems: lines(printed.stderr) };
}

const WEBHOOKS = { WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString("base64")}` };

test("a new installation is good, and nothing is made", async (t) => {
  const folder = temporaryFolder(t);
  const { status, good, problems } = await check(folder);
  assert.deepEqual(problems, []);
  assert.equal(status, 0);
  assert.deepEqual(good, ["DATABASE_URL: data/horse-trust.db is not there yet, and can be made"]);
  assert.deepEqual(readdirSync(folder), []);
});

test("each problem has a line, and the exit code is 1", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "text.db"), "this is no database");
  const settings = { JWT_SECRET: "", DATABASE_URL: "sqlite://text.db", ...WEBHOOKS, WEBHOOK_URL: `http://127.0.0.1:${await freePort()}/x?secret=hush` };
  const { status, problems } = await check(folder, settings);
  assert.equal(status, 1);
  assert.equal(problems.length, 3, problems.join("\n"));
  for (const [n, pattern] of [/JWT_SECRET: required/, /DATABASE_URL: text\.db: a database of another program/, /WEBHOOK_URL: http:\/\/127.*refused/].entries()) {
    assert.match(problems[n], pattern);
  }
  assert.doesNotMatch(problems.join(), /hush/);
  for (const [bad, pattern] of [
    [{ PORT: "abc" }, /PORT: "abc" is not a port/],
    [{ JWT_SECRET: "", JWT_SECRET_FILE: "absent" }, /JWT_SECRET_FILE: .*absent/],
    [{ JWT_SECRET: "", JWT_PUBLIC_KEY_FILE: "absent" }, /JWT_PUBLIC_KEY_FILE: .*absent/],
    [{ WEBHOOK_URL: "https://example.com" }, /WEBHOOK_SECRET: required/],
    [{ DATABASE_URL: "postgres://nobody@127.0.0.1:1/x" }, /DATABASE_URL: .*127\.0\.0\.1:1/],
  ]) {
    const answer = await check(folder, bad);
    assert.equal(answer.status, 1);
    assert.equal(answer.problems.length, 1, answer.problems.join("\n"));
    assert.match(answer.problems[0], pattern);
  }
  assert.deepEqual(readdirSync(folder), ["text.db"]);
});

test("beside a running server, which goes on", async (t) => {
  const server = await Server.start(t);
  const before = readdirSync(join(server.folder, "data"));
  const { status, good } = await check(server.folder);
  assert.equal(status, 0);
  assert.match(good[0], /horse-trust\.db: in use by a server$/);
  assert.deepEqual(readdirSync(join(server.folder, "data")), before);
  const { token } = await server.register();
  await server.kill();
  assert.equal((await check(server.folder)).status, 0, "after a crash");
  await server.launch();
  assert.equal((await server.request("GET", "/api/chat/conversations", { token })).status, 200);
  await server.stop();
  assert.match((await check(server.folder)).good[0], /schema (\d+) of \1$/);
});

test("PostgreSQL and Redis", async (t) => {
  const [postgres, redis] = await Promise.all([Postgres.start(t), Redis.start(t)]);
  const settings = { DATABASE_URL: postgres.database("chat"), REDIS_URL: redis.url };
  const folder = temporaryFolder(t);
  const fresh = await check(folder, settings);
  assert.deepEqual([fresh.status, fresh.problems], [0, []]);
  assert.match(fresh.good[0], /has no tables yet$/);
  assert.match(fresh.good[1], /^REDIS_URL: answers/);
  assert.equal(postgres.query("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", "chat").stdout.trim(), "0");
  assert.equal(redis.ask("dbsize"), "0");

  await Server.start(t, settings);
  const served = await check(folder, settings);
  assert.equal(served.status, 0);
  assert.match(served.good[0], /schema (\d+) of \1$/);

  postgres.database("other");
  postgres.query("CREATE TABLE theirs (id integer)", "other");
  const wrong = await check(folder, { DATABASE_URL: settings.DATABASE_URL.replace(/chat$/, "other"), REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
  assert.equal(wrong.status, 1);
  assert.match(wrong.problems[0], /DATABASE_URL: .*tables of another program/);
  assert.match(wrong.problems[1], /REDIS_URL: 127\.0\.0\.1:\d+: /);
});

test("a receiver is connected to, and gets no event", async (t) => {
  const folder = temporaryFolder(t);
  const received = [];
  const listen = async (server) => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    return server.address().port;
  };
  const keep = (socket) => socket.on("data", (data) => received.push(data)).on("error", () => {});
  const plain = await listen(createServer(keep));
  const { key, certificate: issued, root } = certificate(t);
  const tls = createTlsServer({ key: readFileSync(key), cert: readFileSync(issued) }, keep);
  tls.on("tlsClientError", () => {});
  const secure = await listen(tls);
  const urls = { ...WEBHOOKS, WEBHOOK_URL: `http://127.0.0.1:${plain}/a, https://localhost:${secure}/b` };
  const trusted = await check(folder, { ...urls, SSL_CERT_FILE: root });
  assert.deepEqual(trusted.problems, []);
  assert.equal(trusted.status, 0);
  assert.match(trusted.good[2], /^WEBHOOK_URL: https:\/\/localhost:\d+: connects, and its certificate is accepted$/);
  const untrusted = await check(folder, urls);
  assert.equal(untrusted.status, 1);
  assert.match(untrusted.problems[0], /^horse-trust: WEBHOOK_URL: https:\/\/localhost:\d+: .*certificate/);
  assert.deepEqual(received, []);
});
