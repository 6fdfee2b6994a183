// The list of conversations, and the state of each.
import { computed, signal } from "@preact/signals";
import type { ConversationItem, Message, Profile } from "../protocol";
import { request } from "./api";
import { type ServerTime, serverClock } from "./clock";
import { me } from "./session";

export interface Conversation {
  id: string;
  other: Profile;
  online: boolean;
  lastSeen: string | null;
  preview: { text: string; mine: boolean } | null;
  /** When the last message was sent, or the conversation begun. */
  at: string;
  unread: number;
  lastSeq: number;
  myReadSeq: number;
  otherReadSeq: number;
  otherDeliveredSeq: number;
  blockedByMe: boolean;
  blockedByOther: boolean;
  /** The user's own settings. An archived conversation is not in the list until its next message. */
  archived: boolean;
  muted: boolean;
  pinned: boolean;
  typing: boolean;
}

type Phase = "loading" | "ready" | "failed";

export const conversations = signal<ReadonlyMap<string, Conversation>>(new Map());
export const listPhase = signal<Phase>("loading");

/** Those that are not archived, newest first. */
export const sorted = computed(() =>
  [...conversations.value.values()]
    .filter(({ archived }) => !archived)
    .sort((one, other) => (one.at < other.at ? 1 : one.at > other.at ? -1 : 0)),
);
/** As the list shows them: those that are pinned before the others. */
export const listed = computed(() => {
  const all = sorted.value;
  return [...all.filter(({ pinned }) => pinned), ...all.filter(({ pinned }) => !pinned)];
});
export const unreadTotal = computed(() => sorted.value.reduce((total, { unread }) => total + unread, 0));

// When a value last came over the socket: a list that was requested before that has an older one.
const unreadAt = new Map<string, number>();
const presenceAt = new Map<string, number>();
const blocksAt = new Map<string, number>();
const settingsAt = new Map<string, number>();

export function find(id: string): Conversation | undefined {
  return conversations.peek().get(id);
}

export function update(id: string, change: Partial<Conversation>): void {
  const known = find(id);
  if (known) conversations.value = new Map(conversations.peek()).set(id, { ...known, ...change });
}

function fromItem(item: ConversationItem, asked: number): Conversation {
  const other = item.participants.find(({ _id }) => _id !== me.peek()) ?? item.participants[0]!;
  const mine = item.participant_states.find(({ user_id }) => user_id === me.peek());
  const theirs = item.participant_states.find(({ user_id }) => user_id === other._id);
  const known = find(item._id);
  const last = item.last_message;
  const lastSeq = item.last_seq;
  const isUnreadNewer = known && (unreadAt.get(item._id) ?? 0) > asked;
  const isPresenceNewer = known && (presenceAt.get(other._id) ?? 0) > asked;
  const areSettingsNewer = known && (settingsAt.get(item._id) ?? 0) > asked;
  const { archived = false, muted = false, pinned = false } = areSettingsNewer ? known : item;
  const areBlocksNewer = known && (blocksAt.get(other._id) ?? 0) > asked;
  const blockedByMe = areBlocksNewer ? known.blockedByMe : item.blocked_by_me;
  const blockedByOther = areBlocksNewer ? known.blockedByOther : item.blocked_by_other;
  // A message that came while the list was on its way is newer than the list.
  const isBehind = known !== undefined && known.lastSeq > lastSeq;
  return {
    id: item._id,
    other,
    online: isPresenceNewer ? known.online : (theirs?.online ?? false),
    lastSeen: isPresenceNewer ? known.lastSeen : (theirs?.last_seen ?? null),
    preview: isBehind
      ? known.preview
      : last && { text: last.text, mine: last.sender_id === me.peek() },
    at: isBehind ? known.at : (last?.sent_at ?? item.updated_at),
    unread: isUnreadNewer ? known.unread : item.unread_count,
    lastSeq: Math.max(lastSeq, known?.lastSeq ?? 0),
    myReadSeq: Math.max(mine?.read_seq ?? 0, known?.myReadSeq ?? 0),
    otherReadSeq: Math.max(theirs?.read_seq ?? 0, known?.otherReadSeq ?? 0),
    otherDeliveredSeq: Math.max(theirs?.delivered_seq ?? 0, known?.otherDeliveredSeq ?? 0),
    blockedByMe,
    blockedByOther,
    archived: archived && !isBehind,
    muted,
    pinned,
    typing: (known?.typing ?? false) && !blockedByMe && !blockedByOther,
  };
}

/** Fetches the list. */
export async function load(): Promise<void> {
  const asked = performance.now();
  const owner = me.peek();
  try {
    const answer = await request<{ data: ConversationItem[] } & ServerTime>("GET", "/api/chat/conversations");
    if (owner !== me.peek()) return;
    serverClock.note(answer, asked);
    const { data } = answer;
    // The list leaves out what is archived; one of those may be open.
    const archived = [...conversations.peek()].filter(([, known]) => known.archived);
    conversations.value = new Map([...archived, ...data.map((item) => [item._id, fromItem(item, asked)] as const)]);
    listPhase.value = "ready";
  } catch (error) {
    if (listPhase.peek() !== "ready") listPhase.value = "failed";
    throw error;
  }
}

let reload: Promise<void> | undefined;

/** Fetches the list again, for example because of a conversation that is not in it. */
export function refresh(): Promise<void> {
  reload ??= load()
    // The next connection asks again.
    .catch(() => {})
    .finally(() => (reload = undefined));
  return reload;
}

/** Opens the conversation with a person; answers its id. */
export async function open(person: string): Promise<string> {
  const { data } = await request<{ data: ConversationItem }>("POST", "/api/chat/conversations", { recipient_id: person });
  if (!find(data._id)) {
    conversations.value = new Map(conversations.peek()).set(data._id, fromItem(data, performance.now()));
  }
  return data._id;
}

/** Takes a conversation as the list shows it. Blocks and presence hold for all conversations with the same person. */
export function take(item: ConversationItem): void {
  const now = performance.now();
  const next = fromItem(item, now);
  settingsAt.set(next.id, now);
  conversations.value = new Map(conversations.peek()).set(next.id, next);
  const { blockedByMe, blockedByOther, online, lastSeen } = next;
  presenceAt.set(next.other._id, now);
  noteBlocks(next.other._id, { blockedByMe, blockedByOther, online, lastSeen });
}

/** Notes that one of the two has blocked or unblocked the other. */
export function noteBlocks(user: string, change: Partial<Conversation>): void {
  blocksAt.set(user, performance.now());
  updatePerson(user, change);
}

/** Notes a stored message; whether it is the conversation's newest. */
export function noteMessage(message: Message): boolean {
  const known = find(message.conversation_id);
  if (!known || message.seq <= known.lastSeq) return false;
  const mine = message.sender_id._id === me.peek();
  update(known.id, {
    preview: { text: message.text, mine },
    at: message.sent_at,
    lastSeq: message.seq,
    archived: false,
    typing: mine && known.typing,
  });
  return true;
}

/** Notes that a message was edited or deleted; in place of a deleted one the list shows the one before it. */
export function noteChange(conversation: string, seq: number, words: string): void {
  const known = find(conversation);
  if (!known?.preview || known.lastSeq !== seq) return;
  if (words) update(conversation, { preview: { ...known.preview, text: words } });
  else void refresh();
}

export function noteUnread(id: string, unread: number): void {
  unreadAt.set(id, performance.now());
  update(id, { unread });
}

export function noteRead(id: string, reader: string, upTo: number): void {
  const known = find(id);
  if (!known) return;
  if (reader === me.peek()) update(id, { myReadSeq: Math.max(known.myReadSeq, upTo) });
  else update(id, { otherReadSeq: Math.max(known.otherReadSeq, upTo) });
}

export function noteDelivered(id: string, recipient: string, upTo: number): void {
  const known = find(id);
  if (known && recipient !== me.peek()) {
    update(id, { otherDeliveredSeq: Math.max(known.otherDeliveredSeq, upTo) });
  }
}

/** Changes each conversation with `user`. */
export function updatePerson(user: string, change: Partial<Conversation>): void {
  for (const { id, other } of conversations.peek().values()) if (other._id === user) update(id, change);
}

export function notePresence(user: string, online: boolean, lastSeen: string | null): void {
  presenceAt.set(user, performance.now());
  updatePerson(user, { online, lastSeen });
}

/** Without a connection presence is unknown; the next list has it again. */
export function forgetPresence(): void {
  presenceAt.clear();
  const unknown = { online: false, lastSeen: null };
  conversations.value = new Map([...conversations.peek()].map(([id, known]) => [id, { ...known, ...unknown }]));
}

/** Forgets all, for the next user. */
export function clear(): void {
  conversations.value = new Map();
  listPhase.value = "loading";
  unreadAt.clear();
  presenceAt.clear();
  blocksAt.clear();
  settingsAt.clear();
}
