// What is written, changed, complained of and blocked.
export default [
  {
    name: "1498 edits of long texts in ten seconds",
    isQuick: true,
    seed: (seed) => seed.conversation("edited", "editor", "editor's friend"),
    async run(attacker) {
      const wire = await attacker.connect(0, "editor");
      const sent = await wire.ask("send_message", { conversation_id: attacker.id("edited"), text: "first" });
      const seconds = attacker.isQuick ? 3 : 10;
      const answers = await attacker.pace(150, seconds, (n) => wire.ask("edit_message", { message_id: sent.data._id, text: `${n} ${"\u0001".repeat(1990)}` }));
      const taken = answers.filter((answer) => answer?.success).length;
      // As messages: ten a second, and a burst of fifty.
      attacker.check(taken <= 50 + 10 * (seconds + 2), `${taken} edits were taken`);
      attacker.check(answers.every((answer) => answer), "an acknowledgement did not come");
    },
  },
  {
    name: "300 complaints about one message",
    isQuick: true,
    seed(seed) {
      seed.conversation("complained", "complainer", "accused");
      seed.message("complained", "accused", "\u0001".repeat(2000));
    },
    async run(attacker) {
      const wire = await attacker.connect(0, "complainer");
      const { data } = await wire.ask("fetch_messages", { conversation_id: attacker.id("complained") });
      const answers = await attacker.pace(100, 3, () => wire.ask("report_message", { message_id: data[0]._id, reason: "x".repeat(1000) }));
      const reports = new Set(answers.filter((answer) => answer?.success).map((answer) => answer.data.report_id));
      attacker.check(reports.size === 1, `${reports.size} reports were kept`);
    },
  },
  {
    name: "events that nobody knows, by the thousand",
    isQuick: true,
    seed: (seed) => seed.user("inventor"),
    async run(attacker) {
      const wire = await attacker.connect(0, "inventor");
      const many = Buffer.concat(Array.from({ length: 1_000 }, (_, n) => attacker.frame(`42${n}["no_such_event_${n % 7}",{"x":[${"1,".repeat(20)}1]}]`)));
      for (let n = 0; n < (attacker.isQuick ? 20 : 100) && !wire.socket.destroyed; n++) {
        wire.socket.write(many);
        await Promise.race([wire.drained(), attacker.sleep(1_000)]);
        await attacker.sleep(50);
      }
    },
  },
  {
    name: "blocks put and taken back, by one with 1000 conversations",
    isQuick: true,
    seed: (seed) => {
      for (let n = 0; n < 1_000; n++) seed.conversation(`blocked ${n}`, "blocker", `blocked ${n}`);
    },
    async run(attacker) {
      const wire = await attacker.connect(0, "blocker");
      await attacker.pace(1_000, attacker.isQuick ? 2 : 6, (n) => wire.ask(n % 2 ? "unblock_user" : "block_user", { user_id: attacker.id(`blocked ${(n >> 1) % 1_000}`) }));
    },
  },
  {
    name: "messages of the greatest size at the greatest rate, of 50 users",
    seed(seed) {
      for (let n = 0; n < 50; n++) seed.conversation(`loud ${n}`, `shouter ${n}`, `shouted at ${n}`);
    },
    async run(attacker) {
      const wires = (await Promise.all(Array.from({ length: 50 }, (_, n) => attacker.connect(n, `shouter ${n}`)))).filter(Boolean);
      const text = "\u{1F40E}".repeat(1000);
      await attacker.pace(500, attacker.isQuick ? 2 : 8, (n) => {
        const wire = wires[n % wires.length];
        return wire.ask("send_message", { conversation_id: attacker.id(`loud ${n % 50}`), text, client_id: `${n}`.padStart(64, "c") });
      });
    },
  },
  {
    name: "messages over the rate, and to conversations of others",
    isQuick: true,
    seed: (seed) => seed.user("stranger"),
    async run(attacker) {
      const wire = await attacker.connect(0, "stranger");
      const many = Buffer.concat(Array.from({ length: 500 }, (_, n) => attacker.frame(`42${n}${JSON.stringify(["send_message", { conversation_id: attacker.id(n % 2 ? "victims-0" : `nowhere ${n}`), text: "x".repeat(2000) }])}`)));
      for (let n = 0; n < (attacker.isQuick ? 10 : 60); n++) {
        wire.socket.write(many);
        await wire.drained();
        await attacker.sleep(100);
      }
    },
  },
  {
    name: "repeats of one client_id",
    seed: (seed) => seed.conversation("repeated", "repeater", "repeater's friend"),
    async run(attacker) {
      const wire = await attacker.connect(0, "repeater");
      const answers = await attacker.pace(100, 5, () => wire.ask("send_message", { conversation_id: attacker.id("repeated"), text: "once", client_id: "one" }));
      const ids = new Set(answers.filter((answer) => answer?.success).map((answer) => answer.data._id));
      attacker.check(ids.size === 1, `${ids.size} messages were stored`);
    },
  },
];
