// Histories, lists, and what is read.
const UNREAD = (isQuick) => (isQuick ? 20_000 : 300_000);

const unread = (seed, isQuick) => seed.once("unread", () => {
  seed.conversation("unread", "unread reader", "unread writer");
  for (let n = 0; n < UNREAD(isQuick); n++) seed.message("unread", "unread writer", `${n}`);
});

const pages = (seed) => seed.once("pages", () => {
  seed.conversation("pages", "pager", "pager's friend");
  for (let n = 0; n < 1_000; n++) seed.message("pages", "pager", "\u0001".repeat(2000));
});

const lists = (seed) => seed.once("lists", () => {
  for (let n = 0; n < 5_000; n++) {
    seed.conversation(`list ${n}`, "lister", `listed ${n}`);
    seed.message(`list ${n}`, `listed ${n}`, "\u0001".repeat(200));
  }
});

/** Asks for slices over all of these sockets for some seconds, and reads no answer. */
async function untaken(attacker, wires, seconds) {
  wires.forEach((wire) => wire.socket.pause());
  await attacker.pace(100, seconds, async (n) => {
    const wire = wires[n % wires.length];
    wire.text(`42${n}${JSON.stringify(["fetch_messages", { conversation_id: attacker.id(wire.conversation ?? "pages"), limit: 100 }])}`);
  });
  await attacker.sleep(1_000);
  wires.forEach((wire) => wire.close());
}

export default [
  {
    name: "300 000 unread messages, marked as read one by one, 100 a second",
    isQuick: true,
    seed: unread,
    async run(attacker) {
      const wire = await attacker.connect(0, "unread reader");
      const answers = await attacker.pace(100, attacker.isQuick ? 3 : 10, (n) => wire.ask("mark_read", { conversation_id: attacker.id("unread"), up_to_seq: n + 1 }));
      const taken = answers.filter((answer) => answer?.success);
      attacker.check(answers.every((answer) => answer), "an acknowledgement did not come");
      attacker.check(taken.every(({ data }) => data.conversation_unread_count === UNREAD(attacker.isQuick) - data.up_to_seq), "a wrong count");
      attacker.note(`${taken.length} of ${answers.length} taken`);
    },
  },
  {
    name: "marked as read backwards, and far beyond the end",
    isQuick: true,
    seed: unread,
    async run(attacker) {
      const wire = await attacker.connect(0, "unread reader");
      const answers = await attacker.pace(100, attacker.isQuick ? 2 : 6, (n) => wire.ask("mark_read", { conversation_id: attacker.id("unread"), up_to_seq: n % 10 === 9 ? 2 ** 52 : Math.max(1, 500 - n) }));
      attacker.check(answers.every((answer) => answer), "an acknowledgement did not come");
    },
  },
  {
    name: "299 000 deleted messages at the end: pages, connections and lists",
    seed(seed, isQuick) {
      seed.conversation("deleted", "deleter", "deleter's friend");
      seed.message("deleted", "deleter", "the only one");
      for (let n = 0; n < UNREAD(isQuick) - 1_000; n++) seed.message("deleted", "deleter", "", { isDeleted: true });
    },
    async run(attacker) {
      const path = `/api/chat/conversations/${attacker.id("deleted")}/messages`;
      const times = [];
      const timed = async (act) => {
        const begin = performance.now();
        await act();
        times.push(performance.now() - begin);
      };
      await attacker.pace(60, attacker.isQuick ? 3 : 8, (n) => timed(() => [
        () => attacker.http(n, "GET", `${path}?limit=100`, { user: "deleter" }),
        () => attacker.http(n, "GET", `${path}?limit=100&page=1000`, { user: "deleter's friend" }),
        () => attacker.http(n, "GET", "/api/chat/conversations", { user: "deleter" }),
        async () => {
          const wire = await attacker.connect(n, "deleter", { auth: { serverOffset: "0" } }).catch(() => undefined);
          await Promise.race([wire?.ask("join_conversation", "nowhere"), attacker.sleep(1_000)]);
          wire?.close();
        },
      ][n % 4]()));
      times.sort((one, other) => one - other);
      attacker.note(`the middle of what was asked took ${times[times.length >> 1].toFixed(1)} ms, the longest ${times.at(-1).toFixed(0)} ms`);
    },
  },
  {
    name: "largest pages of history, 64 at once",
    seed: pages,
    async run(attacker) {
      const end = performance.now() + (attacker.isQuick ? 3_000 : 10_000);
      let pages = 0, refused = 0;
      await attacker.each(100_000, 64, async (n) => {
        if (performance.now() > end) return;
        const { status } = await attacker.http(n, "GET", `/api/chat/conversations/${attacker.id("pages")}/messages?limit=100&page=${1 + (n % 10)}`, { user: "pager" });
        if (status === 200) pages++;
        else (refused++, await attacker.sleep(50));
      });
      attacker.note(`${pages} pages, ${refused} refused`);
    },
  },
  {
    name: "a list of 5000 conversations, 32 at once, compressed and not",
    seed: lists,
    async run(attacker) {
      const end = performance.now() + (attacker.isQuick ? 3_000 : 10_000);
      let lists = 0, refused = 0;
      await attacker.each(100_000, 32, async (n) => {
        if (performance.now() > end) return;
        const headers = n % 2 ? { "accept-encoding": "gzip, br, zstd" } : {};
        const { status } = await attacker.http(n, "GET", "/api/chat/conversations", { user: "lister", headers });
        if (status === 200) lists++;
        else (refused++, await attacker.sleep(50));
      });
      attacker.note(`${lists} lists, ${refused} refused`);
    },
  },
  {
    name: "slices of history over 600 sockets of one user, whose answers nobody takes",
    isQuick: true,
    seed: pages,
    async run(attacker) {
      const wires = [];
      await attacker.each(attacker.isQuick ? 100 : 600, 16, async (n) => wires.push(await attacker.connect(n, "pager").catch(() => undefined)));
      await untaken(attacker, wires.filter(Boolean), attacker.isQuick ? 4 : 12);
    },
  },
  {
    name: "slices of history over 1000 sockets of ten users, whose answers nobody takes",
    seed(seed) {
      for (let user = 0; user < 10; user++) {
        seed.conversation(`pages ${user}`, `pager ${user}`, "pager's friend");
        for (let n = 0; n < 100; n++) seed.message(`pages ${user}`, `pager ${user}`, "\u0001".repeat(2000));
      }
    },
    async run(attacker) {
      const wires = [];
      await attacker.each(1_000, 16, async (n) => {
        const wire = await attacker.connect(n, `pager ${n % 10}`).catch(() => undefined);
        if (wire) wires.push(Object.assign(wire, { conversation: `pages ${n % 10}` }));
      });
      await untaken(attacker, wires, 12);
    },
  },
  {
    name: "lists and pages over 400 connections, whose answers nobody takes",
    seed: (seed) => (pages(seed), lists(seed)),
    async run(attacker) {
      const paths = ["/api/chat/conversations", `/api/chat/conversations/${attacker.id("pages")}/messages?limit=100`];
      const sockets = [];
      await attacker.each(400, 16, async (n) => {
        const socket = await attacker.tcp(attacker.node(n));
        socket.pause();
        socket.write(`GET ${paths[n % 2]} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${attacker.token(n % 2 ? "pager" : "lister")}\r\n\r\n`);
        sockets.push(socket);
        await attacker.sleep(200);
      });
      await attacker.sleep(3_000);
      sockets.forEach((socket) => socket.destroy());
    },
  },
  {
    name: "GET without a limit: unread counts, profiles, blocks",
    seed: (seed) => seed.user("getter"),
    async run(attacker) {
      const paths = ["/api/chat/unread-count", "/api/auth/me", "/api/chat/blocks", "/api/chat/conversations"];
      const end = performance.now() + 8_000;
      let taken = 0, refused = 0;
      await attacker.each(1_000_000, 32, async (n) => {
        if (performance.now() > end) return;
        const { status } = await attacker.http(n, "GET", paths[n % paths.length], { user: "getter" });
        if (status === 429) refused++;
        else taken++;
      });
      attacker.note(`${taken} taken, ${refused} refused`);
      // The rate of requests: ten times that of messages, with bursts of five seconds' worth, at each node.
      attacker.check(taken <= attacker.nodes.length * (500 + 100 * 12), `${taken} requests of one user were taken in eight seconds`);
    },
  },
];
