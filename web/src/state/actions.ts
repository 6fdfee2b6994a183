// What one can do to messages and people. Each answers why it could not be done, or nothing.
import { signal } from "@preact/signals";
import { refusal, text } from "../language";
import type { Message } from "../protocol";
import { NoAnswer, ask } from "./connection";
import { noteBlocks, noteChange } from "./conversations";
import { change } from "./timelines";

/** What is asked in a dialog. */
export type Dialog =
  | { kind: "new" }
  | { kind: "report" | "delete"; message: Message }
  | { kind: "block"; user: string; name: string };

export const dialog = signal<Dialog | null>(null);

/** A short word at the edge of the page; the number tells it from the last one, which may have said the same. */
export const toast = signal({ words: "", number: 0 });
let toastEnd: ReturnType<typeof setTimeout> | undefined;

export function showToast(words: string): void {
  const { number } = toast.peek();
  toast.value = { words, number: number + 1 };
  clearTimeout(toastEnd);
  toastEnd = setTimeout(() => (toast.value = { words: "", number: number + 1 }), 5000);
}

async function attempt<Data>(event: string, payload: unknown, done: (data: Data) => void): Promise<string | undefined> {
  try {
    const answer = await ask<Data>(event, payload);
    if (!answer.success) return refusal(answer.message);
    done(answer.data);
    return undefined;
  } catch (error) {
    return error instanceof NoAnswer ? text().unreachable : text().somethingWrong;
  }
}

function take(message: Message): void {
  change(message.conversation_id, message.seq, () => message);
  noteChange(message.conversation_id, message.seq, message.text);
}

export const edit = (message: Message, words: string) =>
  attempt("edit_message", { message_id: message._id, text: words }, take);

export const remove = (message: Message) => attempt("delete_message", { message_id: message._id }, take);

export const report = (message: Message, reason: string) =>
  attempt("report_message", { message_id: message._id, reason }, () => showToast(text().reported));

export const block = (user: string) =>
  attempt("block_user", { user_id: user }, () => noteBlocks(user, { blockedByMe: true }));

export async function tryUnblock(user: string): Promise<void> {
  const done = () => noteBlocks(user, { blockedByMe: false });
  const problem = await attempt("unblock_user", { user_id: user }, done);
  if (problem) showToast(problem);
}

export async function copy(words: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(words);
    showToast(text().copied);
  } catch {
    showToast(text().somethingWrong);
  }
}
