// What is on the screen, as far as the state depends on it. The page sets these.
import { signal } from "@preact/signals";

/** The open conversation's id, or an empty text. */
export const openConversation = signal("");
/** The window is visible and has the focus. */
export const isAttending = signal(false);
/** Whether the end of the open conversation is on the screen. */
export const isAtEnd = signal(true);
