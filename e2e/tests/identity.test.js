// Who somebody is: names that change in the store, accounts that are suspended, sessions that are ended, on every node
// within a second, without Redis and by whoever changes the database.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import test from "node:test";

import { Client } from "../lib/client.js";
import { Postgres, Redis } from "../lib/cluster.js";
import { SLOWNESS, Server, eventually, token } from "../lib/server.js";

const SECOND = 1_000;

/** Servers over one store, and how an operator changes it. */
const STORES = {
  async SQLite(t) {
    const server = await Server.start(t);
    const change = (sql) => {
      const { status, stderr } = spawnSync("sqlite3", ["-cmd", ".timeout 5000", server.database, sql], { encoding: "utf8" });
      assert.equal(status, 0, stderr);
    };
    return { nodes: [server, server], change };
  },
  async "PostgreSQL without Redis"(t) {
    const postgres = await Postgres.start(t);
    const settings = { DATABASE_URL: postgres.database("chat"), ALLOW_NODES_WITHOUT_REDIS: "true" };
    return { nodes: [await Server.start(t, settings), await Server.start(t, settings)], change: changeOf(postgres) };
  },
  async "PostgreSQL and Redis"(t) {
    const [postgres, redis] = await Promise.all([Postgres.start(t), Redis.start(t)]);
    const settings = { DATABASE_URL: postgres.database("chat"), ...redis.settings };
    return { nodes: [await Server.start(t, settings), await Server.start(t, settings)], change: changeOf(postgres), redis };
  },
};

const changeOf = (postgres) => (sql) => {
  const { status, stderr } = postgres.query(sql, "chat");
  assert.equal(status, 0, stderr);
};

const status = async (node, bearer) => (await node.request("GET", "/api/auth/me", { token: bearer })).status;
const login = async (node, { email }) => (await node.request("POST", "/api/auth/login", { body: { email, password: "correct horse" } })).json.token;

for (const [store, start] of Object.entries(STORES)) {
  test(`${store}: a name that is changed in the store is one name everywhere within a second`, async (t) => {
    const { nodes, change } = await start(t);
    const { ana, bruno, conversation } = await nodes[0].pair();
    const clients = [await Client.connect(t, nodes[0], ana), await Client.connect(t, nodes[1], ana)];
    for (const client of clients) await client.send(conversation, "before");
    change(`UPDATE users SET full_name = 'Renamed' WHERE id = '${ana.id}'`);
    for (const [n, client] of clients.entries()) {
      await eventually("the new name in messages", async () => (await client.send(conversation, "x")).data.sender_id.full_name === "Renamed", SECOND);
      const { json } = await nodes[n].request("GET", "/api/chat/conversations", { token: bruno.token });
      assert.equal(json.data[0].participants.find(({ _id }) => _id === ana.id).full_name, "Renamed");
      const history = await nodes[n].history(bruno.token, conversation);
      assert.ok(history.every(({ sender_id }) => sender_id.full_name === "Renamed"));
    }
    // Who had no profile when they first wrote gets one.
    const stranger = { id: "stranger-1" };
    stranger.token = token({ userId: stranger.id });
    const { json } = await nodes[0].request("POST", "/api/chat/conversations", { token: stranger.token, body: { recipient_id: bruno.id } });
    const theirs = await Client.connect(t, nodes[1], stranger);
    assert.equal((await theirs.send(json.data._id, "x")).data.sender_id.full_name, null);
    const active = store === "SQLite" ? 1 : "true";
    change(`INSERT INTO users (id, email, password_hash, role, full_name, is_active, created_at) VALUES ('stranger-1', 's@example.com', '', 'seller', 'Sofía', ${active}, 0)`);
    await eventually("a name", async () => (await theirs.send(json.data._id, "x")).data.sender_id.full_name === "Sofía", SECOND);
  });

  test(`${store}: an account that is not active is suspended, at every door`, async (t) => {
    const { nodes, change } = await start(t);
    const { ana, conversation } = await nodes[0].pair();
    const off = store === "SQLite" ? 0 : "false";
    const on = store === "SQLite" ? 1 : "true";
    const platform = token({ userId: ana.id, iat: Math.floor(Date.now() / 1000) });
    const user = { token: platform };
    const clients = [
      await Client.connect(t, nodes[0], user),
      await Client.connect(t, nodes[1], user, { transports: ["polling"] }),
      await Client.connect(t, nodes[1], ana, { auth: { token: ana.token, recovery: true } }),
    ];
    const ended = clients.map((client) => client.disconnected(2 * SECOND * SLOWNESS));
    change(`UPDATE users SET is_active = ${off} WHERE id = '${ana.id}'`);
    const began = Date.now();
    assert.deepEqual(await Promise.all(ended), ["io server disconnect", "io server disconnect", "io server disconnect"]);
    assert.ok(Date.now() - began < SECOND * SLOWNESS, `${Date.now() - began} ms`);
    for (const client of clients) assert.deepEqual(client.named("account_suspended"), [{ until: null, reason: null }]);
    for (const node of nodes) {
      for (const bearer of [platform, ana.token]) {
        const { status, json } = await node.request("GET", "/api/auth/me", { token: bearer });
        assert.deepEqual([status, json], [403, { success: false, message: "Account suspended" }]);
        for (const auth of [{ token: bearer }, { token: bearer, recovery: true, serverOffset: 0 }]) {
          const error = await new Client(t, node, auth, { reconnection: false }).refused();
          assert.equal(error.message, "Authentication error: account suspended");
          assert.deepEqual(error.data, { until: null, reason: null });
        }
      }
      const body = { text: "x" };
      const sent = await node.request("POST", `/api/chat/conversations/${conversation}/messages`, { token: platform, body });
      assert.deepEqual([sent.status, sent.json.message], [403, "Account suspended"]);
      const login = await node.request("POST", "/api/auth/login", { body: { email: ana.email, password: "correct horse" } });
      assert.deepEqual([login.status, login.json.message], [403, "Account suspended"]);
    }
    change(`UPDATE users SET is_active = ${on} WHERE id = '${ana.id}'`);
    for (const node of nodes) await eventually("active again", async () => (await status(node, platform)) === 200, SECOND);
    await (await Client.connect(t, nodes[1], ana)).send(conversation, "back");
  });

  test(`${store}: sessions that are ended on one node end on all within a second, and new ones do not`, async (t) => {
    const { nodes, redis } = await start(t);
    const ana = await nodes[0].register();
    for (const isAway of redis ? [false, true] : [false]) {
      if (isAway) await redis.stop();
      const before = { token: await login(nodes[0], ana) };
      const clients = [await Client.connect(t, nodes[0], before), await Client.connect(t, nodes[1], before)];
      const ended = clients.map((client) => client.disconnected(2 * SECOND * SLOWNESS));
      assert.equal((await nodes[0].request("POST", "/api/auth/logout-everywhere", { token: before.token })).status, 200);
      // At once on the other node, which may not know of it yet.
      const after = { token: await login(nodes[1], ana) };
      const fresh = await Client.connect(t, nodes[1], after);
      await Promise.all(ended);
      for (const node of nodes) await eventually("void", async () => (await status(node, before.token)) === 401, SECOND);
      await sleep(SECOND);
      assert.ok(fresh.socket.connected, "who came after it stays");
      for (const node of nodes) assert.equal(await status(node, after.token), 200);
    }
  });

  test(`${store}: signing out on one node ends that token and its sockets on all within a second, and no other`, async (t) => {
    const { nodes, redis } = await start(t);
    const ana = await nodes[0].register();
    const gone = [];
    for (const isAway of redis ? [false, true] : [false]) {
      if (isAway) await redis.stop();
      for (const signedOut of [await login(nodes[0], ana), token({ userId: ana.id, isAway })]) {
        gone.push(signedOut);
        const other = await login(nodes[1], ana);
        const connect = (node, auth) => Client.connect(t, node, auth, { transports: ["polling"] });
        const its = [await Client.connect(t, nodes[0], { token: signedOut }), await connect(nodes[1], { token: signedOut })];
        const kept = [await Client.connect(t, nodes[0], { token: other }), await connect(nodes[1], { token: other })];
        // One that was of this token, and has another since.
        const renewed = await Client.connect(t, nodes[1], { token: signedOut });
        assert.equal((await renewed.ask("refresh_token", { token: other })).success, true);
        const ended = Promise.all(its.map((client) => client.disconnected(2 * SECOND)));
        const began = Date.now();
        const answer = await nodes[0].request("POST", "/api/auth/logout", { token: signedOut });
        assert.deepEqual([answer.status, answer.json], [200, { success: true }]);
        assert.equal(await status(nodes[0], signedOut), 401, "at once where it was asked");
        assert.deepEqual(await ended, ["io server disconnect", "io server disconnect"]);
        for (const node of nodes) {
          await eventually("void", async () => (await status(node, signedOut)) === 401, SECOND - (Date.now() - began));
          for (const auth of [{ token: signedOut }, { token: signedOut, recovery: true, serverOffset: 0 }]) {
            const error = await new Client(t, node, auth, { reconnection: false }).refused();
            assert.equal(error.message, "Authentication error: invalid token");
          }
          assert.equal(await status(node, other), 200);
        }
        await sleep(SECOND);
        for (const client of [...kept, renewed]) assert.ok(client.socket.connected, "another session of the same user");
        // Signed out already; an app that is not sure may ask again.
        assert.equal((await nodes[1].request("POST", "/api/auth/logout", { token: signedOut })).status, 401);
      }
    }
    // A node does not start while its Redis is away.
    if (redis) return;
    await nodes[1].kill();
    await nodes[1].launch();
    for (const signedOut of gone) assert.equal(await status(nodes[1], signedOut), 401, "also after a restart");
  });

  test(`${store}: no clock of a node decides which token is void`, async (t) => {
    const { nodes } = await start(t);
    const ana = await nodes[0].register();
    const claims = JSON.parse(Buffer.from(ana.token.split(".")[1], "base64url"));
    assert.equal(claims.session_generation, 0);
    /** As a node would issue it whose clock is so many seconds ahead. */
    const issued = (ahead, generation) => token({ ...claims, iat: claims.iat + ahead, iat_ms: claims.iat_ms + ahead * 1000, session_generation: generation });
    const [ahead, behind] = [issued(5, 0), issued(-5, 1)];
    assert.equal(await status(nodes[1], ahead), 200);
    await nodes[0].request("POST", "/api/auth/logout-everywhere", { token: ahead });
    for (const node of nodes) {
      await eventually("void", async () => (await status(node, ahead)) === 401, SECOND);
      assert.equal(await status(node, behind), 200);
    }
    const next = await login(nodes[1], ana);
    assert.equal(JSON.parse(Buffer.from(next.split(".")[1], "base64url")).session_generation, 1);
    // Tokens without a number, of the platform or of an earlier version, go by their time.
    const now = Date.now();
    for (const node of nodes) {
      assert.equal(await status(node, token({ userId: ana.id })), 401);
      assert.equal(await status(node, token({ userId: ana.id, iat: Math.floor(now / 1000) - 60 })), 401);
      assert.equal(await status(node, token({ userId: ana.id, iat: Math.floor(now / 1000) - 60, iat_ms: now + 10 })), 200);
      assert.equal(await status(node, token({ userId: ana.id, iat: Math.floor(now / 1000) + 2 })), 200);
    }
  });
}

test("a token's times and header parameters: what they say, or nothing", async (t) => {
  const server = await Server.start(t);
  const { id } = await server.register();
  const milliseconds = Date.now() + 60_000;
  const client = await Client.connect(t, server, { token: token({ userId: id }) });
  for (const [claims, expected] of [
    [{ exp: milliseconds }, null],
    [{ exp: 1e300 }, null],
    [{ exp: 253402300800 }, null],
    [{}, null],
    [{ exp: 4102444800 }, "2100-01-01T00:00:00.000Z"],
    [{ exp: 4102444800.5 }, "2100-01-01T00:00:00.500Z"],
  ]) {
    const ack = await client.ask("refresh_token", { token: token({ userId: id, ...claims }) });
    assert.deepEqual(ack, { success: true, data: { expires_at: expected } }, JSON.stringify(claims));
  }
  for (const header of [{ kid: 7 }, { kid: null, typ: 7, cty: [], jwk: "x", x5c: {} }]) {
    assert.equal(await status(server, token({ userId: id }, { header: { alg: "HS256", ...header } })), 200, JSON.stringify(header));
  }
  for (const header of [{ crit: ["exp"] }, { crit: [] }, { alg: "HS512" }]) {
    assert.equal(await status(server, token({ userId: id }, { header: { alg: "HS256", ...header } })), 401, JSON.stringify(header));
  }
});
