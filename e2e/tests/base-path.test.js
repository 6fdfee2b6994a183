// BASE_PATH: everything below a path of a host that others share.
import assert from "node:assert/strict";
import test from "node:test";

import { balance } from "../lib/cluster.js";
import { Client, TRANSPORTS } from "../lib/client.js";
import { Server } from "../lib/server.js";

const BASE = "/chat";
const PATH = `${BASE}/socket.io/`;

async function register(server, name) {
  const body = { email: `${Math.random()}@example.com`, password: "correct horse", full_name: name };
  const { status, json } = await server.request("POST", `${BASE}/api/auth/register`, { body });
  assert.equal(status, 201);
  return { id: json.user.id, token: json.token };
}

test("all routes are below the base, and none outside", async (t) => {
  const server = await Server.start(t, { BASE_PATH: BASE });
  const get = (path, options) => fetch(server.url + path, { redirect: "manual", ...options });
  for (const path of ["/", "/admin", "/docs/", "/docs/openapi.yaml", "/demo.json", "/health", "/health/db", "/ready", "/metrics", "/socket.io/socket.io.js"]) {
    assert.equal((await get(BASE + path)).status, 200, BASE + path);
    for (const outside of [path, `/other${path}`, `${BASE}s${path}`, `/Chat${path}`, `/%63hat${path}`, `/${BASE}${path}`, BASE + BASE + path]) {
      const answer = await get(outside);
      assert.equal(answer.status, 404, outside);
      assert.deepEqual(await answer.json(), { success: false, message: "Route not found" }, outside);
      assert.equal(answer.headers.get("x-content-type-options"), "nosniff", outside);
      assert.ok(answer.headers.get("x-request-id"), outside);
    }
  }
  for (const path of ["/socket.io/?EIO=4&transport=polling", "/chats/socket.io/?EIO=4&transport=polling"]) {
    assert.equal((await get(path)).status, 404, path);
  }
  for (const path of [`${PATH}?EIO=4&transport=polling`, `${BASE}/socket.io?EIO=4&transport=polling`]) {
    const opened = await get(path);
    assert.equal(opened.status, 200, path);
    assert.match(await opened.text(), /^0\{"sid"/);
  }
  const location = async (path) => {
    const { status, headers } = await get(path);
    return [status, headers.get("location")];
  };
  assert.deepEqual(await location("/chat"), [308, "/chat/"]);
  assert.deepEqual(await location("/chat?recipient=a&horse=b"), [308, "/chat/?recipient=a&horse=b"]);
  assert.deepEqual(await location("/chat/docs"), [308, "/chat/docs/"]);
  assert.equal((await get("/chat", { method: "POST" })).status, 404);
});

test("the documents say where the server is", async (t) => {
  const server = await Server.start(t, { BASE_PATH: "/a/b.c/" });
  const text = async (name) => (await server.request("GET", `/a/b.c/docs/${name}`)).text;
  assert.match(await text("openapi.yaml"), /^servers:\n {2}- \{url: '\/a\/b\.c',/m);
  assert.match(await text("asyncapi.yaml"), /pathname: \/a\/b\.c\/socket\.io\/,/);
});

test("what the page loads is below the base, compressed and kept", async (t) => {
  const server = await Server.start(t, { BASE_PATH: BASE });
  for (const path of [`${BASE}/`, `${BASE}/admin`]) {
    const page = await fetch(server.url + path);
    const tag = page.headers.get("etag");
    if (tag === '"none"') return t.skip("the page is not part of this build");
    assert.equal((await fetch(server.url + path, { headers: { "if-none-match": tag } })).status, 304);
    assert.match(page.headers.get("content-security-policy"), /^default-src 'none'; script-src 'self';/);
    const names = [...(await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name);
    assert.ok(names.length >= 3, names.join());
    for (const name of names) {
      const url = new URL(name, page.url);
      assert.ok(url.pathname.startsWith(`${BASE}/assets/`), url.href);
      for (const encoding of ["br", "gzip", "br"]) {
        const asset = await fetch(url, { headers: { "accept-encoding": encoding } });
        assert.equal(asset.status, 200, url.href);
        assert.equal(asset.headers.get("content-encoding"), encoding);
        assert.equal(asset.headers.get("cache-control"), "public, max-age=31536000, immutable");
      }
    }
  }
});

/** Ana writes to Bruno, each over one transport, at `url`. */
async function talk(t, server, url, options) {
  const [ana, bruno] = [await register(server, "Ana"), await register(server, "Bruno")];
  const path = `${BASE}/api/chat/conversations`;
  const { json } = await server.request("POST", path, { token: ana.token, body: { recipient_id: bruno.id } });
  const [hers, his] = [ana, bruno].map(({ token }) => new Client(t, { url }, { token }, { path: PATH, ...options }));
  await Promise.all([hers.connected(), his.connected()]);
  const { success } = await hers.ask("send_message", { conversation_id: json.data._id, text: "Is she for sale?" });
  assert.ok(success);
  assert.equal((await his.received("message_notification"))[0].preview, "Is she for sale?");
}

for (const [name, options] of Object.entries(TRANSPORTS)) {
  // Over several nodes only a WebSocket finds the way without a balancer.
  const isOfOneNode = Number(process.env.TEST_NODES ?? 1) === 1;
  test(`clients chat below the base: ${name}`, { skip: !isOfOneNode && name !== "websocket alone" }, async (t) => {
    const server = await Server.start(t, { BASE_PATH: BASE });
    await talk(t, server, server.url, options);
  });
}

test("behind nginx", { skip: Boolean(process.env.TEST_NODES) && "over SQLite alone" }, async (t) => {
  const server = await Server.start(t, { BASE_PATH: BASE, NODE: "a" });
  const nginx = await balance(t, [server], BASE);
  for (const options of Object.values(TRANSPORTS)) await talk(t, server, nginx.url, options);
  assert.equal((await fetch(`${nginx.url}/chat/`)).status, 200);
  assert.equal((await fetch(`${nginx.url}/chat/metrics`)).status, 404);
  assert.equal((await fetch(`${nginx.url}/chat/docs`)).url, `${nginx.url}/chat/docs/`);
});
