// Connections and what one of them can have the server hold.
export default [
  {
    name: "handshakes without a user, over both transports",
    isQuick: true,
    async run(attacker) {
      await attacker.pace(300, attacker.isQuick ? 2 : 5, (n) => (n % 2
        ? attacker.open(n, { address: "203.0.113.9" }).catch(() => {})
        : attacker.http(n, "GET", "/socket.io/?EIO=4&transport=polling", { address: "203.0.113.9" })));
      await attacker.sleep(1_000);
    },
  },
  {
    name: "polling sessions of a user that are never polled",
    seed: (seed) => seed.user("lurker"),
    async run(attacker) {
      const connect = `40${JSON.stringify({ token: attacker.token("lurker"), serverOffset: "0" })}`;
      await attacker.pace(200, 10, async (n) => {
        const { status, text } = await attacker.http(n, "GET", "/socket.io/?EIO=4&transport=polling");
        if (status !== 200) return;
        const { sid } = JSON.parse(text.slice(1));
        await attacker.http(n, "POST", `/socket.io/?EIO=4&transport=polling&sid=${sid}`, { raw: connect, headers: { "content-type": "text/plain" } });
      });
    },
  },
  {
    name: "10 200 recoverable connections that come and go",
    seed: (seed) => (seed.user("comer"), seed.conversation("come back", "comer back", "friend of the comer back")),
    async run(attacker) {
      const recovery = { auth: { recovery: true } };
      const lost = await attacker.connect(0, "comer back", recovery);
      await lost.ask("join_conversation", attacker.id("come back"));
      lost.close();
      // Less than the recovery window, which is ten seconds here.
      const end = performance.now() + 8_000;
      let came = 0;
      await attacker.each(attacker.isQuick ? 1_000 : 10_200, 24, async (n) => {
        if (performance.now() > end) return;
        const wire = await attacker.connect(n, "comer", recovery).catch(() => undefined);
        if (wire) came++;
        wire?.close();
      });
      const back = await attacker.connect(0, "comer back", { auth: { recovery: true, pid: lost.reply.pid } });
      attacker.note(`${came} came and went`);
      attacker.check(back?.reply.pid === lost.reply.pid, "another user's connection was not recovered");
    },
  },
  {
    name: "CONNECT and disconnect in turn on one connection",
    isQuick: true,
    seed: (seed) => seed.user("turner"),
    async run(attacker) {
      const wire = await attacker.open(0);
      const turn = Buffer.concat([`40${JSON.stringify({ token: attacker.token("turner"), serverOffset: "0" })}`, "41"].map((packet) => attacker.frame(packet)));
      const many = Buffer.concat(Array.from({ length: 20 }, () => turn));
      for (let n = 0; n < 100 && !wire.socket.destroyed; n++) {
        wire.socket.write(many);
        await wire.drained();
        await attacker.sleep(20);
      }
    },
  },
  {
    name: "CONNECT with wrong tokens of 90 kB",
    async run(attacker) {
      const wrong = "x".repeat(90_000);
      await attacker.pace(40, 5, async (n) => {
        const wire = await attacker.open(n).catch(() => undefined);
        if (!wire) return;
        for (let k = 0; k < 17; k++) wire.connectPacket({ token: wrong });
        await Promise.race([wire.socket.ended, attacker.sleep(500)]);
        wire.close();
      });
    },
  },
  {
    name: "attachments that are announced and never sent",
    isQuick: true,
    seed: (seed) => seed.user("announcer"),
    async run(attacker) {
      const wires = await Promise.all(Array.from({ length: attacker.isQuick ? 100 : 300 }, (_, n) => attacker.connect(n, "announcer").catch(() => undefined)));
      const holders = Array.from({ length: 10 }, (_, num) => `{"_placeholder":true,"num":${num}}`);
      // Nine of ten come, which is 90 kB for each connection.
      for (const wire of wires.filter(Boolean)) {
        wire.text(`510-["send_message",${holders.join(",")}]`);
        for (let n = 0; n < 9; n++) wire.socket.write(attacker.frame(Buffer.alloc(10_000), { opcode: 0x2 }));
        await attacker.sleep(2);
      }
      await attacker.sleep(3_000);
      wires.forEach((wire) => wire?.close());
    },
  },
  {
    name: "messages in 1000 fragments, slowly, over 500 connections",
    seed: (seed) => seed.user("fragmenter"),
    async run(attacker) {
      const wires = (await Promise.all(Array.from({ length: 500 }, (_, n) => attacker.connect(n, "fragmenter").catch(() => undefined)))).filter(Boolean);
      wires.forEach((wire) => wire.socket.write(attacker.frame("4", { isFinal: false })));
      const part = attacker.frame(Buffer.alloc(98, "x"), { opcode: 0x0, isFinal: false });
      const parts = Buffer.concat(Array.from({ length: 50 }, () => part));
      for (let n = 0; n < 19; n++) {
        for (const wire of wires) wire.socket.write(parts);
        await attacker.sleep(400);
      }
      wires.forEach((wire) => wire.close());
    },
  },
  {
    name: "frames announced with 100 kB of which the last byte does not come",
    isQuick: true,
    async run(attacker) {
      const body = attacker.frame(Buffer.alloc(99_000, "4"), { announced: 99_990 });
      // In no namespace: nobody has said who asks.
      const wires = [];
      await attacker.pace(attacker.isQuick ? 100 : 500, attacker.isQuick ? 5 : 8, async (n) => {
        const wire = await attacker.open(n, { address: "203.0.113.9" }).catch(() => undefined);
        wire?.socket.write(body);
        wires.push(wire);
      });
      await attacker.sleep(1_000);
      wires.forEach((wire) => wire?.close());
    },
  },
  {
    name: "sockets that read nothing while much is sent to them",
    seed: (seed) => seed.conversation("deaf", "deaf", "loud"),
    async run(attacker) {
      const deaf = (await Promise.all(Array.from({ length: 200 }, (_, n) => attacker.connect(n, "deaf").catch(() => undefined)))).filter(Boolean);
      await Promise.all(deaf.map((wire) => wire.ask("join_conversation", attacker.id("deaf"))));
      deaf.forEach((wire) => wire.socket.pause());
      const loud = await attacker.connect(0, "loud");
      await attacker.pace(10, attacker.isQuick ? 3 : 12, (n) => loud.ask("send_message", { conversation_id: attacker.id("deaf"), text: "\u0001".repeat(2000), client_id: `${n}` }));
      deaf.forEach((wire) => wire.close());
    },
  },
  {
    name: "5 connections an address, 40 addresses of one IPv6 /64",
    settings: { MAX_CONNECTIONS_PER_ADDRESS: "5", TRUSTED_PROXIES: "127.0.0.1" },
    seed: (seed) => seed.user("neighbour"),
    async run(attacker) {
      const taken = await Promise.all(Array.from({ length: 40 }, async (_, n) => attacker.connect(0, "neighbour", { address: `2001:db8:0:7::${(n + 1).toString(16)}` }).catch(() => undefined)));
      attacker.check(taken.filter(Boolean).length <= 5, `${taken.filter(Boolean).length} connections of one /64 were taken`);
      const elsewhere = await attacker.connect(0, "neighbour", { address: "2001:db8:0:8::1" }).catch(() => undefined);
      attacker.check(elsewhere, "a connection of another /64 was refused");
    },
  },
];
