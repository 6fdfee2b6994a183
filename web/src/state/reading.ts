// Which messages are read: those of the open conversation, while its end is on the screen of a focused window.
import { computed, effect, signal } from "@preact/signals";
import type { Message } from "../protocol";
import { ask, link } from "./connection";
import { conversations, find, noteRead, noteUnread } from "./conversations";
import { me } from "./session";
import { isAtEnd, isAttending, openConversation } from "./shown";
import { timeline } from "./timelines";

/** From which `seq` on the other's messages in the open conversation are new; 0 if none is. */
export const newFrom = signal(0);

const isReading = computed(() => isAttending.value && isAtEnd.value && openConversation.value !== "");
/** Up to where each conversation was marked as read on this connection. */
const marked = new Map<string, number>();

/** A message of the other came. */
export function arrived({ conversation_id, seq }: Message): void {
  if (conversation_id === openConversation.peek() && !isReading.peek() && newFrom.peek() === 0) newFrom.value = seq;
}

/** A conversation was opened. */
export function opened(id: string): void {
  const conversation = find(id);
  isAtEnd.value = true;
  newFrom.value = conversation && conversation.unread > 0 ? conversation.myReadSeq + 1 : 0;
}

/** After a reconnection it is marked again. */
export function forgetMarked(): void {
  marked.clear();
}

export function clear(): void {
  marked.clear();
  newFrom.value = 0;
}

effect(() => {
  const id = openConversation.value;
  if (!isReading.value || link.value !== "online") return;
  const conversation = conversations.value.get(id);
  const { phase, last } = timeline(id).value;
  if (!conversation || phase !== "ready" || last === 0) return;
  if (conversation.unread === 0 || (marked.get(id) ?? 0) >= last) return;
  marked.set(id, last);
  void markRead(id, last);
});

async function markRead(id: string, upTo: number): Promise<void> {
  try {
    const payload = { conversation_id: id, up_to_seq: upTo };
    const answer = await ask<{ up_to_seq: number; conversation_unread_count: number }>("mark_read", payload);
    if (!answer.success) return;
    noteRead(id, me.peek(), answer.data.up_to_seq);
    noteUnread(id, answer.data.conversation_unread_count);
  } catch {
    // The next connection marks it again.
  }
}
