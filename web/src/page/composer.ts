// What the field is for: a new message, perhaps a reply, or the message that is being edited.
import { signal } from "@preact/signals";
import type { Message } from "../protocol";

export const editing = signal<{ message: Message; words: string } | null>(null);

/** The message that the next one replies to. */
export const replyingTo = signal<Message | null>(null);

/** A counter: each change asks the field to take the focus. */
export const focusRequest = signal(0);
export const focusComposer = () => void focusRequest.value++;

export function startEditing(message: Message): void {
  replyingTo.value = null;
  editing.value = { message, words: message.text };
  focusComposer();
}

export function startReply(message: Message): void {
  editing.value = null;
  replyingTo.value = message;
  focusComposer();
}

export function stopReplying(): void {
  replyingTo.value = null;
  focusComposer();
}
