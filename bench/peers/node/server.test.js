// The peer must do the same work as the product, or the comparison means nothing.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import jwt from "jsonwebtoken";
import { io } from "socket.io-client";

import { Postgres, Redis } from "../../../e2e/lib/cluster.js";

const ANA = "0".repeat(23) + "1";
const BRUNO = "0".repeat(23) + "2";
const CARLA = "0".repeat(23) + "3";
const CONVERSATION = "0".repeat(23) + "4";

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

const next = (socket, event) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} within 5 s`)), 5000);
    socket.once(event, (value) => (clearTimeout(timer), resolve(value)));
  });

for (const kind of ["memory", "durable", "PostgreSQL, sharded adapter", "PostgreSQL, plain adapter"]) {
  describe(`store: ${kind}`, () => {
    let folder;
    const urls = [];
    const sockets = [];
    const ends = [];
    // Each to the next process, if there are several.
    const connect = (auth) => {
      const socket = io(urls[sockets.length % urls.length], { transports: ["websocket"], auth, forceNew: true });
      sockets.push(socket);
      return socket;
    };
    const join_ = (socket) => socket.timeout(5000).emitWithAck("join_conversation", CONVERSATION);

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), "peer-"));
      const users = [ANA, BRUNO, CARLA].map((id) => JSON.stringify({ _id: { $oid: id }, full_name: `Name ${id}` }));
      writeFileSync(join(folder, "users"), users.join("\n") + "\n");
      const conversation = { _id: { $oid: CONVERSATION }, participants: [{ $oid: ANA }, { $oid: BRUNO }] };
      writeFileSync(join(folder, "conversations"), JSON.stringify(conversation) + "\n");
      const isCluster = kind.startsWith("PostgreSQL");
      const settings = { STORE: kind === "memory" ? "memory" : join(folder, "store.db") };
      if (isCluster) {
        const t = { after: (end) => ends.unshift(end) };
        const [postgres, redis] = await Promise.all([Postgres.start(t), Redis.start(t)]);
        Object.assign(settings, { STORE: postgres.database("chat"), REDIS_URL: redis.url, ADAPTER: kind.match(/(\w+) adapter/)[1] });
      }
      for (let n = 0; n < (isCluster ? 2 : 1); n++) {
        const port = await freePort();
        urls.push(`http://127.0.0.1:${port}`);
        const server = spawn(process.execPath, [join(import.meta.dirname, "server.js")], {
          stdio: "inherit",
          env: {
            ...process.env,
            PORT: String(port),
            JWT_SECRET: "secret",
            USERS: join(folder, "users"),
            CONVERSATIONS: join(folder, "conversations"),
            ...settings,
          },
        });
        const exited = new Promise((resolve) => server.once("exit", resolve));
        ends.unshift(() => (server.kill(), exited));
      }
    });

    after(async () => {
      for (const socket of sockets) socket.close();
      for (const end of ends) await end();
      rmSync(folder, { recursive: true });
    });

    test("a message goes to the conversation, the notification to the other, the acknowledgement to the sender", async () => {
      const ana = connect({ token: jwt.sign({ userId: ANA, role: "seller" }, "secret") });
      const bruno = connect({ token: jwt.sign({ userId: BRUNO, role: "seller" }, "secret") });
      await Promise.all([next(ana, "connect"), next(bruno, "connect")]);
      assert.deepEqual(await join_(ana), { success: true });
      assert.deepEqual(await join_(bruno), { success: true });

      const arrivals = Promise.all([next(ana, "new_message"), next(bruno, "new_message"), next(bruno, "message_notification")]);
      const payload = { conversation_id: CONVERSATION, text: "Is the mare still for sale?" };
      const reply = await ana.timeout(5000).emitWithAck("send_message", payload);
      const [own, theirs, notification] = await arrivals;
      assert.equal(reply.success, true);
      assert.equal(reply.data.text, payload.text);
      assert.deepEqual(reply.data.sender_id, { _id: ANA, full_name: `Name ${ANA}` });
      assert.deepEqual(own, reply.data);
      assert.deepEqual(theirs, reply.data);
      if (kind.startsWith("PostgreSQL")) {
        const more = [];
        for (let n = 0; n < 20; n++) more.push((n % 2 ? ana : bruno).timeout(5000).emitWithAck("send_message", payload));
        const seqs = (await Promise.all(more)).map(({ data }) => data.seq);
        assert.deepEqual(seqs.toSorted((one, other) => one - other), Array.from(seqs, (_, n) => reply.data.seq + 1 + n), "without holes");
      }
      assert.deepEqual(notification, { conversation_id: CONVERSATION, sender: ANA, preview: payload.text });

      const typing = next(bruno, "user_typing");
      ana.emit("typing", CONVERSATION);
      assert.deepEqual(await typing, { userId: ANA, conversation_id: CONVERSATION });
    });

    test("a stranger neither joins nor writes, and a bad token does not connect", async () => {
      const carla = connect({ token: jwt.sign({ userId: CARLA, role: "seller" }, "secret") });
      await next(carla, "connect");
      const refused = { success: false, message: "Conversation not found" };
      assert.deepEqual(await join_(carla), refused);
      const payload = { conversation_id: CONVERSATION, text: "hello" };
      assert.deepEqual(await carla.timeout(5000).emitWithAck("send_message", payload), refused);

      const error = await next(connect({ token: "x" }), "connect_error");
      assert.equal(error.message, "Authentication error: invalid token");
    });
  });
}
