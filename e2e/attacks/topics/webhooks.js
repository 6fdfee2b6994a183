// Receivers of webhooks that take no event, while users write as fast as they may.
import { createServer } from "node:net";

import { WEBHOOK_SECRET } from "../../lib/receiver.js";
import { freePort } from "../../lib/server.js";

// The attacker's process listens there, and knows it from the environment.
const PORT = (process.env.ATTACK_RECEIVER_PORT ??= `${await freePort()}`);
/** As many as there may be. */
const URLS = Array.from({ length: 8 }, (_, n) => `http://127.0.0.1:${PORT}/${n}`);
const USERS = 100;

export default [
  {
    name: "8 receivers of webhooks that hang, and messages of 100 users",
    settings: { WEBHOOK_URL: URLS.join(","), WEBHOOK_SECRET, UNSEEN_AFTER: "1s" },
    isQuick: true,
    seed(seed) {
      for (let n = 0; n < USERS; n++) seed.conversation(`hung ${n}`, `hanger ${n}`, `hung up on ${n}`);
    },
    async run(attacker) {
      const connections = new Set();
      const receiver = createServer((socket) => {
        // Reads, so that it sees the end of a connection.
        connections.add(socket.resume().on("error", () => {}).on("close", () => connections.delete(socket)));
      }).listen(Number(PORT), "127.0.0.1");
      const wires = await Promise.all(Array.from({ length: USERS }, (_, n) => attacker.connect(n, `hanger ${n}`)));
      let most = 0;
      const answers = await attacker.pace(USERS * 5, attacker.isQuick ? 5 : 40, (n) => {
        most = Math.max(most, connections.size);
        const user = n % USERS;
        return wires[user].ask("send_message", { conversation_id: attacker.id(`hung ${user}`), text: "x".repeat(500), client_id: `${n}` });
      });
      receiver.close();
      attacker.check(answers.every((answer) => answer?.success), "a message was not stored");
      attacker.check(most > 0, "nothing was sent to the receivers");
      attacker.check(most <= URLS.length * 32 * 2, `${most} connections to the receivers at once`);
      attacker.note(`${answers.length} messages, ${most} connections to the receivers at most`);
    },
  },
];
