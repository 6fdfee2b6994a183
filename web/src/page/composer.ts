// What the field is for: a new message, or the one that is being edited.
import { signal } from "@preact/signals";
import type { Message } from "../protocol";

export const editing = signal<{ message: Message; words: string } | null>(null);

/** A counter: each change asks the field to take the focus. */
export const focusRequest = signal(0);
export const focusComposer = () => void focusRequest.value++;

export function startEditing(message: Message): void {
  editing.value = { message, words: message.text };
  focusComposer();
}
