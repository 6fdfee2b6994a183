// What the log says: a line a connection and a refused token at info; never a token, a password or a text.
import assert from "node:assert/strict";
import test from "node:test";

import { Client, within } from "../lib/client.js";
import { Server, eventually, token } from "../lib/server.js";

/** Lets in one user, who writes, and refuses another; answers what must not be in the log. */
async function use(t, server) {
  const { ana, conversation } = await server.pair();
  const client = await Client.connect(t, server, ana);
  await client.send(conversation, "a text that is private");
  client.socket.disconnect();
  const bad = token({ userId: ana.id }, { secret: "another" });
  for (const auth of [{}, { token: bad }]) await new Client(t, server, auth, { reconnection: false }).refused();
  await server.request("POST", "/api/auth/login", { body: { email: ana.email, password: "a wrong password" } });
  await server.request("GET", "/api/auth/me", { token: bad });
  return { ana, private: [ana.token, bad, "a text that is private", "correct horse", "a wrong password", server.settings.JWT_SECRET] };
}

test("at info, as JSON: who came, went and was refused", async (t) => {
  const server = await Server.start(t, { LOG: undefined, LOG_FORMAT: "json" });
  const used = await use(t, server);
  const lines = () => server.output.trim().split("\n").map((line) => JSON.parse(line));
  const has = (...words) => lines().some((line) => words.every((word) => JSON.stringify(line).includes(word)));
  await eventually("a line a connection", () => has("INFO", "connected", used.ana.id));
  await eventually("a line at its end", () => has("INFO", "disconnected", used.ana.id));
  await eventually("a refusal without a token", () => has("INFO", "no token", "127.0.0.1"));
  await eventually("a refusal of a token", () => has("INFO", "invalid token", "127.0.0.1"));
  await server.stop();
  for (const line of lines()) {
    for (const field of ["timestamp", "level", "fields"]) assert.ok(field in line, JSON.stringify(line));
  }
  for (const text of used.private) assert.ok(!server.output.includes(text), text);
});

test("at trace, as text: still nothing private", async (t) => {
  const server = await Server.start(t, { LOG: "trace", LOG_FORMAT: "pretty" });
  const used = await use(t, server);
  await server.stop();
  assert.match(server.output, / TRACE | DEBUG /);
  for (const text of used.private) assert.ok(!server.output.includes(text), text);
});

test("nobody reads the log: the server does not wait", async (t) => {
  const server = await Server.start(t, { LOG: "info" });
  const { ana } = await server.pair();
  server.process.stderr.pause();
  // More lines than fit into the pipe and the buffers of both.
  for (let n = 0; n < 60; n++) {
    const requests = Array.from({ length: 50 }, () => server.request("GET", "/api/auth/me", { token: ana.token }));
    await within("answers", Promise.all(requests));
  }
  assert.equal((await server.request("GET", "/health")).status, 200);
  server.process.stderr.resume();
  const { code } = await server.stop();
  assert.equal(code, 0);
});

test("a filter is heeded", async (t) => {
  const server = await Server.start(t, { LOG: "error" });
  await use(t, server);
  await server.stop();
  assert.equal(server.output, "");
});
