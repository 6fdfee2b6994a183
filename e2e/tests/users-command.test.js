// `horse-trust users`: what the platform's people are, from the command line.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import test from "node:test";

import { connect } from "../lib/client.js";
import { BINARY, Server, run, temporaryFolder, token } from "../lib/server.js";

const KEY = "a-key-of-the-platform-for-the-tests-1";

/** The command, while this process answers it. */
const start = (cwd, args) =>
  new Promise((resolve) => {
    const done = (error, stdout, stderr) => resolve({ status: error ? error.code : 0, stdout, stderr });
    execFile(BINARY, args, { cwd, env: { PATH: process.env.PATH }, timeout: 30_000 }, done);
  });

test("users are listed, shown, changed, suspended and exported from the command line", async (t) => {
  const server = await Server.start(t, { API_KEYS: KEY, MESSAGE_RATE: "0" });
  const folder = temporaryFolder(t);
  const command = (args, more = {}) => run(folder, ["users", ...args], { API_URL: server.url, API_KEY: KEY, ...more });
  const done = (...args) => {
    const { status, stdout, stderr } = command(args);
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const made = done("set", "ana", "--full-name", "Ana", "--email", "ana@example.com", "--phone", "+5491112345678");
  assert.equal(made, "ana\tseller\tactive\tAna\tana@example.com\n");
  assert.equal(done("set", "boss", "--role", "admin", "--full-name", "Boss"), "boss\tadmin\tactive\tBoss\t\n");
  assert.equal(done("set", "ana", "--phone", ""), made);
  const shown = JSON.parse(done("show", "ana"));
  assert.deepEqual([shown._id, shown.full_name, shown.phone], ["ana", "Ana", undefined]);
  assert.equal(done("list", "--limit", "1"), `${made}more: --after ana\n`);
  assert.equal(done("list", "--after", "ana"), "boss\tadmin\tactive\tBoss\t\n");
  assert.equal(done("list", "--email", "ana@example.com"), made);
  assert.equal(done("list", "--query", "nobody"), "");

  assert.equal(done("suspend", "ana", "--reason", "Fraud", "--until", "2999-01-31T00:00:00Z"), "ana\tsuspended until 2999-01-31T00:00:00.000Z\tFraud\n");
  const bearer = token({ userId: "ana", role: "seller" });
  assert.equal((await server.request("GET", "/api/chat/unread-count", { token: bearer })).status, 403);
  assert.equal(done("list", "--query", "ANA"), "ana\tseller\tsuspended\tAna\tana@example.com\n");
  assert.equal(done("suspend", "ana", "--end"), "ana\tactive\n");
  assert.equal(done("set", "ana", "--active", "false"), "ana\tseller\tsuspended\tAna\tana@example.com\n");
  done("set", "ana", "--active", "true");

  const opened = await server.request("POST", "/api/chat/conversations", { token: bearer, body: { recipient_id: "boss" } });
  const ana = await connect(t, server, { token: bearer });
  const conversation = opened.json.data._id;
  await ana.send(conversation, "¡Hola!");
  const lines = done("export", "ana").trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([...new Set(lines.map(({ kind }) => kind))], ["user", "conversation", "message", "audit"]);
  assert.equal(lines.find(({ kind }) => kind === "message").text, "¡Hola!");

  for (const [args, more, problem] of [
    [["show", "unknown"], {}, /the server answered 404: User not found/],
    [["export", "unknown"], {}, /the server answered 404: User not found/],
    [["export", "ana"], { API_KEY: "wrong-key" }, /401: Invalid or expired token/],
    [["list"], { API_KEY: undefined }, /API_KEY/],
    [["list"], { API_URL: "http://127.0.0.1:9" }, /API_URL: http:\/\/127\.0\.0\.1:9\/: .*[Cc]onnect/],
    [["set", "ana"], {}, /--full-name/],
    [["set", "boss", "--email", "ana@example.com"], {}, /409: Email already registered/],
    [["set", "ana", "--email", "x"], {}, /422: Validation error; A valid email is required/],
    [["suspend", "ana", "--until", "tomorrow"], {}, /422: .*until must be a time/],
    [["suspend", "ana", "--end", "--reason", "x"], {}, /--end|--reason/],
    [["erase", "ana"], {}, /--yes/],
  ]) {
    const { status, stdout, stderr } = command(args, more);
    assert.equal(status, 2, `${args}: ${stderr}`);
    assert.match(stderr, problem);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.equal(stdout, "");
  }
});

test("an export that breaks off is an error, and an erasure asks for what the contract says", async (t) => {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    if (request.method === "DELETE") return response.end('{"success":true}');
    response.write('{"kind":"user"}\n', () => response.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}/chat`;
  const command = (...args) => start(temporaryFolder(t), ["users", ...args, "--url", url, "--key", KEY]);
  const broken = await command("export", "ana");
  assert.deepEqual([broken.status, broken.stdout], [2, '{"kind":"user"}\n']);
  assert.match(broken.stderr, /API_URL: .*body/);
  const erased = await command("erase", "a/b", "--messages", "delete", "--yes");
  assert.deepEqual([erased.status, erased.stdout], [0, "a/b\terased\n"]);
  assert.deepEqual(asked, [`GET /chat/api/admin/users/ana/export Bearer ${KEY}`, `DELETE /chat/api/admin/users/a%2Fb?messages=delete Bearer ${KEY}`]);
});
