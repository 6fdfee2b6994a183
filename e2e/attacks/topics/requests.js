// Headers and bodies, of whom nobody knows yet who asks.
const head = (method, path, headers) => `${method} ${path} HTTP/1.1\r\nHost: x\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;

/** Bodies of 100 kB that come slowly over many connections at once. */
async function slowBodies(attacker, count, path, headers = {}) {
  const sockets = [];
  await attacker.each(count, 50, async (n) => {
    const socket = await attacker.tcp(attacker.node(n));
    socket.resume();
    socket.write(head("POST", path, { "Content-Type": "application/json", "Content-Length": 100_000, "X-Forwarded-For": "203.0.113.50", ...headers }));
    sockets.push(socket);
  });
  const part = Buffer.alloc(8_000, "x");
  for (let n = 0; n < 12; n++) {
    for (const socket of sockets) if (!socket.destroyed) socket.write(part);
    await attacker.sleep(400);
  }
  await attacker.sleep(500);
  sockets.forEach((socket) => socket.destroy());
}

export default [
  {
    name: "1000 bodies of 100 kB without a token, slowly",
    isQuick: true,
    run: (attacker) => slowBodies(attacker, attacker.isQuick ? 400 : 1_000, "/api/chat/conversations"),
  },
  {
    name: "1000 bodies of 100 kB for a login, slowly",
    run: (attacker) => slowBodies(attacker, 1_000, "/api/auth/login"),
  },
  {
    name: "1000 bodies of 100 kB with one token, slowly",
    seed: (seed) => seed.user("slow poster"),
    run: (attacker) => slowBodies(attacker, 1_000, "/api/chat/conversations", { Authorization: `Bearer ${attacker.token("slow poster")}` }),
  },
  {
    name: "1000 polling bodies of 100 kB of nobody, slowly",
    async run(attacker) {
      const sids = [];
      await attacker.each(1_000, 20, async (n) => {
        const { status, text } = await attacker.http(n, "GET", "/socket.io/?EIO=4&transport=polling");
        if (status === 200) sids.push([n, JSON.parse(text.slice(1)).sid]);
      });
      const sockets = [];
      for (const [n, sid] of sids) {
        const socket = await attacker.tcp(attacker.node(n));
        socket.resume();
        socket.write(head("POST", `/socket.io/?EIO=4&transport=polling&sid=${sid}`, { "Content-Type": "text/plain", "Content-Length": 99_999 }));
        sockets.push(socket);
      }
      for (let n = 0; n < 12; n++) {
        for (const socket of sockets) if (!socket.destroyed) socket.write(Buffer.alloc(8_000, "x"));
        await attacker.sleep(400);
      }
      sockets.forEach((socket) => socket.destroy());
    },
  },
  {
    name: "1000 heads of 16 KiB, slowly",
    isQuick: true,
    async run(attacker) {
      const sockets = [];
      await attacker.each(attacker.isQuick ? 300 : 1_000, 50, async (n) => {
        const socket = await attacker.tcp(attacker.node(n));
        socket.resume();
        socket.write("GET /api/auth/me HTTP/1.1\r\nHost: x\r\n");
        sockets.push(socket);
      });
      for (let n = 0; n < 15; n++) {
        for (const socket of sockets) if (!socket.destroyed) socket.write(`X-${n}: ${"x".repeat(1_000)}\r\n`);
        await attacker.sleep(200);
      }
      sockets.forEach((socket) => socket.destroy());
    },
  },
  {
    name: "heads that are too long, too many or none, by the thousand",
    isQuick: true,
    async run(attacker) {
      const heads = [
        head("GET", "/health", { "X-Long": "x".repeat(20_000) }),
        head("GET", `/${"x".repeat(15_000)}`, {}),
        head("GET", "/health", { "X-Request-Id": "i".repeat(12_000) }),
        head("GET", "/health", Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`X-${n}`, "x"]))),
        "\0".repeat(10_000),
        "GET / HTTP/9\r\n\r\n",
        head("POST", "/api/auth/login", { "Transfer-Encoding": "chunked" }) + "fffffffff\r\n",
      ];
      await attacker.pace(200, attacker.isQuick ? 3 : 8, async (n) => {
        const socket = await attacker.tcp(attacker.node(n));
        socket.resume();
        socket.end(heads[n % heads.length]);
        await Promise.race([socket.ended, attacker.sleep(2_000)]);
        socket.destroy();
      });
    },
  },
  {
    name: "tokens of 12 kB and identifiers of requests, by the thousand",
    isQuick: true,
    async run(attacker) {
      await attacker.pace(300, attacker.isQuick ? 3 : 8, (n) => attacker.http(n, "GET", "/api/auth/me", { token: `e30.${"x".repeat(12_000)}.x`, headers: { "x-request-id": `${n}`.padEnd(128, "-") } }));
    },
  },
  {
    name: "10 000 requests in one write, whose answers nobody takes",
    isQuick: true,
    async run(attacker) {
      const sockets = await Promise.all(Array.from({ length: 20 }, (_, n) => attacker.tcp(attacker.node(n))));
      const many = head("GET", "/socket.io/socket.io.js", {}).repeat(500);
      for (const socket of sockets) {
        socket.pause();
        socket.write(many);
        await attacker.sleep(50);
      }
      await attacker.sleep(attacker.isQuick ? 2_000 : 6_000);
      sockets.forEach((socket) => socket.destroy());
    },
  },
  {
    name: "compressed answers by the thousand",
    async run(attacker) {
      const paths = ["/docs/openapi.yaml", "/docs/asyncapi.yaml", "/socket.io/socket.io.js.map", "/"];
      const end = performance.now() + 8_000;
      let taken = 0;
      await attacker.each(1_000_000, 32, async (n) => {
        if (performance.now() > end) return;
        const { status } = await attacker.http(n, "GET", paths[n % paths.length], { headers: { "accept-encoding": ["gzip", "br", "zstd", "deflate"][n % 4] } });
        if (status === 200) taken++;
        await attacker.sleep(20);
      });
      attacker.note(`${taken} answers`);
    },
  },
  {
    name: "bodies of 20 MB",
    async run(attacker) {
      const part = Buffer.alloc(100_000, "x");
      await attacker.each(40, 10, async (n) => {
        const socket = await attacker.tcp(attacker.node(n));
        socket.resume();
        socket.write(head("POST", "/api/auth/login", { "Content-Type": "application/json", "Content-Length": 20_000_000, "X-Forwarded-For": "203.0.113.51" }));
        for (let k = 0; k < 200 && !socket.destroyed; k++) {
          socket.write(part);
          if (socket.writableNeedDrain) await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), socket.ended]);
        }
        socket.destroy();
      });
    },
  },
];
