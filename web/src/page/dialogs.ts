// What is asked in a dialog, and what a toast says.
import { signal } from "@preact/signals";
import type { Message } from "../protocol";

export type Dialog =
  | { kind: "new" }
  | { kind: "report" | "delete"; message: Message }
  | { kind: "block"; user: string; name: string };

export const dialog = signal<Dialog | null>(null);

/** A short text at the edge of the page; the number differs from the last one's, whose text may be the same. */
export const toast = signal({ words: "", number: 0 });
let toastEnd: ReturnType<typeof setTimeout> | undefined;

export function showToast(words: string): void {
  const { number } = toast.peek();
  toast.value = { words, number: number + 1 };
  clearTimeout(toastEnd);
  toastEnd = setTimeout(() => (toast.value = { words: "", number: number + 1 }), 5000);
}
