// What is being written: a draft a conversation, kept over reloads; and the message that is being edited.
import { type Signal, signal } from "@preact/signals";
import type { Message } from "../protocol";
import { tell } from "./connection";
import { me } from "./session";
import { shared } from "./storage";

const drafts = new Map<string, Signal<string>>();
const place = (conversation: string) => `draft.${me.peek()}.${conversation}`;

export function draft(conversation: string): Signal<string> {
  const name = place(conversation);
  let known = drafts.get(name);
  if (!known) {
    const kept = shared.read(name);
    drafts.set(name, (known = signal(typeof kept === "string" ? kept : "")));
  }
  return known;
}

export function setDraft(conversation: string, words: string): void {
  draft(conversation).value = words;
  shared.write(place(conversation), words || undefined);
}

export const editing = signal<{ message: Message; words: string } | null>(null);

/** A counter: each change asks the field to take the focus. */
export const focusRequest = signal(0);
export const focusComposer = () => void focusRequest.value++;

/** Puts words back into the field, before what is there. */
export function takeBack(conversation: string, words: string): void {
  const present = draft(conversation).peek();
  setDraft(conversation, present ? `${words}\n${present}` : words);
  focusComposer();
}

/** How often the others are told; the server ends it by itself after 6 s. Milliseconds. */
const TELL_EVERY = 3000;
const IDLE = 4000;

let toldOf = "";
let toldAt = 0;
let idle: ReturnType<typeof setTimeout> | undefined;

export function typing(conversation: string): void {
  if (toldOf !== conversation || performance.now() - toldAt > TELL_EVERY) {
    toldOf = conversation;
    toldAt = performance.now();
    tell("typing", conversation);
  }
  clearTimeout(idle);
  idle = setTimeout(stopTyping, IDLE);
}

export function stopTyping(): void {
  clearTimeout(idle);
  if (toldOf) tell("stop_typing", toldOf);
  toldOf = "";
}
