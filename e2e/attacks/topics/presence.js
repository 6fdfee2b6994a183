// What is told to others when a user comes, goes, types or joins.
const typed = (seed) => seed.once("typed", () => {
  for (let n = 0; n < 1_000; n++) seed.conversation(`typed ${n}`, "typist", `reader ${n}`);
});

export default [
  {
    name: "a user with 3000 partners comes and goes",
    seed(seed) {
      for (let n = 0; n < 3_000; n++) seed.conversation(`partner ${n}`, "popular", `partner ${n}`);
    },
    async run(attacker) {
      const partners = [];
      await attacker.each(attacker.isQuick ? 50 : 300, 8, async (n) => partners.push(await attacker.connect(n, `partner ${n}`).catch(() => undefined)));
      await attacker.sleep(1_000);
      const told = () => partners.reduce((sum, wire) => sum + (wire?.counts.get("presence") ?? 0), 0);
      const before = told();
      for (let n = 0; n < 4; n++) {
        const wire = await attacker.connect(n, "popular").catch(() => undefined);
        await attacker.sleep(1_000);
        wire?.close();
        // Beyond the grace, so that each time is told.
        await attacker.sleep(n === 3 ? 0 : 6_000);
      }
      await attacker.sleep(1_000);
      attacker.check(told() > before, "no partner was told");
      attacker.note(`${partners.filter(Boolean).length} partners connected, told ${told() - before} times`);
    },
  },
  {
    name: "typing in 1000 conversations, as quickly as it is taken",
    isQuick: true,
    seed: typed,
    async run(attacker) {
      const typist = await attacker.connect(0, "typist");
      const reader = await attacker.connect(1, "reader 0");
      await reader.ask("join_conversation", attacker.id("typed 0"));
      const all = Buffer.concat(Array.from({ length: 1_000 }, (_, n) => attacker.frame(`42${JSON.stringify([n % 2 ? "typing" : "stop_typing", attacker.id(`typed ${n >> 1}`)])}`)));
      for (let n = 0; n < (attacker.isQuick ? 20 : 60); n++) {
        typist.socket.write(all);
        await typist.drained();
        await attacker.sleep(50);
      }
      await typist.ask("join_conversation", "nowhere");
      attacker.check((reader.counts.get("user_typing") ?? 0) < 1_000, "the other was flooded");
    },
  },
  {
    name: "joins of 1000 conversations, over and over",
    isQuick: true,
    seed: typed,
    async run(attacker) {
      const all = Buffer.concat(Array.from({ length: 1_000 }, (_, n) => attacker.frame(`42${JSON.stringify(["join_conversation", attacker.id(`typed ${n}`)])}`)));
      const wires = await Promise.all(Array.from({ length: 10 }, (_, n) => attacker.connect(n, "typist")));
      for (let n = 0; n < (attacker.isQuick ? 3 : 10); n++) {
        for (const wire of wires) {
          wire.socket.write(all);
          await wire.drained();
          wire.emit("leave_conversation", attacker.id("typed 0"));
          await attacker.sleep(20);
        }
      }
      await Promise.all(wires.map((wire) => wire.ask("join_conversation", "nowhere")));
    },
  },
  {
    name: "settings of 1000 conversations, changed as quickly as it is taken",
    isQuick: true,
    seed: typed,
    async run(attacker) {
      const rounds = attacker.isQuick ? 10 : 40;
      const [watcher, ...wires] = await Promise.all(Array.from({ length: 5 }, (_, n) => attacker.connect(n, "typist")));
      const began = performance.now();
      for (let round = 0; round < rounds; round++) {
        const change = { archived: round % 2 === 0, muted: round % 3 === 0, pinned: round % 5 === 0 };
        const all = Buffer.concat(Array.from({ length: 250 }, (_, n) => attacker.frame(`42${JSON.stringify(["update_conversation", { conversation_id: attacker.id(`typed ${n + 250 * (round % 4)}`), ...change }])}`)));
        for (const wire of wires) {
          wire.socket.write(all);
          await wire.drained();
        }
        await attacker.sleep(250);
      }
      await Promise.all(wires.map((wire) => wire.ask("join_conversation", "nowhere")));
      await attacker.sleep(500);
      const told = watcher.counts.get("conversation_updated") ?? 0;
      const most = attacker.nodes.length * (500 + (performance.now() - began) / 10);
      attacker.note(`another device was sent ${told} conversations`);
      attacker.check(told > 0 && told <= most, `another device was sent ${told} conversations, at most ${most.toFixed(0)} are allowed`);
    },
  },
  {
    name: "a user's 300 devices come and go",
    seed: (seed) => seed.conversation("devices", "collector", "friend of the collector"),
    async run(attacker) {
      for (let round = 0; round < (attacker.isQuick ? 1 : 4); round++) {
        const wires = [];
        await attacker.each(300, 8, async (n) => wires.push(await attacker.connect(n, "collector", { auth: { recovery: n % 2 === 0 } }).catch(() => undefined)));
        wires.forEach((wire) => wire?.close());
      }
    },
  },
];
