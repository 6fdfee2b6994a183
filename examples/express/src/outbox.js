// Changes that the chat server has to know. A person who renames themselves must not get an error because the chat
// server is being restarted, so what fails is tried again.
//
// The list is in memory, and what waits is lost with the process. A platform with a database writes the change into a
// collection in the transaction of the change itself, and one worker takes it from there.
import { setTimeout as sleep } from "node:timers/promises";
import { ChatError } from "./chat.js";

/** How long a request waits for its change to arrive before it answers; milliseconds. */
const PATIENCE = 2000;
/** The time between two attempts; milliseconds. */
const PAUSE = 2000;

export class Outbox {
  #last = Promise.resolve();

  /**
   * Runs `job` until it succeeds, behind all that was added before, so that nobody who was erased is added again by a call
   * that is late. A job reads what it sends when it runs. Resolves when the job is done, or after PATIENCE while it goes on.
   */
  async add(name, job) {
    this.#last = this.#last.then(() => attempt(name, job));
    await Promise.race([this.#last, sleep(PATIENCE, undefined, { ref: false })]);
  }
}

async function attempt(name, job) {
  for (;;) {
    try {
      return await job();
    } catch (error) {
      console.error(`${name}: ${error.message}`);
      // Sent again, a request that the server refuses would be refused again.
      const isRefused = error instanceof ChatError && error.status < 500 && error.status !== 429;
      if (isRefused) return;
      await sleep(PAUSE, undefined, { ref: false });
    }
  }
}
