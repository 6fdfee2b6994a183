// The messages of each conversation, as far as they were loaded: one stretch without a gap, from `first` to
// `last`, in blocks of consecutive `seq`, so that the view redraws and measures a block and never the whole.
import { signal, type Signal } from "@preact/signals";
import type { Answer, Message, Quote } from "../protocol";
import { request } from "./api";
import { serverClock } from "./clock";
import { NoAnswer, askAndTake } from "./connection";

/** Messages a block. */
export const BLOCK = 16;
/** Messages a request, at most. */
const PAGE = 100;
/** Messages that are loaded when a conversation is opened. */
const NEWEST = 50;
/** Blocks that a timeline keeps while it is not shown. */
const KEPT_BLOCKS = 6;
/** After more missed messages than this, the newest are shown and the rest is loaded on scrolling up. */
const MAX_CATCH_UP = 500;
/** How much of a message is quoted, counted as JavaScript's `length` does. */
const MAX_QUOTE = 200;

export interface Timeline {
  phase: "loading" | "ready" | "failed";
  blocks: ReadonlyMap<number, readonly Message[]>;
  first: number;
  last: number;
  /** Loading what is before `first`: nothing is there, not under way, under way, or failed. */
  older: "none" | "idle" | "loading" | "failed";
}

const EMPTY: Timeline = { phase: "loading", blocks: new Map(), first: 1, last: 0, older: "idle" };

const timelines = new Map<string, Signal<Timeline>>();
/** Messages that came before their predecessors, and the conversations that are being filled. */
const early = new Map<string, Message[]>();
const filling = new Set<string>();

export const blockOf = (seq: number) => Math.floor((seq - 1) / BLOCK);

export function timeline(conversation: string): Signal<Timeline> {
  let known = timelines.get(conversation);
  if (!known) timelines.set(conversation, (known = signal(EMPTY)));
  return known;
}

interface Range {
  after_seq?: number;
  before_seq?: number;
  limit?: number;
}

/** The result of `take` for the answer to `fetch_messages`. */
async function fetchMessages<Result>(
  conversation: string,
  range: Range,
  take: (messages: readonly Message[], hasMore: boolean) => Result,
): Promise<Result> {
  const limit = range.limit ?? PAGE;
  const payload = { conversation_id: conversation, ...range, limit };
  let isUnknown = false;
  const taken = await askAndTake<Message[], Result | undefined>("fetch_messages", payload, (answer: Answer<Message[]>) => {
    if (answer.success) return take(answer.data, answer.has_more ?? false);
    if (answer.message !== "Unknown event") throw new Error(answer.message);
    isUnknown = true;
    return undefined;
  });
  return isUnknown ? fetchHistory(conversation, range, limit, take) : (taken as Result);
}

/** The same by the history's route, for a server that does not know the event. */
async function fetchHistory<Result>(
  conversation: string,
  range: Range,
  limit: number,
  take: (messages: readonly Message[], hasMore: boolean) => Result,
): Promise<Result> {
  const query = new URLSearchParams(Object.entries({ ...range, limit }).map(([name, value]) => [name, `${value}`]));
  const path = `/api/chat/conversations/${encodeURIComponent(conversation)}/messages?${query}`;
  const page = await request<{ data: Message[]; has_more?: boolean }>("GET", path);
  return take(page.data, page.has_more ?? page.data.length === limit);
}

const version = ({ edited_at, deleted_at }: Message) => deleted_at ?? edited_at ?? "";

/** The newer of two states of a message: one that was on its way may be older than what is known. */
const newer = (known: Message | undefined, message: Message) =>
  known && (known.deleted_at ? !message.deleted_at : version(known) > version(message)) ? known : message;

/** `blocks` with `messages`; each block that holds one of them is a new array. */
function withMessages(blocks: ReadonlyMap<number, readonly Message[]>, messages: readonly Message[]) {
  const changed = new Map<number, Map<number, Message>>();
  for (const message of messages) {
    const block = blockOf(message.seq);
    if (!changed.has(block)) changed.set(block, new Map((blocks.get(block) ?? []).map((known) => [known.seq, known])));
    const bySeq = changed.get(block)!;
    bySeq.set(message.seq, newer(bySeq.get(message.seq), message));
  }
  const result = new Map(blocks);
  for (const [block, bySeq] of changed) {
    result.set(block, [...bySeq.values()].sort((one, other) => one.seq - other.seq));
  }
  return result;
}

function startAt(messages: readonly Message[], hasMore: boolean): Timeline {
  const first = hasMore ? (messages[0]?.seq ?? 1) : 1;
  return {
    phase: "ready",
    blocks: withMessages(new Map(), messages),
    first,
    last: messages.at(-1)?.seq ?? 0,
    older: hasMore ? "idle" : "none",
  };
}

/** Loads the newest messages, unless they are there. */
export async function loadNewest(conversation: string): Promise<void> {
  const state = timeline(conversation);
  if (state.peek().phase === "ready") return;
  state.value = EMPTY;
  try {
    await fetchMessages(conversation, { limit: NEWEST }, (messages, hasMore) => {
      state.value = startAt(messages, hasMore);
      takeEarly(conversation);
    });
  } catch (error) {
    // Without a connection it goes on loading: the next one asks again, by `catchUp`.
    if (!(error instanceof NoAnswer)) state.value = { ...EMPTY, phase: "failed" };
  }
}

/** Loads what is before the first message. */
export async function loadOlder(conversation: string): Promise<void> {
  const state = timeline(conversation);
  const before = state.peek();
  if (before.phase !== "ready" || before.older === "none" || before.older === "loading") return;
  state.value = { ...before, older: "loading" };
  try {
    await fetchMessages(conversation, { before_seq: before.first }, (messages, hasMore) => {
      const now = state.peek();
      // Meanwhile it may have been begun anew.
      if (now.first !== before.first) return;
      const older = messages.filter(({ seq }) => seq < before.first);
      state.value = {
        ...now,
        blocks: withMessages(now.blocks, older),
        first: hasMore ? (older[0]?.seq ?? before.first) : 1,
        older: hasMore && older.length > 0 ? "idle" : "none",
      };
    });
  } catch {
    state.value = { ...state.peek(), older: "failed" };
  }
}

/** A message came. It is shown when all before it are there. */
export function receive(message: Message): void {
  const { conversation_id: conversation, seq } = message;
  const state = timelines.get(conversation);
  if (!state) return;
  const now = state.peek();
  if (now.phase !== "ready" || seq > now.last + 1) {
    early.set(conversation, [...(early.get(conversation) ?? []), message]);
    if (now.phase === "ready") void fill(conversation);
  } else if (seq >= now.first) {
    state.value = { ...now, blocks: withMessages(now.blocks, [message]), last: Math.max(now.last, seq) };
  }
}

function takeEarly(conversation: string): void {
  const waiting = (early.get(conversation) ?? []).sort((one, other) => one.seq - other.seq);
  early.delete(conversation);
  waiting.forEach(receive);
}

/** Loads the messages after the last one: a gap, or what was missed. */
export async function fill(conversation: string): Promise<void> {
  const state = timelines.get(conversation);
  if (!state || filling.has(conversation)) return;
  filling.add(conversation);
  try {
    for (let isMore = true; isMore; ) {
      const { last } = state.peek();
      isMore = await fetchMessages(conversation, { after_seq: last }, (messages, hasMore) => {
        const now = state.peek();
        const end = messages.at(-1)?.seq ?? last;
        state.value = { ...now, blocks: withMessages(now.blocks, messages), last: Math.max(now.last, end) };
        return hasMore && messages.length > 0;
      });
    }
    takeEarly(conversation);
  } catch {
    // Without a connection: the next one fills again.
  } finally {
    filling.delete(conversation);
  }
}

/** After a reconnection: brings the shown conversation up to date, edits and deletions too; forgets the others. */
export async function catchUp(shown: string): Promise<void> {
  for (const id of timelines.keys()) if (id !== shown) forget(id);
  const state = timelines.get(shown);
  if (!state) return;
  if (state.peek().phase !== "ready") return loadNewest(shown);
  try {
    const isFarBehind = await fetchMessages(shown, {}, (messages, hasMore) => {
      if ((messages.at(-1)?.seq ?? 0) - state.peek().last <= MAX_CATCH_UP) return false;
      state.value = startAt(messages, hasMore);
      return true;
    });
    if (!isFarBehind) {
      await fetchChanges(shown, state);
      await fill(shown);
    }
    takeEarly(shown);
  } catch {
    // As in `fill`.
  }
}

/** Fetches anew what may have been changed since the last message that is loaded: what was young enough then. */
async function fetchChanges(conversation: string, state: Signal<Timeline>): Promise<void> {
  const { blocks, last } = state.peek();
  const newest = blocks.get(blockOf(last))?.at(-1);
  if (!newest) return;
  const since = Date.parse(newest.sent_at) - serverClock.editWindow;
  for (let before = last + 1; before > state.peek().first; ) {
    const oldest = await fetchMessages(conversation, { before_seq: before }, (messages) => {
      const now = state.peek();
      const known = messages.filter(({ seq }) => seq >= now.first && seq <= now.last);
      state.value = { ...now, blocks: withMessages(now.blocks, known) };
      return messages[0];
    });
    if (!oldest || Date.parse(oldest.sent_at) < since) return;
    before = oldest.seq;
  }
}

/** What a reply quotes of `message`. */
export function quote({ _id, seq, sender_id, text }: Message): Quote {
  return { _id, seq, sender_id: sender_id._id, text: text.slice(0, MAX_QUOTE) };
}

/** Changes a message and what replies quote of it, as far as they are loaded or wait for those before them. */
export function change(conversation: string, seq: number, alter: (message: Message) => Message): void {
  const altered = (message: Message) => {
    if (message.seq === seq) return alter(message);
    if (message.reply_to?.seq !== seq) return message;
    return { ...message, reply_to: { ...message.reply_to, text: alter(message).text.slice(0, MAX_QUOTE) } };
  };
  const waiting = early.get(conversation);
  if (waiting) early.set(conversation, waiting.map(altered));
  const state = timelines.get(conversation);
  if (!state) return;
  const { blocks } = state.peek();
  const known = [...blocks.values()].flat().filter((message) => message.seq === seq || message.reply_to?.seq === seq);
  if (known.length > 0) state.value = { ...state.peek(), blocks: withMessages(blocks, known.map(altered)) };
}

/** Forgets all but the newest blocks of a long timeline, which is drawn whole when it is shown again. */
export function trim(conversation: string): void {
  const state = timelines.get(conversation);
  const { blocks } = state?.peek() ?? EMPTY;
  if (!state || blocks.size <= KEPT_BLOCKS) return;
  const kept = [...blocks].sort(([one], [other]) => one - other).slice(-KEPT_BLOCKS);
  state.value = { ...state.peek(), blocks: new Map(kept), first: kept[0]![0] * BLOCK + 1, older: "idle" };
}

/** Forgets what was loaded, so that it is loaded anew when it is shown. */
export function forget(conversation: string): void {
  timelines.delete(conversation);
  early.delete(conversation);
}

/** Forgets all, for the next user. */
export function clear(): void {
  timelines.clear();
  early.clear();
}
