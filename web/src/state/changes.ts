// What one can do to messages and people. Each throws `EventRefused` or `NoAnswer`.
import { EventRefused } from "../errors";
import type { ConversationItem, Message } from "../protocol";
import { ask } from "./connection";
import { noteBlocks, noteChange, take as takeConversation } from "./conversations";
import { change } from "./timelines";

async function demand<Data>(event: string, payload: unknown): Promise<Data> {
  const answer = await ask<Data>(event, payload);
  if (!answer.success) throw new EventRefused(answer.message);
  return answer.data;
}

function take(message: Message): void {
  change(message.conversation_id, message.seq, () => message);
  noteChange(message.conversation_id, message.seq, message.text);
}

export const edit = async (message: Message, text: string) =>
  take(await demand<Message>("edit_message", { message_id: message._id, text }));

export const remove = async (message: Message) =>
  take(await demand<Message>("delete_message", { message_id: message._id }));

export const report = (message: Message, reason: string) =>
  demand("report_message", { message_id: message._id, reason });

export async function block(user: string): Promise<void> {
  await demand("block_user", { user_id: user });
  noteBlocks(user, { blockedByMe: true });
}

export async function unblock(user: string): Promise<void> {
  await demand("unblock_user", { user_id: user });
  noteBlocks(user, { blockedByMe: false });
}

/** Changes what the user has set for a conversation. */
export const set = async (conversation: string, change: { muted?: boolean; pinned?: boolean }) =>
  takeConversation(await demand<ConversationItem>("update_conversation", { conversation_id: conversation, ...change }));
