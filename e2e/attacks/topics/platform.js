// The routes of the platform: its keys, its batches, and what they make the server hold.
const KEY = "the-key-of-the-platform-while-others-attack";
const settings = { API_KEYS: KEY };

/** A wrong key as long as a right one. */
const guess = (n) => `guess-${n}-`.padEnd(KEY.length, "x");

export default [
  {
    name: "keys of the platform are guessed, of one address and of many",
    settings,
    isQuick: true,
    async run(attacker) {
      const path = "/api/admin/audit";
      const ask = (n, token, address) => attacker.http(n, "GET", path, { token, address });
      const ofOne = await attacker.pace(200, attacker.isQuick ? 2 : 5, (n) => ask(n, guess(n), "203.0.113.90"));
      const ofMany = await attacker.pace(200, attacker.isQuick ? 2 : 5, (n) => ask(n, guess(n), `10.9.${n >> 8}.${n & 255}`));
      attacker.check([...ofOne, ...ofMany].every(({ status }) => status === 401 || status === 429), "a guess was answered otherwise than with 401 or 429");
      const looked = ofOne.filter(({ status }) => status === 401).length;
      attacker.note(`${looked} guesses of one address were looked at`);
      attacker.check(looked <= attacker.nodes.length * 110, `${looked} guesses of one address were looked at`);
      const [right, shut] = [await ask(0, KEY, "203.0.113.91"), await ask(0, KEY, "203.0.113.90")];
      attacker.check(right.status === 200, `the right key is answered with ${right.status}`);
      attacker.check(shut.status === 429, `the address that guessed is answered with ${shut.status}`);
    },
  },
  ...[["without a key", undefined], ["with a user's token", "poster of batches"], ["with the key", KEY]].map(([who, token]) => ({
    name: `200 batches of 4 MB ${who}, slowly`,
    settings,
    seed: (seed) => seed.user("poster of batches"),
    async run(attacker) {
      const bearer = token === KEY ? KEY : token && attacker.token(token);
      const sockets = [];
      await attacker.each(200, 50, async (n) => {
        const socket = await attacker.tcp(attacker.node(n));
        socket.resume();
        const authorization = bearer ? `Authorization: Bearer ${bearer}\r\n` : "";
        socket.write(`POST /api/admin/users/batch HTTP/1.1\r\nHost: x\r\n${authorization}Content-Type: application/json\r\nContent-Length: 3999999\r\nX-Forwarded-For: 203.0.113.92\r\n\r\n`);
        sockets.push(socket);
      });
      const part = Buffer.alloc(100_000, " ");
      for (let n = 0; n < 30; n++) {
        for (const socket of sockets) if (!socket.destroyed && !socket.writableNeedDrain) socket.write(part);
        await attacker.sleep(200);
      }
      sockets.forEach((socket) => socket.destroy());
    },
  })),
  {
    name: "a user with 200 000 messages is erased, while the other is connected",
    settings,
    isQuick: true,
    seed(seed, isQuick) {
      seed.conversation("erased", "the erased", "a friend of the erased");
      for (let n = 0; n < (isQuick ? 5_000 : 200_000); n++) seed.message("erased", n % 10 === 9 ? "a friend of the erased" : "the erased", `said before the erasure ${n}`);
    },
    async run(attacker) {
      const friend = await attacker.connect(0, "a friend of the erased");
      const path = `/api/admin/users/${attacker.id("the erased")}`;
      const begin = performance.now();
      const erased = async () => (await attacker.http(0, "DELETE", `${path}?messages=delete`, { token: KEY })).status;
      let status = await erased();
      for (let n = 0; n < 30 && status === 202; n++) status = await erased();
      attacker.note(`erased after ${((performance.now() - begin) / 1000).toFixed(1)} s`);
      attacker.check(status === 200, `the erasure is answered with ${status}`);
      const history = await attacker.http(0, "GET", `/api/chat/conversations/${attacker.id("erased")}/messages?limit=100`, { user: "a friend of the erased" });
      attacker.check(history.status === 200 && !history.text.includes(`"sender_id":{"_id":"${attacker.id("the erased")}"`), "what was erased is shown");
      friend.close();
    },
  },
  {
    name: "exports of a user that nobody reads, 200 at once",
    settings,
    isQuick: true,
    seed(seed, isQuick) {
      seed.conversation("exported", "exported user", "exported user's friend");
      for (let n = 0; n < (isQuick ? 3_000 : 20_000); n++) seed.message("exported", "exported user", "\u0001".repeat(2000));
    },
    async run(attacker) {
      const sockets = [];
      const statuses = [];
      await attacker.each(200, 50, async (n) => {
        const socket = await attacker.tcp(attacker.node(n));
        socket.once("data", (data) => {
          statuses.push(`${data}`.slice(9, 12));
          socket.pause();
        });
        socket.write(`GET /api/admin/users/${attacker.id("exported user")}/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n\r\n`);
        sockets.push(socket);
      });
      await attacker.sleep(attacker.isQuick ? 3_000 : 10_000);
      const begun = statuses.filter((status) => status === "200").length;
      attacker.note(`${begun} exports ran, of ${statuses.length} answers`);
      attacker.check(begun <= attacker.nodes.length * 4, `${begun} exports ran at once`);
      attacker.check(statuses.every((status) => status === "200" || status === "429"), `answers: ${[...new Set(statuses)]}`);
      sockets.forEach((socket) => socket.destroy());
    },
  },
];
