// Messages that are not yet acknowledged. They are kept in the browser's storage, one entry a message, so that
// a reload or a closed window loses nothing; the server stores each `client_id` once, so sending again is safe.
import { batch, signal } from "@preact/signals";
import type { Answer, Message, Quote } from "../protocol";
import { NoAnswer, askAndTake, isConnected } from "./connection";
import { refresh } from "./conversations";
import { me } from "./session";
import { shared } from "./storage";

export interface Pending {
  client_id: string;
  conversation_id: string;
  text: string;
  /** The message that it replies to. */
  reply_to?: Quote;
  /** When it was written; milliseconds, and the order in which it is sent. */
  at: number;
  /** Why the server refused it. */
  refusal?: string;
}

/** Whether the server may take a refused message under the same `client_id`: not if another message has it. */
export const canKeepId = ({ refusal }: Pending) => refusal !== "client_id was used for another message";

/** Refusals after which the list is asked for: it knows of the block. */
const OF_A_BLOCK = ["You have blocked this user", "You cannot message this user"];

export const outbox = signal<readonly Pending[]>([]);

let stored: (message: Message) => void = () => {};

/** Calls `listener` with each message that was acknowledged. */
export function onStored(listener: (message: Message) => void): void {
  stored = listener;
}

const prefix = () => `outbox.${me.peek()}.`;
const draining = new Set<string>();

/** Adds what the storage has: entries from before a reload, or of a window that was closed. */
export function restore(): void {
  const known = new Set(outbox.peek().map(({ client_id }) => client_id));
  const kept = shared.names(prefix()).map((name) => shared.read(name) as Pending);
  const valid = kept.filter((entry) => entry?.client_id && entry.conversation_id && entry.text && !known.has(entry.client_id));
  outbox.value = [...outbox.peek(), ...valid].sort((one, other) => one.at - other.at);
}

/** Empties the outbox at a sign-out; the storage keeps the user's entries. */
export function clear(): void {
  outbox.value = [];
}

function put(entry: Pending): void {
  shared.write(prefix() + entry.client_id, entry);
  const others = outbox.peek().filter(({ client_id }) => client_id !== entry.client_id);
  outbox.value = [...others, entry].sort((one, other) => one.at - other.at);
}

/** Removes an entry: it is stored, or its writer discarded it. */
export function remove(clientId: string): void {
  if (!outbox.peek().some(({ client_id }) => client_id === clientId)) return;
  shared.write(prefix() + clientId, undefined);
  outbox.value = outbox.peek().filter(({ client_id }) => client_id !== clientId);
}

/** A time behind that of everything that waits, so that a clock that is set back changes no order. */
const now = () => Math.max(Date.now(), (outbox.peek().at(-1)?.at ?? 0) + 1);

/** Sends a message, under the `client_id` with which it was tried before, if it was. */
export function send(conversation: string, text: string, clientId = identifier(), replyTo?: Quote): void {
  const entry = { client_id: clientId, conversation_id: conversation, text, at: now() };
  put(replyTo ? { ...entry, reply_to: replyTo } : entry);
  void drain(conversation);
}

/** Sends a refused message again, after all others. */
export function retry(entry: Pending): void {
  const { refusal: _, ...rest } = entry;
  put({ ...rest, at: now() });
  void drain(entry.conversation_id);
}

/** Sends all that waits. */
export function flush(): void {
  restore();
  for (const conversation of new Set(outbox.peek().map((entry) => entry.conversation_id))) void drain(conversation);
}

// One at a time in a conversation: a message that the server wants later (a rate) holds up those behind it.
async function drain(conversation: string): Promise<void> {
  if (draining.has(conversation)) return;
  draining.add(conversation);
  const owner = me.peek();
  try {
    for (;;) {
      const entry = outbox.peek().find((other) => other.conversation_id === conversation && !other.refusal);
      if (!entry || !isConnected() || owner !== me.peek()) return;
      await sendOne(entry);
    }
  } finally {
    draining.delete(conversation);
  }
}

async function sendOne(entry: Pending): Promise<void> {
  const { client_id, conversation_id, text, reply_to } = entry;
  const payload = { conversation_id, text, client_id, ...(reply_to && { reply_to: reply_to._id }) };
  try {
    const answer = await askAndTake<Message, Answer<Message>>("send_message", payload, (taken) => {
      if (taken.success) {
        batch(() => {
          stored(taken.data);
          remove(client_id);
        });
      }
      return taken;
    });
    if (answer.success) return;
    if (answer.retry_after !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, answer.retry_after! * 1000));
    } else if (outbox.peek().some((other) => other.client_id === client_id)) {
      put({ ...entry, refusal: answer.message });
      if (OF_A_BLOCK.includes(answer.message)) void refresh();
    }
  } catch (error) {
    // Whether it was stored is not known; the same `client_id` is sent again.
    if (!(error instanceof NoAnswer)) throw error;
  }
}

/** `crypto.randomUUID`, which browsers keep from pages that come over plain HTTP from another machine. */
function identifier(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Another window sent it.
shared.onChange((name, value) => {
  if (value === undefined && me.peek() && name.startsWith(prefix())) remove(name.slice(prefix().length));
});
