// Contract: "Identity and connection".
import assert from "node:assert/strict";
import test from "node:test";

import { Client, TRANSPORTS, within } from "../lib/client.js";
import { Server, token } from "../lib/server.js";

const now = () => Math.floor(Date.now() / 1000);

test("identity and connection", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();

  await t.test("no token is refused by its exact words", async (t) => {
    for (const auth of [undefined, {}, { token: "" }, { token: 7 }, { token: null }, { token: {} }, { token: ["x"] }]) {
      const error = await new Client(t, server, auth, { reconnection: false }).refused();
      assert.equal(error.message, "Authentication error: no token", JSON.stringify(auth));
    }
  });

  await t.test("a token that does not verify is refused by its exact words", async (t) => {
    const good = { userId: "507f1f77bcf86cd799439011", role: "seller" };
    const none = { header: { alg: "none", typ: "JWT" } };
    for (const [what, bad] of Object.entries({
      garbage: "garbage",
      dots: "a.b.c",
      "another secret": token(good, { secret: "other" }),
      expired: token({ ...good, exp: now() - 1 }),
      "expiring now": token({ ...good, exp: now() }),
      "not yet valid": token({ ...good, nbf: now() + 60 }),
      "exp as text": token({ ...good, exp: "later" }),
      "alg none": token(good, none),
      "alg none, unsigned": token(good, none).replace(/[^.]*$/, ""),
      HS512: token(good, { header: { alg: "HS512", typ: "JWT" }, hash: "sha512" }),
      "HS256 signature under another name": token(good, { header: { alg: "RS256", typ: "JWT" } }),
      "no userId": token({ role: "seller" }),
      "userId as number": token({ userId: 7 }),
      "userId with spaces": token({ userId: "a b" }),
      "userId too long": token({ userId: "x".repeat(65) }),
      "userId empty": token({ userId: "" }),
    })) {
      const error = await new Client(t, server, { token: bad }, { reconnection: false }).refused();
      assert.equal(error.message, "Authentication error: invalid token", what);
    }
  });

  await t.test("a valid token connects, also without a profile, over every transport", async (t) => {
    for (const [name, options] of Object.entries(TRANSPORTS)) {
      const claims = { userId: "nobody_here-1", role: "seller", exp: now() + 60, nbf: now() };
      const client = await Client.connect(t, server, { token: token(claims) }, options);
      assert.equal((await client.ask("join_conversation", "x")).success, false, name);
      if (name === "upgrade") {
        await client.upgraded();
        assert.equal((await client.ask("join_conversation", "x")).success, false);
      }
    }
  });

  await t.test("only the main namespace is served", async (t) => {
    const client = await Client.connect(t, server, await server.register());
    const other = client.socket.io.socket("/admin", { auth: client.socket.auth });
    const error = await within("connect_error", new Promise((resolve) => other.once("connect_error", resolve)));
    assert.equal(error.message, "Invalid namespace");
    assert.equal((await client.ask("join_conversation", "x")).success, false, "the main one goes on");
  });

  await t.test("each of a user's sockets gets what is meant for its rooms", async (t) => {
    const { ana, bruno, conversation } = await server.pair();
    const devices = await Promise.all(
      [...Object.values(TRANSPORTS), {}].map((options) => Client.connect(t, server, bruno, options)),
    );
    const sender = await Client.connect(t, server, ana);
    assert.equal((await devices[0].ask("join_conversation", conversation)).success, true);
    await sender.send(conversation, "to all of you");
    for (const device of devices) await device.received("message_notification");
    await devices[0].received("new_message");
    await devices[1].settle();
    assert.deepEqual(devices[1].named("new_message"), []);
  });

  await t.test("a second CONNECT closes the connection", async (t) => {
    const client = await Client.connect(t, server, await server.register(), { transports: ["websocket"], reconnection: false });
    const closed = client.disconnected();
    client.socket.io.engine.write(`0${JSON.stringify(client.socket.auth)}`);
    assert.equal(await closed, "transport close");
  });

  for (const [transport, options] of Object.entries(TRANSPORTS)) {
    await t.test(`the path without its last slash, over ${transport}`, async (t) => {
      const client = await Client.connect(t, server, ana, { ...options, addTrailingSlash: false });
      if (transport === "upgrade") await client.upgraded();
      assert.equal((await client.ask("join_conversation", conversation)).success, true);
    });
  }

  await t.test("long polling responses are compressed", async () => {
    const url = `${server.url}/socket.io?EIO=4&transport=polling`;
    const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
    const post = (body) => fetch(`${url}&sid=${sid}`, { method: "POST", body });
    await post(`40${JSON.stringify({ token: ana.token })}`);
    const text = "\u99ac".repeat(1500);
    for (let id = 0; id < 3; id += 1) {
      await post(`42${id}${JSON.stringify(["send_message", { conversation_id: conversation, text }])}`);
    }
    const limit = Date.now() + 10_000;
    for (let seen = ""; !seen.includes("432["); ) {
      assert.ok(Date.now() < limit, seen);
      const response = await fetch(`${url}&sid=${sid}`, { headers: { "accept-encoding": "gzip" } });
      const body = await response.text();
      assert.equal(response.headers.get("content-encoding"), Buffer.byteLength(body) < 1024 ? null : "gzip", body);
      seen += body;
    }
  });

  await t.test("coded errors are the official server's", async () => {
    for (const [method, query, code] of [
      ["GET", "?EIO=4&transport=tube", 0],
      ["GET", "?EIO=4&transport=polling&sid=unknown", 1],
      ["POST", "?EIO=4&transport=polling", 2],
      ["GET", "?EIO=4&transport=websocket", 3],
      ["GET", "?EIO=3&transport=polling", 5],
    ]) {
      const { status, json } = await server.request(method, `/socket.io/${query}`);
      assert.deepEqual([status, json.code], [400, code], query);
    }
  });
});
