// Tokens that end while their sockets are open, and rates of a user.
import assert from "node:assert/strict";
import test from "node:test";

import { Client, WEBSOCKET, connect } from "../lib/client.js";
import { SLOWNESS, Server, eventually, token } from "../lib/server.js";

test("a token's end closes the socket; a new one keeps it; an end of all sessions closes all", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const b = await connect(t, server, bruno);
  const seconds = Math.floor(Date.now() / 1000);
  const claims = (exp) => ({ userId: ana.id, role: "seller", iat: seconds, exp });
  const short = await connect(t, server, { token: token(claims(seconds + 6)) }, {}, { ...WEBSOCKET, reconnection: false });
  const ended = short.disconnected().then(() => Date.now());
  const kept = await connect(t, server, { token: token(claims(seconds + 6)) });
  const long = await connect(t, server, ana);
  for (const client of [short, kept, long]) await client.ask("join_conversation", conversation);
  const [expiring] = await short.received("token_expiring");
  assert.deepEqual(expiring, { expires_at: new Date((seconds + 6) * 1000).toISOString() });
  for (const bad of ["x", token(claims(seconds - 1)), bruno.token, token(claims(seconds + 9), { secret: "other" })]) {
    assert.deepEqual(await kept.ask("refresh_token", { token: bad }), { success: false, message: "Invalid or expired token" });
  }
  const fresh = token(claims(seconds + 3600));
  assert.deepEqual(await kept.ask("refresh_token", { token: fresh }), { success: true, data: { expires_at: new Date((seconds + 3600) * 1000).toISOString() } });
  assert.ok((await ended) - (seconds + 6) * 1000 < 1000 * SLOWNESS, "within a second of the end");
  await b.send(conversation, "after the end");
  await kept.received("new_message");
  assert.deepEqual(short.named("new_message"), []);
  assert.equal(kept.socket.connected && long.socket.connected, true);

  const gone = Promise.all([kept.disconnected(), long.disconnected()]);
  assert.deepEqual((await server.request("POST", "/api/auth/logout-everywhere", { token: ana.token })).json, { success: true });
  assert.deepEqual(await gone, ["io server disconnect", "io server disconnect"]);
  const status = async () => (await server.request("GET", "/api/auth/me", { token: ana.token })).status;
  await eventually("the token is void on each node", async () => (await status()) === 401 && (await status()) === 401 && (await status()) === 401, 1_000);
  const login = await server.request("POST", "/api/auth/login", { body: { email: ana.email, password: "correct horse" } });
  await server.kill();
  await server.launch();
  for (const old of [ana.token, fresh]) {
    const refused = new Client(t, server, { token: old }, { ...WEBSOCKET, reconnection: false });
    assert.equal((await refused.refused()).message, "Authentication error: invalid token", "also after a restart");
  }
  await connect(t, server, { token: login.json.token });
});

test("the only socket of a server ends with its token, too", async (t) => {
  const server = await Server.start(t);
  const exp = Math.floor(Date.now() / 1000) + 2;
  const client = await connect(t, server, { token: token({ userId: "alone", exp }) }, {}, { ...WEBSOCKET, reconnection: false });
  await client.disconnected();
  assert.ok(Date.now() >= exp * 1000 && Date.now() < exp * 1000 + 1000 * SLOWNESS, `${Date.now() - exp * 1000} ms after its end`);
});

test("rates are a user's own, and say when to come again", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: "1" });
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  for (const [event, payload] of [
    ["send_message", { conversation_id: conversation, text: "x" }],
    ["join_conversation", conversation],
    ["fetch_messages", { conversation_id: conversation }],
  ]) {
    const acks = await Promise.all(Array.from({ length: 100 }, () => a.ask(event, payload)));
    const refused = acks.filter((ack) => !ack.success);
    assert.ok(refused.length > 0 && refused.length < 100, `${event}: ${refused.length} of 100`);
    for (const { retry_after, ...ack } of refused) {
      assert.deepEqual(ack, { success: false, message: "Too many messages" });
      assert.ok(Number.isInteger(retry_after) && retry_after > 0);
    }
    assert.equal((await b.ask(event, payload)).success, true);
  }
});
