// Every route answers as docs/api/openapi.yaml says, and every answer that it names comes about.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { Server, eventually, run, temporaryFolder, token } from "../lib/server.js";
import { showListings } from "./lib/listings.js";
import { signWithPrivateKey } from "./lib/private-key.js";
import { giveUpWebhooks } from "./lib/webhooks.js";
import { Routes } from "./lib/routes.js";

const ADMIN = token({ userId: "the-admin", role: "admin" });
const routes = new Routes();
const ask = async (server, status, method, path, options) => {
  const answer = await routes.ask(server, method, path, options);
  assert.equal(answer.status, status, `${method} ${path} ${JSON.stringify(options?.body)}: ${answer.text}`);
  return answer.json;
};
/** A path with something in place of its parameters. */
const concrete = (path) => path.replaceAll(/\{\w+\}/g, "x");

test("accounts", async (t) => {
  const server = await Server.start(t);
  const register = (status, more) => {
    const body = { email: "ana@example.com", password: "correct horse", full_name: "Ana", ...more };
    return ask(server, status, "POST", "/api/auth/register", { body });
  };
  const login = (status, body) => ask(server, status, "POST", "/api/auth/login", { body });
  const { token: bearer } = await register(201, { phone: "+5491112345678", role: "seller" });
  for (const [status, more] of [[409], [403, { role: "admin" }]]) await register(status, more);
  await register(422, { email: "no address", full_name: 7 });
  await login(200, { email: "ana@example.com", password: "correct horse" });
  await login(422, {});
  await login(401, { email: "ana@example.com", password: "wrong" });
  await ask(server, 200, "GET", "/api/auth/me", { token: bearer });
  await ask(server, 404, "GET", "/api/auth/me", { token: token({ userId: "nobody", role: "seller" }) });
  await Promise.all(Array.from({ length: 20 }, () => login(401, { email: "victim@example.com", password: "wrong" })));
  await login(429, { email: "victim@example.com", password: "wrong" });
  const { json: session } = await server.request("POST", "/api/auth/login", { body: { email: "ana@example.com", password: "correct horse" } });
  await ask(server, 200, "POST", "/api/auth/logout", { token: session.token });
  await ask(server, 401, "POST", "/api/auth/logout", { token: session.token });
  await ask(server, 200, "POST", "/api/auth/logout-everywhere", { token: bearer });
  await ask(server, 401, "GET", "/api/auth/me", { token: bearer });
});

test("an account that may not log in", async (t) => {
  const folder = temporaryFolder(t);
  const user = {
    _id: { $oid: "65a50b5e9f1c2d3e4f506170" }, email: "old@example.com", role: "seller", full_name: "Old",
    // bcrypt of "imported horse".
    password_hash: "$2b$04$kFu.HLznUF0UjCimWOGK8uKBn2PI7V.qrzc8gmfTwIL6U0a7qp4fa",
    profile_picture_url: "https://img.example/old.jpg", is_active: false, created_at: { $date: "2024-01-15T10:30:00.000Z" },
  };
  writeFileSync(join(folder, "users.json"), JSON.stringify(user));
  const imported = run(folder, ["import", "--users", "users.json"]);
  assert.equal(imported.status, 0, imported.stderr);
  const server = await Server.start(t, {}, { folder });
  await ask(server, 403, "POST", "/api/auth/login", { body: { email: user.email, password: "imported horse" } });
  const old = token({ userId: user._id.$oid, role: "seller" });
  for (const { path, method } of routes.all) {
    if (!path.startsWith("/api/") || path.endsWith("/login") || path.endsWith("/register")) continue;
    await ask(server, 403, method.toUpperCase(), concrete(path), { token: old, body: method === "get" ? undefined : {} });
  }
});

test("conversations and messages", async (t) => {
  const server = await Server.start(t);
  const [ana, bruno, carla] = await Promise.all(["Ana", "Bruno", "Carla"].map((name) => server.register(name)));
  const as = (user) => (status, method, path, body) => ask(server, status, method, path, { token: user.token, body });
  const [asAna, asBruno, asCarla] = [ana, bruno, carla].map(as);

  const { data: conversation } = await asAna(200, "POST", "/api/chat/conversations", { recipient_id: bruno.id });
  await asAna(200, "POST", "/api/chat/conversations", { recipient_id: bruno.id, horse_id: "horse_1" });
  for (const [body, status] of [
    [{ recipient_id: "no id!" }, 400],
    [{ recipient_id: bruno.id, horse_id: "no id!" }, 400],
    [{ recipient_id: ana.id }, 400],
    [{ recipient_id: "nobody" }, 404],
    [{ recipient_id: bruno.email }, 400],
  ]) {
    await asAna(status, "POST", "/api/chat/conversations", body);
  }
  const messages = `/api/chat/conversations/${conversation._id}/messages`;
  await asAna(200, "GET", "/api/chat/conversations");
  const { data: message } = await asAna(201, "POST", messages, { text: "hello", client_id: "1" });
  await asAna(200, "POST", messages, { text: "hello", client_id: "1" });
  await asAna(409, "POST", messages, { text: "another", client_id: "1" });
  await asAna(201, "POST", messages, { text: "a reply", reply_to: message._id });
  await asAna(404, "POST", messages, { text: "a reply", reply_to: "unknown" });
  const { data: other } = await asAna(201, "POST", messages, { text: "Buy now" });
  await asAna(200, "GET", "/api/chat/conversations");
  const { cursor } = await asAna(200, "GET", "/api/chat/conversations?limit=1");
  await asAna(200, "GET", `/api/chat/conversations?limit=1&before=${cursor}&filter=all`);
  await asAna(422, "GET", "/api/chat/conversations?filter=none");
  await asBruno(200, "GET", "/api/chat/unread-count");
  for (const text of [" ", "x".repeat(2001), 7]) {
    await asAna(422, "POST", messages, { text });
    await asAna(422, "PATCH", `/api/chat/messages/${message._id}`, { text });
  }
  const named = await asAna(422, "POST", messages, { text: "hello", client_id: "" });
  assert.equal(named.errors[0].path, "client_id");
  const changed = `/api/chat/messages/${message._id}`;
  await asAna(200, "PATCH", changed, { text: "hello!" });
  await asBruno(403, "PATCH", changed, { text: "x" });
  await asBruno(403, "DELETE", changed);
  await asCarla(404, "PATCH", changed, { text: "x" });
  await asCarla(404, "DELETE", changed);
  await asAna(200, "DELETE", changed);
  await asBruno(200, "POST", `/api/chat/conversations/${conversation._id}/read`, { up_to_seq: 1 });
  await asBruno(200, "POST", `/api/chat/conversations/${conversation._id}/read`);
  await asBruno(422, "POST", `/api/chat/conversations/${conversation._id}/read`, { up_to_seq: "x" });
  for (const query of ["", "?page=2&limit=1", "?after_seq=0&limit=1", "?before_seq=2"]) {
    await asBruno(200, "GET", messages + query);
  }
  await asBruno(422, "GET", `${messages}?limit=0`);
  await asBruno(422, "GET", `${messages}?after_seq=1&before_seq=2`);
  await asCarla(404, "GET", messages);
  await asCarla(404, "POST", messages, { text: "x" });
  await asCarla(404, "POST", `/api/chat/conversations/${conversation._id}/read`);

  await t.test("blocks, reports, and what admins see", async () => {
    await asBruno(201, "POST", "/api/chat/reports", { message_id: other._id, reason: "Asks for money in advance." });
    await asAna(400, "POST", "/api/chat/reports", { message_id: other._id, reason: "x" });
    await asCarla(404, "POST", "/api/chat/reports", { message_id: other._id, reason: "x" });
    await asBruno(422, "POST", "/api/chat/reports", { message_id: other._id, reason: " " });
    await asBruno(201, "POST", "/api/chat/blocks", { user_id: ana.id });
    for (const [body, status] of [[{ user_id: "no id!" }, 400], [{ user_id: bruno.id }, 400], [{ user_id: "nobody" }, 201]]) {
      await asBruno(status, "POST", "/api/chat/blocks", body);
    }
    await asBruno(200, "GET", "/api/chat/blocks");
    await asBruno(200, "GET", "/api/chat/conversations");
    await asBruno(403, "POST", "/api/chat/conversations", { recipient_id: ana.id });
    await asAna(403, "POST", "/api/chat/conversations", { recipient_id: bruno.id });
    await asBruno(403, "POST", messages, { text: "x" });
    await asAna(403, "POST", messages, { text: "x" });
    const { data: last } = await asAna(200, "GET", `${messages}?limit=1`);
    await asAna(403, "PATCH", `/api/chat/messages/${last[0]._id}`, { text: "x" });
    await asAna(201, "POST", "/api/chat/blocks", { user_id: bruno.id });
    await asAna(403, "PATCH", `/api/chat/messages/${last[0]._id}`, { text: "x" });
    await asBruno(200, "DELETE", `/api/chat/blocks/${ana.id}`);
    await asBruno(400, "DELETE", "/api/chat/blocks/no%20id!");
    await asBruno(400, "DELETE", `/api/chat/blocks/${bruno.id}`);
    await ask(server, 200, "GET", "/api/admin/audit?after=7&limit=1", { token: ADMIN });
    for (const path of ["/api/admin/reports", "/api/admin/withdrawn", "/api/admin/audit"]) {
      await ask(server, 200, "GET", path, { token: ADMIN });
      if (path !== "/api/admin/audit") await ask(server, 200, "GET", `${path}?page=2&limit=1`, { token: ADMIN });
      await ask(server, 422, "GET", `${path}?limit=0`, { token: ADMIN });
      await asAna(403, "GET", path);
    }
    await ask(server, 422, "GET", "/api/admin/reports?state=gone", { token: ADMIN });
    const { data: [report] } = await ask(server, 200, "GET", "/api/admin/reports?state=open&limit=1", { token: ADMIN });
    const decided = `/api/admin/reports/${report._id}`;
    await ask(server, 200, "PATCH", decided, { token: ADMIN, body: { state: "resolved", note: "Warned." } });
    await ask(server, 200, "GET", decided, { token: ADMIN });
    await ask(server, 422, "PATCH", decided, { token: ADMIN, body: { state: "gone" } });
    for (const method of ["GET", "PATCH"]) {
      const options = method === "GET" ? {} : { body: { state: "open" } };
      await ask(server, 404, method, "/api/admin/reports/unknown", { token: ADMIN, ...options });
      const refused = await routes.ask(server, method, decided, { token: ana.token, ...options });
      assert.equal(refused.status, 403);
    }
    const platform = (status, body, id = conversation._id) =>
      ask(server, status, "POST", `/api/admin/conversations/${id}/messages`, { token: ADMIN, body });
    await platform(403, { text: "x", sender_id: ana.id });
    await platform(403, { text: "x", sender_id: bruno.id });
    await asAna(403, "POST", `/api/admin/conversations/${conversation._id}/messages`, { text: "x" });
    const { data: said } = await platform(201, { text: "Sold.", client_id: "sold", custom: { price: 7 } });
    await platform(200, { text: "Sold.", client_id: "sold" });
    await platform(409, { text: "Not sold.", client_id: "sold" });
    await platform(404, { text: "x" }, "unknown");
    for (const body of [{ text: " " }, { text: "x".repeat(2001) }, { text: 7 }, { text: "x", sender_id: "nobody" }]) await platform(422, body);
    await asBruno(400, "POST", "/api/chat/reports", { message_id: said._id, reason: "x" });
    const read = (status, query) => ask(server, status, "GET", `/api/admin/conversations/${query}`, { token: ADMIN });
    for (const query of ["page=2&limit=1", "after_seq=1", "before_seq=3"]) await read(200, `${conversation._id}/messages?${query}`);
    await read(422, `${conversation._id}/messages?limit=0`);
    await read(404, "unknown/messages");
    await asAna(403, "GET", `/api/admin/conversations/${conversation._id}/messages`);
    await asAna(403, "DELETE", `/api/admin/messages/${said._id}`);
    await ask(server, 200, "DELETE", `/api/admin/messages/${said._id}`, { token: ADMIN });
    await ask(server, 404, "DELETE", "/api/admin/messages/unknown", { token: ADMIN });
    const withdrawn = `/api/admin/withdrawn?conversation_id=${conversation._id}`;
    await ask(server, 404, "GET", "/api/admin/withdrawn?conversation_id=no-id!", { token: ADMIN });
    const { data } = await ask(server, 200, "GET", withdrawn, { token: ADMIN });
    assert.deepEqual(new Set(data.map((one) => one.kind)), new Set(["edited", "deleted"]));
  });
});

test("the platform's people", async (t) => {
  const server = await Server.start(t);
  const asked = (status, method, path, body) => ask(server, status, method, `/api/admin/users${path}`, { token: ADMIN, body });
  const { token: seller } = await server.register("Seller");
  await asked(201, "PUT", "/ana", { full_name: "Ana", email: "ana@example.com", phone: null, role: "seller", is_active: true });
  await asked(200, "PUT", "/ana", { profile_picture_url: "https://img.example/ana.jpg" });
  await asked(201, "PUT", "/bea", {});
  await asked(409, "PUT", "/bea", { email: "ana@example.com" });
  await asked(422, "PUT", "/bea", { email: "x" });
  await asked(200, "GET", "/ana");
  await asked(404, "GET", "/nobody");
  await asked(200, "GET", "/ana/export");
  await asked(404, "GET", "/nobody/export");
  await asked(200, "GET", "?limit=1&after=ana&email=x&query=y");
  await asked(200, "GET", "");
  await asked(422, "GET", "?limit=0");
  await asked(200, "POST", "/batch", { users: [{ _id: "ana" }, { _id: "no id" }, 7] });
  await asked(422, "POST", "/batch", {});
  for (const [status, id] of [[200, "ana"], [200, "nobody"], [404, "no.id"]]) {
    await asked(status, "PUT", `/${id}/suspension`, { reason: "x", until: "2999-01-01T00:00:00.000Z" });
    await asked(status, "DELETE", `/${id}/suspension`);
  }
  await asked(422, "PUT", "/ana/suspension", { until: "x" });
  await asked(201, "POST", "/ana/token", { expires_in: "15m" });
  await asked(404, "POST", "/nobody/token", {});
  await asked(422, "POST", "/ana/token", { expires_in: 0 });
  await asked(200, "DELETE", "/bea");
  await asked(200, "DELETE", "/bea?messages=delete");
  await asked(404, "DELETE", "/nobody");
  await asked(422, "DELETE", "/bea?messages=x");
  for (const { method, path } of routes.all.filter(({ path }) => path.startsWith("/api/admin/users"))) {
    await ask(server, 403, method.toUpperCase(), concrete(path), { token: seller });
  }
  server.limitFiles(0);
  await asked(500, "PUT", "/carla", {});
  await asked(500, "GET", "/ana/export");
  await asked(500, "POST", "/batch", { users: [{ _id: "carla" }] });
  await asked(500, "PUT", "/ana/suspension", {});
  await asked(500, "DELETE", "/ana/suspension");
  await asked(500, "POST", "/ana/token", {});
  await asked(500, "DELETE", "/ana");
});

test("a message gets too old to be changed", async (t) => {
  const server = await Server.start(t, { EDIT_WINDOW: "1s" });
  const { ana, conversation } = await server.pair();
  const send = { token: ana.token, body: { text: "hello" } };
  const { data } = await ask(server, 201, "POST", `/api/chat/conversations/${conversation}/messages`, send);
  const path = `/api/chat/messages/${data._id}`;
  const isTooOld = async () => (await routes.ask(server, "PATCH", path, send)).status === 403;
  await eventually("it is too old", isTooOld);
  await ask(server, 403, "DELETE", path, { token: ana.token });
});

test("tokens and bodies that are none", async (t) => {
  const server = await Server.start(t);
  const { token: bearer } = await server.register();
  for (const { method, path, operation } of routes.all) {
    const target = concrete(path);
    const send = (status, options) => ask(server, status, method.toUpperCase(), target, options);
    if (!operation.security) {
      await send(401, {});
      await send(401, { token: "garbage" });
    }
    if (!operation.requestBody) continue;
    const many = JSON.stringify(Object.fromEntries(Array.from({ length: 65 }, (_, n) => [n, n])));
    const sender = operation.tags.includes("admins") ? ADMIN : bearer;
    for (const raw of ["[]", "{", Buffer.from([0x7b, 0xff]), many]) await send(400, { token: sender, raw });
    await send(413, { token: sender, raw: " ".repeat(operation.operationId === "setUsers" ? 4_000_001 : 100_001) });
  }
});

test("what comes too fast", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: "1" });
  const { ana, conversation } = await server.pair();
  // Of admins' writes the guesses of keys are counted alone; see below.
  const isCounted = ({ method, operation }) => !operation.tags.includes("admins") || method === "get";
  const limited = routes.all.filter((route) => !route.operation.security && route.operation.responses[429] && isCounted(route));
  const bodies = {
    openConversation: { recipient_id: "nobody" },
    sendMessage: { text: "x" },
    editMessage: { text: "x" },
    block: { user_id: "nobody" },
    report: { message_id: "x", reason: "x" },
  };
  for (const { method, path, operation } of limited) {
    const target = path.replace("conversations/{id}", `conversations/${conversation}`);
    const options = { token: ana.token, body: bodies[operation.operationId] };
    // More than any rate takes at once.
    const one = () => routes.ask(server, method.toUpperCase(), concrete(target), options);
    const answers = await Promise.all(Array.from({ length: 100 }, one));
    assert.ok(answers.some((answer) => answer.status === 429), `${method} ${path}: ${answers[99].text}`);
  }
});

test("wrong keys of the platform", async (t) => {
  const API_KEYS = "a key of the platform in the tests of the contract".replaceAll(" ", "-");
  const server = await Server.start(t, { API_KEYS });
  const admins = routes.all.filter(({ operation }) => operation.tags.includes("admins"));
  for (let n = 0; n < 100; n++) await ask(server, 401, "GET", "/api/admin/audit", { token: `guess ${n}` });
  for (const { method, path } of admins) {
    await ask(server, 429, method.toUpperCase(), concrete(path), { token: API_KEYS });
  }
});

test("conversations and listings of the platform", (t) => showListings(t, ask, ADMIN));
test("webhooks that were given up", (t) => giveUpWebhooks(t, ask, ADMIN));
test("a platform that signs its tokens with a private key", (t) => signWithPrivateKey(t, ask));

test("the store fails", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const messages = `/api/chat/conversations/${conversation}/messages`;
  const options = (user, body) => ({ token: user.token, body });
  const { data } = await ask(server, 201, "POST", messages, options(ana, { text: "hello" }));
  const { data: rude } = await ask(server, 201, "POST", messages, options(ana, { text: "rude" }));
  const carla = await server.register("Carla");
  await ask(server, 201, "POST", "/api/chat/blocks", options(ana, { user_id: carla.id }));
  const complaint = options(bruno, { message_id: rude._id, reason: "rude" });
  const { data: { report_id: report } } = await ask(server, 201, "POST", "/api/chat/reports", complaint);
  server.limitFiles(0);
  const message = `/api/chat/messages/${data._id}`;
  await ask(server, 500, "POST", messages, options(ana, { text: "x" }));
  await ask(server, 500, "PATCH", message, options(ana, { text: "x" }));
  await ask(server, 500, "DELETE", message, options(ana));
  await ask(server, 500, "POST", `/api/admin/conversations/${conversation}/messages`, { token: ADMIN, body: { text: "x" } });
  await ask(server, 500, "DELETE", `/api/admin/messages/${data._id}`, { token: ADMIN });
  await ask(server, 500, "GET", messages, options(bruno));
  await ask(server, 500, "POST", `/api/chat/conversations/${conversation}/read`, options(bruno));
  await ask(server, 500, "POST", "/api/chat/conversations", options(ana, { recipient_id: bruno.id, horse_id: "new" }));
  await ask(server, 500, "POST", "/api/chat/blocks", options(ana, { user_id: bruno.id }));
  await ask(server, 500, "DELETE", `/api/chat/blocks/${carla.id}`, options(ana));
  await ask(server, 500, "POST", "/api/chat/reports", options(bruno, { message_id: data._id, reason: "x" }));
  await ask(server, 500, "PATCH", `/api/admin/reports/${report}`, { token: ADMIN, body: { state: "resolved" } });
  await ask(server, 500, "POST", "/api/auth/logout", options(ana));
  await ask(server, 500, "POST", "/api/auth/logout-everywhere", options(ana));
  const account = { email: "new@example.com", password: "correct horse", full_name: "New" };
  await ask(server, 500, "POST", "/api/auth/register", { body: account });
  await ask(server, 503, "GET", "/health/db");
  await ask(server, 503, "GET", "/ready");
});

test("too many passwords wait to be checked", async (t) => {
  const server = await Server.start(t);
  const body = { email: "ana@example.com", password: "correct horse", full_name: "Ana" };
  const answers = await Promise.all(Array.from({ length: 220 }, () => routes.ask(server, "POST", "/api/auth/register", { body })));
  assert.ok(answers.some((answer) => answer.status === 429));
});

test("reading too fast", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: "1" });
  for (const { path } of routes.all.filter(({ method, operation }) => method === "get" && operation.responses[429])) {
    const bearer = token({ userId: `reads${path.replaceAll(/\W/g, "_")}`, role: "admin" });
    const answers = [];
    while (answers.at(-1) !== 429 && answers.length < 200) {
      answers.push((await routes.ask(server, "GET", concrete(path), { token: bearer })).status);
    }
    assert.equal(answers.at(-1), 429, path);
  }
});

test("the page", async (t) => {
  for (const command of ["serve", "demo"]) {
    const server = await Server.start(t, {}, { command });
    const { json } = await routes.ask(server, "GET", "/demo.json");
    assert.equal(json.accounts.length > 0, command === "demo");
    for (const path of ["/", "/admin"]) {
      const page = await routes.ask(server, "GET", path);
      await ask(server, 304, "GET", path, { headers: { "if-none-match": page.headers.get("etag") } });
      const files = page.text.match(/assets\/[\w.-]+/g);
      assert.ok(files.length > 1);
      for (const file of files) await ask(server, 200, "GET", `/${file}`);
    }
    await ask(server, 404, "GET", "/assets/unknown.js");
  }
});

test("the server itself, and the documents", async (t) => {
  const server = await Server.start(t);
  for (const path of ["/health", "/health/db", "/ready", "/docs/", "/docs/asyncapi.yaml", "/docs/openapi.yaml", "/docs/events.d.ts"]) {
    await ask(server, 200, "GET", path);
  }
  const page = await server.request("GET", "/docs/");
  for (const [, link] of page.text.matchAll(/href="([^"]+)"/g)) {
    assert.equal((await server.request("GET", `/docs/${link}`)).status, 200, link);
  }
  const redirected = await fetch(`${server.url}/docs`, { redirect: "manual" });
  assert.equal(redirected.headers.get("location"), "/docs/");
  const { status, headers } = redirected;
  routes.check("GET", "/docs", undefined, { status, headers, text: await redirected.text() });
  for (const file of routes.document.content.paths["/socket.io/{file}"].get.parameters[0].schema.enum) {
    const { headers } = await routes.ask(server, "GET", `/socket.io/${file}`);
    await ask(server, 304, "GET", `/socket.io/${file}`, { headers: { "if-none-match": headers.get("etag") } });
  }
});

test("all of the document was seen, and nothing else", () => {
  const exempt = [
    // The store can be made to fail at writing alone.
    /^GET .* 500 Server error$/,
    /^POST \/api\/auth\/login 500/,
    // An erasure of 20 seconds.
    /^DELETE \/api\/admin\/users\/\{id\} 202/,
    // Half a minute, and a connection that breaks in the middle of a body.
    /The body (took too long|could not be read)$/,
    // In e2e/tests/export.test.js: it needs exports that nobody reads.
    /Too many exports at once$/,
    // A build without the bundle.
    /^GET \/socket\.io\/\{file\} 404/,
  ];
  assert.deepEqual(routes.findings(exempt), []);
});
