// Contract, part two, section 4: claims of other names, public keys of a platform, issuer, audience, no accounts here. The
// keys are openssl's, the tokens those of node:crypto.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { Client, WEBSOCKET } from "../lib/client.js";
import { SECRET, Server, eventually, run, temporaryFolder, token } from "../lib/server.js";

const KINDS = {
  RS256: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
  ES256: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
  EdDSA: ["-algorithm", "ed25519"],
};

/** A new key pair in a folder: the private key, and the file with the public one. */
function keyPair(folder, name, options) {
  const [secret, open] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  execFileSync("openssl", ["genpkey", ...options, "-out", secret], { stdio: "pipe" });
  execFileSync("openssl", ["pkey", "-in", secret, "-pubout", "-out", open]);
  return { key: readFileSync(secret, "utf8"), file: open };
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token that a private key signs. */
function signed(alg, key, claims, header = { alg }) {
  const body = `${encode(header)}.${encode(claims)}`;
  const hash = alg === "EdDSA" ? null : "sha256";
  return `${body}.${sign(hash, Buffer.from(body), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

const status = async (server, bearer) => (await server.request("GET", "/api/chat/unread-count", { token: bearer })).status;
/** Waits until every node answers so: within a second. Each request goes to the next of at most three. */
const everywhere = (server, bearer, expected) =>
  eventually(`${expected} on all nodes`, async () => {
    for (const _ of [1, 2, 3]) if ((await status(server, bearer)) !== expected) return false;
    return true;
  }, 1_000);
const seconds = () => Math.floor(Date.now() / 1000);

for (const [alg, options] of Object.entries(KINDS)) {
  test(`${alg}: tokens of a platform let its users in, and nothing else does`, async (t) => {
    const folder = temporaryFolder(t);
    const { key, file } = keyPair(folder, "platform", options);
    const server = await Server.start(t, { JWT_SECRET: "", JWT_PUBLIC_KEY_FILE: file, JWT_USER_CLAIM: "sub" }, { folder });
    const good = signed(alg, key, { sub: "u1", exp: seconds() + 60, nbf: seconds() - 1 });
    for (const _ of [1, 2]) assert.equal(await status(server, good), 200, "also when it is known already");
    await Client.connect(t, server, { token: good });
    const others = Object.entries(KINDS).map(([name, kind]) => [name, keyPair(folder, `other-${name}`, kind).key]);
    const pem = readFileSync(file);
    const body = `${encode({ alg: "HS256" })}.${encode({ sub: "u1" })}`;
    const bad = {
      "HS256 with the public key as the secret": `${body}.${createHmac("sha256", pem).update(body).digest("base64url")}`,
      "HS256 with the public key less its last line break": `${body}.${createHmac("sha256", pem.toString().trimEnd()).update(body).digest("base64url")}`,
      "no algorithm": `${encode({ alg: "none" })}.${encode({ sub: "u1" })}.`,
      "no algorithm, and a good signature": `${encode({ alg: "none" })}.${good.split(".").slice(1).join(".")}`,
      "another algorithm in the header": signed(alg, key, { sub: "u1" }, { alg: "PS256" }),
      "a secret of our own": token({ sub: "u1" }),
      "the end": signed(alg, key, { sub: "u1", exp: seconds() }),
      "not yet": signed(alg, key, { sub: "u1", nbf: seconds() + 60 }),
      "a number as the user": signed(alg, key, { sub: 7 }),
      "the user in another claim": signed(alg, key, { userId: "u1" }),
      "two users": `${encode({ alg })}.${Buffer.from('{"sub":"u1","sub":"u2"}').toString("base64url")}`,
      "a changed claim": good.replace(/\.[^.]*\./, `.${encode({ sub: "u2" })}.`),
      ...Object.fromEntries(others.map(([name, other]) => [`${name} of another key`, signed(name, other, { sub: "u1" })])),
    };
    const twice = bad["two users"];
    bad["two users"] = `${twice}.${sign(alg === "EdDSA" ? null : "sha256", Buffer.from(twice), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
    for (const [what, token] of Object.entries(bad)) assert.equal(await status(server, token), 401, what);
    const refused = new Client(t, server, { token: bad["no algorithm"] }, { ...WEBSOCKET, reconnection: false });
    assert.equal((await refused.refused()).message, "Authentication error: invalid token");
    // A token that is known ends with its session.
    assert.equal((await server.request("POST", "/api/auth/logout", { token: good })).status, 200);
    await everywhere(server, good, 401);
    // No account is made here, and no token.
    for (const route of ["register", "login"]) {
      const { status: code, json } = await server.request("POST", `/api/auth/${route}`, { body: { email: "a@b.co", password: "correct horse", full_name: "A" } });
      assert.deepEqual([code, json], [404, { success: false, message: "Route not found" }], route);
    }
    const command = run(folder, ["token", "u1"], { JWT_PUBLIC_KEY_FILE: file });
    assert.equal(command.status, 2);
    assert.match(command.stderr, /JWT_PUBLIC_KEY_FILE: only the platform/);
  });
}

test("a suspension holds at once for a token that is known, and the platform alone signs", async (t) => {
  const folder = temporaryFolder(t);
  const { key, file } = keyPair(folder, "platform", KINDS.RS256);
  const API_KEY = "k".repeat(32);
  const server = await Server.start(t, { JWT_SECRET: "", JWT_PUBLIC_KEY_FILE: file, API_KEYS: API_KEY }, { folder });
  // Nobody has a profile here: these users are the platform's alone.
  const [banned, other] = ["u1", "u2"].map((userId) => signed("RS256", key, { userId }));
  for (const bearer of [banned, other]) assert.equal(await status(server, bearer), 200);
  const sockets = [await Client.connect(t, server, { token: banned }), await Client.connect(t, server, { token: banned }, { transports: ["polling"] })];
  const kept = await Client.connect(t, server, { token: other });
  const ended = sockets.map((client) => client.disconnected(5_000));
  const ban = (method, body) => server.request(method, "/api/admin/users/u1/suspension", { token: API_KEY, body });
  assert.equal((await ban("PUT", { reason: "Fraud" })).status, 200);
  await everywhere(server, banned, 403);
  assert.deepEqual(await Promise.all(ended), ["io server disconnect", "io server disconnect"]);
  // Another token of the same user is as good as the first.
  for (const bearer of [banned, signed("RS256", key, { userId: "u1", n: 1 })]) {
    for (const auth of [{ token: bearer }, { token: bearer, recovery: true, serverOffset: 0 }]) {
      const error = await new Client(t, server, auth, { reconnection: false }).refused();
      assert.equal(error.message, "Authentication error: account suspended");
    }
  }
  assert.equal(await status(server, other), 200);
  assert.ok(kept.socket.connected);
  assert.equal((await ban("DELETE")).status, 200);
  await everywhere(server, banned, 200);
  assert.equal((await server.request("PUT", "/api/admin/users/u1", { token: API_KEY, body: { full_name: "U" } })).status, 201);
  const issued = await server.request("POST", "/api/admin/users/u1/token", { token: API_KEY, body: {} });
  assert.deepEqual([issued.status, issued.json], [409, { success: false, message: "Tokens are signed by the platform" }]);
});

test("a token that is known ends when its time is over", async (t) => {
  const folder = temporaryFolder(t);
  const { key, file } = keyPair(folder, "platform", KINDS.EdDSA);
  const server = await Server.start(t, { JWT_SECRET: "", JWT_PUBLIC_KEY_FILE: file }, { folder });
  const exp = seconds() + 2;
  const short = signed("EdDSA", key, { userId: "u", exp });
  assert.equal(await status(server, short), 200);
  while (Date.now() < exp * 1000) await new Promise((resolve) => setTimeout(resolve, exp * 1000 - Date.now()));
  assert.equal(await status(server, short), 401);
});

test("issuer, audience and the role's claim are the settings'", async (t) => {
  const settings = { JWT_USER_CLAIM: "uid", JWT_ROLE_CLAIM: "https://horse.example/role", JWT_ISSUER: "https://id.example", JWT_AUDIENCE: "chat" };
  const server = await Server.start(t, settings);
  const claims = { uid: "u", iss: "https://id.example", aud: "chat" };
  const of = (more) => status(server, token({ ...claims, ...more }));
  for (const good of [{}, { aud: ["shop", "chat"] }, { userId: 7 }]) assert.equal(await of(good), 200, JSON.stringify(good));
  const bad = [{ iss: undefined }, { iss: "https://id.example/" }, { iss: ["https://id.example"] }, { aud: undefined }, { aud: "shop" }, { aud: [] }, { aud: ["shop", ["chat"]] }, { aud: { chat: 1 } }, { uid: undefined, userId: "u" }];
  for (const claim of bad) assert.equal(await of(claim), 401, JSON.stringify(claim));
  const reports = async (more) => (await server.request("GET", "/api/admin/reports", { token: token({ ...claims, ...more }) })).status;
  assert.equal(await reports({ "https://horse.example/role": "admin" }), 200);
  assert.equal(await reports({ role: "admin" }), 403);
  // What is issued here is good here.
  const { token: own } = await server.register();
  assert.equal(await status(server, own), 200);
  assert.equal(await status(server, run(server.folder, ["token", "u"], { JWT_SECRET: SECRET, ...settings }).stdout.trim()), 200);
});

test("accounts are off where the setting says so", async (t) => {
  const server = await Server.start(t, { ACCOUNTS: "off" });
  assert.equal((await server.request("POST", "/api/auth/login", { body: {} })).status, 404);
  assert.equal((await server.request("POST", "/api/auth/register", { body: {} })).status, 404);
  assert.equal(await status(server, token({ userId: "u" })), 200);
  const withAccounts = await Server.start(t);
  for (const path of ["/", "/admin"]) {
    const [off, on] = [await server.request("GET", path), await withAccounts.request("GET", path)];
    // A build without Node.js has no page.
    if (!on.text.includes("data-accounts")) continue;
    assert.match(off.text, /data-accounts="off"/, path);
    assert.match(on.text, /data-accounts="on"/, path);
    assert.notEqual(off.headers.get("etag"), on.headers.get("etag"), path);
  }
  const demo = run(server.folder, ["demo"], { ACCOUNTS: "off" });
  assert.equal(demo.status, 2);
  assert.match(demo.stderr, /ACCOUNTS/);
});

test("a key that can't be used stops the start with one line", (t) => {
  const folder = temporaryFolder(t);
  const refused = (settings, pattern) => {
    const { status: code, stderr } = run(folder, ["serve"], settings);
    assert.equal(code, 2, stderr);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.match(stderr, pattern);
  };
  const { file } = keyPair(folder, "good", KINDS.RS256);
  refused({ JWT_PUBLIC_KEY_FILE: file, JWT_SECRET: SECRET }, /JWT_PUBLIC_KEY_FILE: JWT_SECRET is set/);
  refused({ JWT_PUBLIC_KEY_FILE: file, ACCOUNTS: "on" }, /JWT_PUBLIC_KEY_FILE: ACCOUNTS is on/);
  refused({ JWT_PUBLIC_KEY_FILE: "absent" }, /JWT_PUBLIC_KEY_FILE: absent: No such file/);
  const short = keyPair(folder, "short", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
  refused({ JWT_PUBLIC_KEY_FILE: short.file }, /JWT_PUBLIC_KEY_FILE: .*short\.pem: an RSA key of 1024 bits; it needs 2048/);
  refused({ JWT_PUBLIC_KEY_FILE: join(folder, "good.key") }, /JWT_PUBLIC_KEY_FILE: .*a private key/);
  const curve = keyPair(folder, "p384", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]);
  refused({ JWT_PUBLIC_KEY_FILE: curve.file }, /neither RSA, nor of the curve P-256, nor Ed25519/);
  const pem = readFileSync(file, "utf8");
  for (const [name, text, pattern] of [
    ["text", "hello", /no public key in PEM/],
    ["cut", pem.slice(0, 200), /can't be read/],
    ["two", pem + pem, /more than one key/],
  ]) {
    writeFileSync(join(folder, name), text);
    refused({ JWT_PUBLIC_KEY_FILE: name }, pattern);
  }
});
