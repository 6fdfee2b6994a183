// Contract, part two, section 4: each secret has a `_FILE` twin.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { SECRET, Server, run, temporaryFolder, token } from "../lib/server.js";

test("secrets come from files", async (t) => {
  const folder = temporaryFolder(t);
  const file = (name, content) => {
    writeFileSync(join(folder, name), content);
    return name;
  };
  const settings = {
    JWT_SECRET: "",
    JWT_SECRET_FILE: file("secret", `${SECRET}\n`),
    DATABASE_URL_FILE: file("database", "sqlite://from-file.db\r\n"),
    METRICS_TOKEN_FILE: file("metrics", "0123456789abcdef"),
  };
  const server = await Server.start(t, settings, { folder });
  const me = (bearer) => server.request("GET", "/api/chat/unread-count", { token: bearer });
  assert.equal((await me(token({ userId: "u" }))).status, 200, "the line break is no part of the secret");
  assert.equal((await me(token({ userId: "u" }, { secret: `${SECRET}\n` }))).status, 401);
  assert.equal((await server.request("GET", "/metrics", { token: "0123456789abcdef" })).status, 200);
  assert.equal((await server.request("GET", "/metrics")).status, 404);
  const issued = run(folder, ["token", "u"], { JWT_SECRET_FILE: "secret" });
  assert.equal((await me(issued.stdout.trim())).status, 200);
});

test("a file that can't be used stops the start with one line", (t) => {
  const folder = temporaryFolder(t);
  const refused = (settings, ...patterns) => {
    const { status, stderr } = run(folder, ["serve"], settings);
    assert.equal(status, 2, stderr);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    for (const pattern of patterns) assert.match(stderr, pattern);
    assert.doesNotMatch(stderr, /hush/);
  };
  writeFileSync(join(folder, "empty"), "\n");
  writeFileSync(join(folder, "hush"), "hush");
  for (const name of ["JWT_SECRET", "DATABASE_URL", "REDIS_URL", "METRICS_TOKEN", "API_KEYS"]) {
    const secret = name === "JWT_SECRET" ? {} : { JWT_SECRET: SECRET };
    const setting = `${name}_FILE`;
    refused({ ...secret, [setting]: "absent" }, new RegExp(`${setting}: absent: No such file`));
    refused({ ...secret, [setting]: "empty" }, new RegExp(`${setting}: empty: empty`));
    refused({ ...secret, [setting]: "." }, new RegExp(`${setting}: \\.: Is a directory`));
  }
  writeFileSync(join(folder, "other"), "hush hush");
  refused({ JWT_SECRET: SECRET, JWT_SECRET_FILE: "other" }, /JWT_SECRET_FILE: JWT_SECRET is set/);
  refused({ JWT_SECRET: SECRET, METRICS_TOKEN_FILE: "other" }, /METRICS_TOKEN_FILE: other: at least 16/);
});
