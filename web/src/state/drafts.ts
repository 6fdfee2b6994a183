// The draft of each conversation, kept over reloads.
import { type Signal, signal } from "@preact/signals";
import { me } from "./session";
import { shared } from "./storage";

/** A refused message that was put back into the field. */
interface Returned {
  client_id: string;
  text: string;
}

const drafts = new Map<string, Signal<string>>();
const nameOf = (conversation: string) => `draft.${me.peek()}.${conversation}`;
const returnedName = (conversation: string) => `returned.${me.peek()}.${conversation}`;

export function draft(conversation: string): Signal<string> {
  const name = nameOf(conversation);
  let known = drafts.get(name);
  if (!known) {
    const kept = shared.read(name);
    drafts.set(name, (known = signal(typeof kept === "string" ? kept : "")));
  }
  return known;
}

export function setDraft(conversation: string, words: string): void {
  draft(conversation).value = words;
  shared.write(nameOf(conversation), words || undefined);
}

/**
 * Puts a message back into the field, before what is there. Sent unchanged it keeps its `client_id`, unless that is
 * what was refused: it may have been stored after all, and would be there twice.
 */
export function takeBack(conversation: string, { client_id, text }: Returned, keepsId: boolean): void {
  const present = draft(conversation).peek();
  setDraft(conversation, present ? `${text}\n${present}` : text);
  shared.write(returnedName(conversation), keepsId ? { client_id, text } : undefined);
}

/** The `client_id` with which `text` was tried before it came back into the field; asked once, when it is sent. */
export function takeReturnedId(conversation: string, text: string): string | undefined {
  const returned = shared.read(returnedName(conversation)) as Partial<Returned> | undefined;
  shared.write(returnedName(conversation), undefined);
  return returned?.text === text ? returned.client_id : undefined;
}
