// Contract: "HTTP".
import assert from "node:assert/strict";
import test from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { get } from "node:http";

import { Client } from "../lib/client.js";
import { SECRET, Server, token } from "../lib/server.js";

const valid = (more = {}) => ({ email: "ana@example.com", password: "correct horse", full_name: "Ana", ...more });

test("accounts", async (t) => {
  const server = await Server.start(t);
  const register = (body) => server.request("POST", "/api/auth/register", { body });
  const login = (body) => server.request("POST", "/api/auth/login", { body });

  await t.test("register, login, me", async () => {
    const made = await register(valid({ email: "  Ana@Example.com ", phone: "+5491112345678", role: "seller" }));
    assert.equal(made.status, 201);
    assert.deepEqual(Object.keys(made.json).sort(), ["success", "token", "user"]);
    const { id, ...user } = made.json.user;
    assert.match(id, /^[0-9a-f]{24}$/);
    assert.deepEqual(user, { email: "ana@example.com", full_name: "Ana", role: "seller", phone: "+5491112345678" });
    const logged = await login({ email: "ANA@example.com", password: "correct horse" });
    assert.equal(logged.status, 200);
    assert.deepEqual(logged.json.user, made.json.user);
    const me = await server.request("GET", "/api/auth/me", { token: logged.json.token });
    assert.deepEqual(me.json, { success: true, user: made.json.user });
    assert.doesNotMatch(me.text + made.text + logged.text, /argon2|hash/);
  });

  await t.test("what is refused", async () => {
    const refused = async (status, message, body) => {
      const answer = await register(body);
      assert.deepEqual([answer.status, answer.json.success], [status, false], JSON.stringify(body));
      if (message) assert.equal(answer.json.message, message);
      return answer.json.errors?.map((error) => error.path).sort();
    };
    await refused(409, undefined, valid());
    await refused(403, undefined, valid({ email: "x@example.com", role: "admin" }));
    assert.deepEqual(await refused(422, undefined, {}), ["email", "full_name", "password"]);
    for (const [path, value] of [
      ["email", "no address"], ["email", 7], ["password", "1234567"], ["full_name", "  "], ["full_name", {}],
      ["phone", "5491112345678"], ["phone", "+12"], ["role", "buyer"],
    ]) {
      assert.deepEqual(await refused(422, undefined, valid({ email: "x@example.com", [path]: value })), [path]);
    }
    for (const [body, message] of [
      [{ email: "ana@example.com", password: "wrong password" }, "Invalid credentials"],
      [{ email: "nobody@example.com", password: "wrong password" }, "Invalid credentials"],
    ]) {
      const answer = await login(body);
      assert.deepEqual([answer.status, answer.json], [401, { success: false, message }]);
    }
    assert.equal((await login({ email: "ana@example.com" })).status, 422);
    assert.equal((await register(valid({ email: "eight@example.com", password: "12345678" }))).status, 201);
  });

  await t.test("an unknown e-mail is refused as slowly", async () => {
    const time = async (email) => {
      const begin = performance.now();
      await login({ email, password: "wrong password" });
      return performance.now() - begin;
    };
    const known = [], unknown = [];
    for (let n = 0; n < 5; n++) {
      known.push(await time("ana@example.com"));
      unknown.push(await time(`nobody${n}@example.com`));
    }
    // The least: what else the machine does can only add to it.
    const ratio = Math.min(...unknown) / Math.min(...known);
    assert.ok(ratio > 0.4 && ratio < 2.5, `unknown takes ${ratio} times as long`);
  });

  await t.test("guessing ends", async () => {
    const answers = [];
    for (let n = 0; n < 21; n++) answers.push(await login({ email: "victim@example.com", password: `guess ${n}` }));
    const last = answers.at(-1);
    assert.equal(last.status, 429);
    assert.ok(Number(last.headers.get("retry-after")) > 0);
    assert.equal(answers[5].status, 401);
  });

  await t.test("tokens", async () => {
    for (const [method, path, body] of [
      ["GET", "/api/auth/me"], ["GET", "/api/chat/conversations"], ["GET", "/api/chat/unread-count"],
      ["POST", "/api/chat/conversations", { recipient_id: "x" }], ["GET", "/api/chat/conversations/x/messages"],
      ["POST", "/api/chat/conversations/x/messages", { text: "x" }],
    ]) {
      const refused = async (message, options) => {
        const { status, json } = await server.request(method, path, { body, ...options });
        assert.deepEqual([status, json], [401, { success: false, message }], `${method} ${path}`);
      };
      await refused("No token provided", {});
      await refused("No token provided", { headers: { authorization: "Basic x" } });
      for (const bad of ["garbage", token({ userId: "x", exp: 1 }), token({ userId: "x" }, { secret: `${SECRET}!` })]) {
        await refused("Invalid or expired token", { token: bad });
      }
    }
    const unknown = await server.request("GET", "/api/auth/me", { token: token({ userId: "x" }) });
    assert.equal(unknown.status, 404);
  });
});

test("the chat over HTTP", async (t) => {
  const server = await Server.start(t);
  const [ana, bruno, carla] = await Promise.all(["Ana", "Bruno", "Carla"].map((name) => server.register(name)));
  const open = (user, body) => server.request("POST", "/api/chat/conversations", { token: user.token, body });
  const messages = (id) => `/api/chat/conversations/${id}/messages`;

  await t.test("there is one conversation of two about a horse, also if both ask at once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => (n % 2 ? open(ana, { recipient_id: bruno.id }) : open(bruno, { recipient_id: ana.id }))),
    );
    assert.equal(new Set(answers.map((answer) => answer.json.data._id)).size, 1);
    const other = await open(ana, { recipient_id: bruno.id, horse_id: "horse_1" });
    assert.notEqual(other.json.data._id, answers[0].json.data._id);
    assert.equal(other.json.data.horse_id, "horse_1");
    assert.equal((await open(bruno, { recipient_id: ana.id, horse_id: "horse_1" })).json.data._id, other.json.data._id);
    for (const [body, status, message] of [
      [{}, 400, "Invalid recipient ID"], [{ recipient_id: "a b" }, 400, "Invalid recipient ID"],
      [{ recipient_id: { $ne: null } }, 400, "Invalid recipient ID"],
      [{ recipient_id: ana.id }, 400, "Cannot message yourself"],
      [{ recipient_id: "507f1f77bcf86cd799439011" }, 404, "User not found"],
    ]) {
      const answer = await open(ana, body);
      assert.deepEqual([answer.status, answer.json], [status, { success: false, message }], JSON.stringify(body));
    }
  });

  await t.test("send, list, page, read, count", async (t) => {
    const id = (await open(ana, { recipient_id: carla.id })).json.data._id;
    const c = await Client.connect(t, server, carla);
    await c.ask("join_conversation", id);
    for (let n = 0; n < 65; n++) {
      const sent = await server.request("POST", messages(id), { token: ana.token, body: { text: `m${n}` } });
      assert.equal(sent.status, 201);
      assert.equal(sent.json.data.text, `m${n}`);
    }
    const seen = await c.received("new_message", 65);
    assert.deepEqual(seen.map((message) => message.text), Array.from({ length: 65 }, (_, n) => `m${n}`));
    await c.received("message_notification", 65);

    const unread = async (user) => (await server.request("GET", "/api/chat/unread-count", { token: user.token })).json;
    assert.deepEqual(await unread(carla), { success: true, unread_count: 65 });
    assert.deepEqual(await unread(ana), { success: true, unread_count: 0 });
    const [listed] = (await server.request("GET", "/api/chat/conversations", { token: carla.token })).json.data;
    assert.equal(listed._id, id);
    assert.deepEqual(listed.participants.map((user) => [user._id, user.full_name]), [[ana.id, "Ana"], [carla.id, "Carla"]]);
    assert.deepEqual(listed.last_message, { text: "m64", sender_id: ana.id, sent_at: seen[64].sent_at, is_read: false });

    const page = async (query, user = ana) =>
      (await server.request("GET", `${messages(id)}${query}`, { token: user.token })).json.data.map((message) => message.text);
    const names = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => `m${from + n}`);
    assert.deepEqual(await page(""), names(35, 64));
    assert.deepEqual(await page("?page=2"), names(5, 34));
    assert.deepEqual(await page("?page=3"), names(0, 4));
    assert.deepEqual(await page("?page=4"), []);
    assert.deepEqual(await page("?limit=100"), names(0, 64));
    assert.deepEqual(await page("?page=2&limit=10"), names(45, 54));
    for (const query of ["?page=0", "?page=-1", "?page=x", "?limit=0", "?limit=101", "?limit=1.5"]) {
      const answer = await server.request("GET", `${messages(id)}${query}`, { token: ana.token });
      assert.deepEqual([answer.status, answer.json.errors.length], [422, 1], query);
    }
    assert.deepEqual(await unread(carla), { success: true, unread_count: 65 }, "one's own reading marks nothing");
    assert.deepEqual(await page("", carla), names(35, 64));
    assert.deepEqual(await unread(carla), { success: true, unread_count: 0 });
    const [read] = (await server.request("GET", "/api/chat/conversations", { token: ana.token })).json.data;
    assert.equal(read.last_message.is_read, true);
    const history = await server.history(ana.token, id);
    assert.ok(history.every((message) => message.is_read));
    const order = (await server.request("GET", "/api/chat/conversations", { token: ana.token })).json.data;
    const times = order.map((conversation) => conversation.updated_at);
    assert.deepEqual(times, [...times].sort().reverse(), "newest first");
  });

  await t.test("texts are checked", async () => {
    const id = (await open(ana, { recipient_id: bruno.id })).json.data._id;
    for (const [body, status, message] of [
      [{}, 422, "Message text is required"], [{ text: "  " }, 422, "Message text is required"],
      [{ text: "x".repeat(2001) }, 422, "Message is too long (maximum 2000 characters)"],
      [{ text: "a\0b" }, 422, "Invalid message"], [{ text: 7 }, 422, "Invalid message"],
    ]) {
      const answer = await server.request("POST", messages(id), { token: ana.token, body });
      assert.deepEqual([answer.status, answer.json.message], [status, message], JSON.stringify(body));
      assert.equal(answer.json.errors[0].path, "text");
    }
    const lone = await server.request("POST", messages(id), { token: ana.token, raw: '{"text":"\\ud800"}' });
    assert.equal(lone.json.data.text, "\ufffd");
    const unknown = await server.request("POST", messages("unknown"), { token: ana.token, body: { text: "x" } });
    assert.deepEqual([unknown.status, unknown.json.message], [404, "Conversation not found"]);
  });

  await t.test("bodies that are none", async () => {
    for (const [raw, status] of [
      ["{", 400], ["[]", 400], ["7", 400], ["null", 400], ['"x"', 400], ["\ud800".repeat(3), 400],
      [`{"text":${"[".repeat(50_000)}`, 400], [JSON.stringify({ text: "x".repeat(150_000) }), 413],
    ]) {
      const answer = await server.request("POST", messages("x"), { token: ana.token, raw });
      assert.deepEqual([answer.status, answer.json.success], [status, false], raw.slice(0, 40));
    }
  });
});

test("what is beside the chat", async (t) => {
  const server = await Server.start(t, { CORS_ORIGINS: "https://a.example,https://b.example" });

  await t.test("health, unknown routes", async () => {
    assert.equal((await server.request("GET", "/health")).status, 200);
    assert.equal((await server.request("GET", "/health/db")).json.status, "ok");
    for (const [method, path] of [["GET", "/nowhere"], ["POST", "/api/x"], ["DELETE", "/api/auth/me"], ["PUT", "/health"]]) {
      const { status, json } = await server.request(method, path);
      assert.deepEqual([status, json], [404, { success: false, message: "Route not found" }], `${method} ${path}`);
    }
    assert.match((await server.request("GET", "/")).text, /socket\.io-client/);
  });

  await t.test("browsers of the named origins may call, others may not", async () => {
    const origin = async (name, method = "GET", headers = {}) =>
      (await server.request(method, "/health", { headers: { origin: name, ...headers } })).headers;
    const allowed = await origin("https://b.example");
    assert.equal(allowed.get("access-control-allow-origin"), "https://b.example");
    assert.equal(allowed.get("access-control-allow-credentials"), "true");
    assert.equal((await origin("https://c.example")).get("access-control-allow-origin"), null);
    const preflight = await origin("https://a.example", "OPTIONS", {
      "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type",
    });
    assert.match(preflight.get("access-control-allow-methods"), /POST/);
    assert.equal(preflight.get("access-control-allow-headers"), "authorization,content-type");
    const polling = { method: "GET", headers: { origin: "https://a.example" } };
    const handshake = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`, polling);
    assert.equal(handshake.headers.get("access-control-allow-origin"), "https://a.example");
    assert.equal(handshake.headers.get("access-control-allow-credentials"), "true");
    const error = await fetch(`${server.url}/socket.io/?EIO=3&transport=polling`, polling);
    assert.equal(error.headers.get("access-control-allow-origin"), "https://a.example", "a page can read why");
    const byDefault = await Server.start(t);
    const vite = await byDefault.request("GET", "/health", { headers: { origin: "http://localhost:5173" } });
    assert.equal(vite.headers.get("access-control-allow-origin"), "http://localhost:5173");
    const any = await Server.start(t, { CORS_ORIGINS: "*" });
    const { headers } = await any.request("GET", "/health", { headers: { origin: "https://x.example" } });
    assert.equal(headers.get("access-control-allow-origin"), "*");
    assert.equal(headers.get("access-control-allow-credentials"), null);
  });

  await t.test("the client bundle", async () => {
    const otherwise = await server.request("GET", "/socket.io/socket.io%2ejs");
    assert.deepEqual([otherwise.status, otherwise.json], [404, { success: false, message: "Route not found" }], "a file has one name");
    for (const name of ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"]) {
      const path = `/socket.io/${name}`;
      const plain = await fetch(server.url + path, { headers: { "accept-encoding": "identity" } });
      const text = await plain.text();
      assert.equal(plain.status, 200, path);
      assert.match(plain.headers.get("content-type"), /^application\/javascript/);
      assert.match(text, /Socket\.IO v4/);
      const etag = plain.headers.get("etag");
      assert.match(etag, /^"/);
      const again = await fetch(server.url + path, { headers: { "if-none-match": etag } });
      assert.deepEqual([again.status, await again.text()], [304, ""]);
      // The second of a kind is answered as the first was.
      const [gzip, brotli] = [["gzip", gunzipSync], ["br", brotliDecompressSync]];
      for (const [encoding, decode] of [gzip, brotli, gzip, brotli]) {
        const raw = await new Promise((resolve, reject) =>
          get(server.url + path, { headers: { "accept-encoding": encoding } }, (response) => {
            const chunks = [];
            response.on("data", (chunk) => chunks.push(chunk)).on("end", () => resolve({ response, body: Buffer.concat(chunks) }));
          }).on("error", reject));
        assert.equal(raw.response.headers["content-encoding"], encoding);
        assert.equal(decode(raw.body).toString(), text);
      }
      assert.equal((await server.request("GET", `${path}.map`)).json.version, 3);
    }
  });
});
