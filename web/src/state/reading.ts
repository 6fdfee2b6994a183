// Which messages are read: those of the open conversation, while its end is on the screen of a focused window.
import { computed, effect, signal } from "@preact/signals";
import type { Message } from "../protocol";
import { isAttending } from "./attention";
import { ask, link } from "./connection";
import { conversations, find, noteRead, noteUnread } from "./conversations";
import { openConversation, route } from "./route";
import { me } from "./session";
import { timeline } from "./timelines";

/** Whether the end of the open conversation is on the screen. */
export const isAtEnd = signal(true);
/** From which `seq` on the other's messages in the open conversation are new; 0 if none is. */
export const newFrom = signal(0);

const isReading = computed(() => isAttending.value && isAtEnd.value && route.value.name === "conversation");
/** Up to where the server was told. */
const told = new Map<string, number>();

/** A message of the other came. */
export function arrived({ conversation_id, seq }: Message): void {
  if (conversation_id === openConversation() && !isReading.peek() && newFrom.peek() === 0) newFrom.value = seq;
}

/** A conversation was opened. */
export function opened(id: string): void {
  const conversation = find(id);
  isAtEnd.value = true;
  newFrom.value = conversation && conversation.unread > 0 ? conversation.myReadSeq + 1 : 0;
}

/** After a reconnection the server is told again. */
export function forgetAsked(): void {
  told.clear();
}

export function clear(): void {
  told.clear();
  newFrom.value = 0;
}

effect(() => {
  const id = openConversation();
  if (!isReading.value || link.value !== "online") return;
  const conversation = conversations.value.get(id);
  const { phase, last } = timeline(id).value;
  if (!conversation || phase !== "ready" || last === 0) return;
  if (conversation.unread === 0 || (told.get(id) ?? 0) >= last) return;
  told.set(id, last);
  void tellRead(id, last);
});

async function tellRead(id: string, upTo: number): Promise<void> {
  try {
    const payload = { conversation_id: id, up_to_seq: upTo };
    const answer = await ask<{ up_to_seq: number; conversation_unread_count: number }>("mark_read", payload);
    if (!answer.success) return;
    noteRead(id, me.peek(), answer.data.up_to_seq);
    noteUnread(id, answer.data.conversation_unread_count);
  } catch {
    // The next connection tells again.
  }
}
