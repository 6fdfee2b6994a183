// What a client asks for when it comes back.
const CONTROL = "\u0001".repeat(2000);

const many = (seed) => seed.once("many", () => {
  for (let n = 0; n < 4_000; n++) {
    seed.conversation(`many ${n}`, "many", `many ${n}`);
    seed.message(`many ${n}`, `many ${n}`, "Is she still for sale?");
  }
});

export default [
  {
    name: "40 replays of 1000 messages of control characters, read slowly",
    isQuick: true,
    seed(seed) {
      seed.conversation("heavy", "heavy reader", "heavy writer");
      // In JSON each is 12 kB.
      for (let n = 0; n < 1_000; n++) seed.message("heavy", "heavy writer", CONTROL);
    },
    async run(attacker) {
      const wires = [];
      await attacker.each(40, 8, async (n) => {
        const wire = await attacker.connect(n, "heavy reader", { auth: { serverOffset: "0" } }).catch(() => undefined);
        wire?.socket.pause();
        wires.push(wire);
      });
      // A little every tenth of a second: never so slow that it would be cut off.
      for (let n = 0; n < (attacker.isQuick ? 30 : 80); n++) {
        for (const wire of wires) wire?.socket.resume();
        await attacker.sleep(2);
        for (const wire of wires) wire?.socket.pause();
        await attacker.sleep(98);
      }
      wires.forEach((wire) => wire?.close());
    },
  },
  {
    name: "2000 replays of a user with 4000 conversations, who leaves at once",
    seed: many,
    async run(attacker) {
      const end = performance.now() + 30_000;
      await attacker.each(attacker.isQuick ? 200 : 2_000, 8, async (n) => {
        if (performance.now() > end) return;
        const wire = await attacker.connect(n, "many", { auth: { serverOffset: attacker.id("many") } }).catch(() => undefined);
        await Promise.race([wire?.packet(/"resync"|"new_message"/).catch(() => {}), attacker.sleep(500)]);
        wire?.close();
      });
    },
  },
  {
    name: "200 replays of a user with 4000 conversations, and all stay",
    seed: many,
    async run(attacker) {
      const wires = [];
      await attacker.each(200, 8, async (n) => wires.push(await attacker.connect(n, "many", { auth: { serverOffset: "0" } }).catch(() => undefined)));
      await attacker.sleep(3_000);
      wires.forEach((wire) => wire?.close());
    },
  },
  {
    name: "2000 replays from offsets that are no message",
    isQuick: true,
    seed: (seed) => seed.conversation("guesses", "guesser", "guessed"),
    async run(attacker) {
      await attacker.each(attacker.isQuick ? 400 : 2_000, 8, async (n) => {
        const offset = ["no id", "f".repeat(24), "0".repeat(24), n.toString(16).padStart(24, "5"), "x".repeat(50_000)][n % 5];
        (await attacker.connect(n, "guesser", { auth: { serverOffset: offset } }).catch(() => undefined))?.close();
      });
    },
  },
  {
    name: "messages for 100 sockets whose replays are under way",
    seed(seed) {
      seed.conversation("behind", "behind", "ahead");
      for (let n = 0; n < 900; n++) seed.message("behind", "ahead", CONTROL);
    },
    async run(attacker) {
      const wires = [];
      await attacker.each(100, 8, async (n) => {
        const wire = await attacker.connect(n, "behind", { auth: { serverOffset: "0" } }).catch(() => undefined);
        wire?.socket.pause();
        wires.push(wire);
      });
      const writer = await attacker.connect(0, "ahead");
      await attacker.pace(10, 10, (n) => writer.ask("send_message", { conversation_id: attacker.id("behind"), text: CONTROL, client_id: `${n}` }));
      wires.forEach((wire) => wire?.close());
    },
  },
];
