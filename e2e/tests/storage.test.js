// Contract: `Error sending message` and `/health/db` while the store fails. A limit of file sizes, set from
// outside, stands for a full disk.
import assert from "node:assert/strict";
import test from "node:test";

import { Client } from "../lib/client.js";
import { Server } from "../lib/server.js";

test("while nothing can be stored, nothing is delivered; then it goes on by itself", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = await Promise.all([ana, bruno].map((user) => Client.connect(t, server, user)));
  await Promise.all([a, b].map((client) => client.ask("join_conversation", conversation)));
  const post = (text) =>
    server.request("POST", `/api/chat/conversations/${conversation}/messages`, { token: ana.token, body: { text } });
  assert.equal((await a.send(conversation, "before")).success, true);
  await b.received("message_notification");

  server.limitFiles(0);
  const refusals = await Promise.all(Array.from({ length: 20 }, (_, n) => a.send(conversation, `lost ${n}`)));
  for (const refusal of refusals) assert.deepEqual(refusal, { success: false, message: "Error sending message" });
  const answer = await post("lost too");
  assert.deepEqual([answer.status, answer.json], [500, { success: false, message: "Server error" }]);
  const listed = await server.request("GET", "/api/chat/conversations", { token: bruno.token });
  assert.equal(listed.json.data[0].last_message.text, "before", "what is stored can be read");

  server.limitFiles("unlimited");
  assert.equal((await a.send(conversation, "after")).success, true);
  assert.equal((await post("after that")).status, 201);
  const texts = ["before", "after", "after that"];
  for (const client of [a, b]) {
    const delivered = await client.received("new_message", 3);
    assert.deepEqual(delivered.map((message) => message.text), texts);
    assert.equal(client.socket.connected, true);
  }
  await b.settle();
  assert.deepEqual(b.named("message_notification").map((notification) => notification.preview), texts);
  const history = await server.history(ana.token, conversation);
  assert.deepEqual(history.map((message) => message.text), texts);
  assert.deepEqual(history.map((message) => message.seq), [1, 2, 3]);
  assert.match(server.output, /ERROR/, "the cause is in the log");
});

test("health/db is 503 while nothing can be stored", async (t) => {
  const server = await Server.start(t);
  const health = async (path) => {
    const { status, json } = await server.request("GET", path);
    return [status, json.status];
  };
  assert.deepEqual(await health("/health/db"), [200, "ok"]);
  server.limitFiles(0);
  assert.deepEqual(await health("/health/db"), [503, "error"]);
  assert.deepEqual(await health("/health"), [200, "ok"], "the process itself is well");
  server.limitFiles("unlimited");
  assert.deepEqual(await health("/health/db"), [200, "ok"]);
});
