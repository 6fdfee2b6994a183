// What the page offers to do. Each answers why it could not be done, in the reader's language, or nothing.
import { EventRefused } from "../errors";
import { refusal, text } from "../language";
import type { Message } from "../protocol";
import * as changes from "../state/changes";
import { NoAnswer } from "../state/connection";
import { showToast } from "./dialogs";

async function attempt(change: Promise<unknown>): Promise<string | undefined> {
  try {
    await change;
    return undefined;
  } catch (error) {
    if (error instanceof EventRefused) return refusal(error.message);
    return error instanceof NoAnswer ? text().unreachable : text().somethingWrong;
  }
}

export const edit = (message: Message, words: string) => attempt(changes.edit(message, words));
export const remove = (message: Message) => attempt(changes.remove(message));
export const block = (user: string) => attempt(changes.block(user));

export async function report(message: Message, reason: string): Promise<string | undefined> {
  const problem = await attempt(changes.report(message, reason));
  if (!problem) showToast(text().reported);
  return problem;
}

export async function tryUnblock(user: string): Promise<void> {
  const problem = await attempt(changes.unblock(user));
  if (problem) showToast(problem);
}

export async function trySet(conversation: string, change: { muted?: boolean; pinned?: boolean }): Promise<void> {
  const problem = await attempt(changes.set(conversation, change));
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
