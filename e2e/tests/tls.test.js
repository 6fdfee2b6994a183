// PostgreSQL and Redis over TLS, checked against the system's root certificates.
import assert from "node:assert/strict";
import test from "node:test";

import { Client } from "../lib/client.js";
import { Postgres, Redis, certificate } from "../lib/cluster.js";
import { SECRET, Server, run, temporaryFolder } from "../lib/server.js";

test("nodes chat over a PostgreSQL and a Redis that are spoken to over TLS", async (t) => {
  const files = certificate(t);
  const [postgres, redis] = await Promise.all([Postgres.start(t, files), Redis.start(t, files)]);
  const database = postgres.database("chat").replace("127.0.0.1", "localhost");
  const settings = {
    DATABASE_URL: `${database}?sslmode=verify-full`,
    REDIS_URL: redis.url,
    JWT_SECRET: SECRET,
    SSL_CERT_FILE: files.root,
  };
  const nodes = [await Server.start(t, settings), await Server.start(t, settings)];
  const { ana, bruno, conversation } = await nodes[0].pair();
  const [a, b] = [ana, bruno].map((user, n) => new Client(t, nodes[n], { token: user.token }, { transports: ["websocket"] }));
  for (const client of [a, b]) {
    await client.connected();
    await client.ask("join_conversation", conversation);
  }
  const { data } = await a.send(conversation, "Over TLS");
  assert.deepEqual(await b.received("new_message"), [data]);
  const plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'horse-trust' AND NOT ssl";
  assert.equal(postgres.query(plain).stdout.trim(), "0");

  // Without the root each says which setting it is.
  const { SSL_CERT_FILE: _, ...rest } = settings;
  const without = { ...rest, PORT: "0" };
  const { status, stderr } = run(temporaryFolder(t), ["serve"], without);
  assert.equal(status, 2, stderr);
  assert.match(stderr, /sslmode=verify-full/);
  const withRoot = { ...without, DATABASE_URL: `${database}?sslmode=verify-full&sslrootcert=${files.root}` };
  const other = run(temporaryFolder(t), ["serve"], withRoot);
  assert.equal(other.status, 2, other.stderr);
  assert.match(other.stderr, /REDIS_URL: /);
});
