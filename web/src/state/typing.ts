// Notifies the others while somebody types.
import { emit } from "./connection";

/** How often the others are notified; the server ends it by itself after 6 s. Milliseconds. */
const NOTIFY_EVERY = 3000;
/** Without a key for so long nobody types any more; milliseconds. */
const IDLE = 4000;

let notified = "";
let notifiedAt = 0;
let idle: ReturnType<typeof setTimeout> | undefined;

export function typing(conversation: string): void {
  if (notified !== conversation || performance.now() - notifiedAt > NOTIFY_EVERY) {
    notified = conversation;
    notifiedAt = performance.now();
    emit("typing", conversation);
  }
  clearTimeout(idle);
  idle = setTimeout(stopTyping, IDLE);
}

export function stopTyping(): void {
  clearTimeout(idle);
  if (notified) emit("stop_typing", notified);
  notified = "";
}
