// A receiver of webhooks that fails at random and records every attempt, on a thread of its own: it must not slow the clients
// of the test, whose latency is measured.
import { once } from "node:events";
import { createServer } from "node:http";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

import { Webhook } from "standardwebhooks";

import { randomOf } from "./checker.js";
import { WEBHOOK_SECRET } from "./receiver.js";

/** The receiver as a test has it. */
export class UnreliableReceiver {
  #worker;
  #error;

  /** Fails `share` of all attempts: half with a 500, half by a connection that ends without an answer. */
  static async start(t, seed, share) {
    const receiver = new UnreliableReceiver();
    receiver.#worker = new Worker(new URL(import.meta.url), { workerData: { seed, share } });
    t.after(() => receiver.#worker.terminate());
    receiver.#worker.on("error", (error) => (receiver.#error = error));
    receiver.url = await receiver.#ask("url");
    return receiver;
  }

  async #ask(question) {
    if (this.#error) throw this.#error;
    this.#worker.postMessage(question);
    const [answer] = await once(this.#worker, "message");
    return answer;
  }

  /** From now on it takes everything. */
  recover() {
    return this.#ask("recover");
  }

  /** All attempts in the order of their arrival, each `[conversation, seq, was accepted]`. */
  attempts() {
    return this.#ask("attempts");
  }
}

/**
 * What is wrong with the attempts to send the messages of conversations, given as the number of messages by id. A message may
 * be tried only when all before it in its conversation were accepted. `twice` is no flaw.
 */
export function judgeAttempts(attempts, conversations) {
  const accepted = new Map([...conversations.keys()].map((id) => [id, 0]));
  const found = { lost: 0, outOfOrder: 0, failed: 0, twice: 0 };
  for (const [conversation, seq, isAccepted] of attempts) {
    const last = accepted.get(conversation);
    if (seq > last + 1) found.outOfOrder++;
    else if (!isAccepted) found.failed++;
    else if (seq === last + 1) accepted.set(conversation, seq);
    else found.twice++;
  }
  for (const [id, count] of conversations) found.lost += count - accepted.get(id);
  return found;
}

function serve({ seed, share }) {
  const random = randomOf(seed);
  const verifier = new Webhook(WEBHOOK_SECRET);
  const attempts = [];
  let failures = share;
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text) => (body += text));
    request.on("end", () => {
      const { data } = verifier.verify(body, request.headers);
      const chance = random();
      const isAccepted = chance >= failures;
      attempts.push([data.conversation._id, data.message.seq, isAccepted]);
      if (chance < failures / 2) request.destroy();
      else response.writeHead(isAccepted ? 204 : 500).end();
    });
  });
  server.listen(0, "127.0.0.1");
  parentPort.on("message", async (question) => {
    if (!server.listening) await once(server, "listening");
    if (question === "recover") failures = 0;
    const answers = { url: `http://127.0.0.1:${server.address().port}/hook`, attempts, recover: true };
    parentPort.postMessage(answers[question]);
  });
}

if (!isMainThread && workerData?.share !== undefined) serve(workerData);
