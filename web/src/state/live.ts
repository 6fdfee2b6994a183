// Applies the socket's events to the state, and does what a new connection needs.
import { batch, effect } from "@preact/signals";
import type { Message } from "../protocol";
import * as connection from "./connection";
import { ask, link, on } from "./connection";
import * as conversations from "./conversations";
import { find, listPhase } from "./conversations";
import { onOffline, onOnline } from "./network";
import * as outbox from "./outbox";
import * as reading from "./reading";
import { interruption, me, session } from "./session";
import { openConversation } from "./shown";
import * as timelines from "./timelines";

/** Rooms that are joined: those of the newest conversations, and of the open one. */
const MAX_JOINED = 200;
/** Without an event of the end for this long nobody types any more; milliseconds. */
const TYPING_LASTS = 8000;
const LIST_RETRY = 2000;

const joined = new Set<string>();
const typingEnds = new Map<string, number>();

let ofOther: (message: Message) => void = () => {};

/** Calls `listener` with each new message of somebody else. */
export function onMessageOfOther(listener: (message: Message) => void): void {
  ofOther = listener;
}

/** A stored message, from an event or an acknowledgement. */
export function receiveMessage(message: Message): void {
  batch(() => {
    const isNew = conversations.noteMessage(message);
    timelines.receive(message);
    const isMine = message.sender_id._id === me.peek();
    if (isMine && message.client_id) outbox.remove(message.client_id);
    // Before the first message the two were strangers, and did not see each other's presence.
    if (isNew && message.seq === 1) void conversations.refresh();
    if (isMine || !isNew) return;
    reading.arrived(message);
    ofOther(message);
  });
}

outbox.onStored(receiveMessage);

on("new_message", (message) => {
  connection.arrived(message._id);
  if (find(message.conversation_id)) return receiveMessage(message);
  void meet(message.conversation_id).then(() => {
    timelines.receive(message);
    if (message.sender_id._id !== me.peek()) ofOther(message);
  });
});

on("message_updated", (message) => {
  timelines.change(message.conversation_id, message.seq, () => message);
  conversations.noteChange(message.conversation_id, message.seq, message.text);
});

on("message_deleted", ({ conversation_id, seq, deleted_at }) => {
  timelines.change(conversation_id, seq, (message) => ({ ...message, text: "", deleted_at }));
  conversations.noteChange(conversation_id, seq, "");
});

on("message_notification", ({ conversation_id }) => void meet(conversation_id));

/** Adds a conversation that somebody has just begun to the list. */
async function meet(id: string): Promise<void> {
  if (find(id)) return;
  await conversations.refresh();
  // The list may have been on its way already, without it.
  if (!find(id)) await conversations.refresh();
}

on("messages_read", ({ conversation_id, reader, up_to_seq }) =>
  conversations.noteRead(conversation_id, reader, up_to_seq),
);
on("message_delivered", ({ conversation_id, recipient, up_to_seq }) =>
  conversations.noteDelivered(conversation_id, recipient, up_to_seq),
);
on("unread_count", ({ conversation_id, conversation_unread_count }) =>
  conversations.noteUnread(conversation_id, conversation_unread_count),
);
on("presence", ({ user_id, online, last_seen }) => conversations.notePresence(user_id, online, last_seen));

on("user_typing", ({ userId, conversation_id }) => {
  if (userId === me.peek()) return;
  clearTimeout(typingEnds.get(conversation_id));
  typingEnds.set(
    conversation_id,
    setTimeout(() => conversations.update(conversation_id, { typing: false }), TYPING_LASTS),
  );
  conversations.update(conversation_id, { typing: true });
});
on("user_stop_typing", ({ userId, conversation_id }) => {
  if (userId !== me.peek()) conversations.update(conversation_id, { typing: false });
});

on("conversation_updated", conversations.take);
on("user_blocked", ({ user_id }) => conversations.noteBlocks(user_id, { blockedByMe: true }));
on("user_unblocked", ({ user_id }) => conversations.noteBlocks(user_id, { blockedByMe: false }));

on("token_expiring", () => {
  interruption.value ??= "expiring";
});

on("resync", () => {
  void conversations.refresh();
  void timelines.catchUp(openConversation.peek());
});

/** Joins a conversation's room, for typing and receipts. */
function join(id: string): void {
  if (joined.has(id) || !connection.isConnected()) return;
  joined.add(id);
  ask("join_conversation", id).then(
    (answer) => answer.success || joined.delete(id),
    () => joined.delete(id),
  );
}

let isFirst = true;

connection.onConnected(() => {
  joined.clear();
  reading.forgetMarked();
  // Those who typed when the connection was lost may have stopped.
  for (const { id, typing } of conversations.conversations.peek().values()) {
    if (typing) conversations.update(id, { typing: false });
  }
  joinNewest();
  // Before the first connection, if that was made at once, the list was just asked for.
  if (!isFirst) void conversations.refresh();
  isFirst = false;
  void timelines.catchUp(openConversation.peek());
  outbox.flush();
});

// Without a connection no presence events come.
effect(() => {
  if (link.value !== "reconnecting" && link.value !== "offline") return;
  conversations.forgetPresence();
  isFirst = false;
});
// A socket does not notice at once that the network is gone.
onOffline(() => conversations.forgetPresence());
onOnline(() => {
  if (connection.isConnected()) void conversations.refresh();
});

function joinNewest(): void {
  for (const { id } of conversations.sorted.peek().slice(0, MAX_JOINED)) join(id);
}

// Conversations that came into the list, and the open one, however old.
effect(() => {
  void conversations.conversations.value;
  joinNewest();
  const open = openConversation.value;
  if (open && find(open)) join(open);
});

/**
 * An id below that of each message after the newest of the list: ids begin with the second of their making. The
 * second before it is replayed too, which does no harm: messages that are known already are ignored.
 */
function offsetOfList(): string {
  const newest = conversations.sorted.peek().find(({ preview }) => preview)?.at;
  if (!newest) return "";
  const second = Math.floor(Date.parse(newest) / 1000) - 1;
  return second.toString(16).padStart(8, "0") + "0".repeat(16);
}

async function begin(owner: string): Promise<void> {
  isFirst = true;
  while (owner === me.peek() && !interruption.peek()) {
    try {
      await conversations.load();
      if (owner === me.peek()) connection.connect(offsetOfList());
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, LIST_RETRY));
    }
  }
}

let user = "";
let token = "";

// Signed in, signed out, signed in as somebody else, or with a new token as before.
effect(() => {
  const { value } = session;
  const next = value?.user.id ?? "";
  if (next !== user) {
    user = next;
    token = value?.token ?? "";
    batch(() => {
      connection.disconnect();
      conversations.clear();
      timelines.clear();
      reading.clear();
      outbox.clear();
      outbox.restore();
    });
    if (user) void begin(user);
  } else if (value && value.token !== token) {
    token = value.token;
    if (connection.isConnected()) void renew(token);
    else if (listPhase.peek() === "ready") connection.reconnectNow();
    else void begin(user);
  }
});

/** Renews the connection's token before the old one expires. */
async function renew(next: string): Promise<void> {
  const answer = await ask("refresh_token", { token: next }).catch(() => undefined);
  if (!answer?.success) connection.reconnectNow();
}
