// A client written against the declarations alone: two chat, and use every event.
import { io, type Socket } from "socket.io-client";
import type {
  Answered,
  Auth,
  ClientToServerEvents,
  ConnectError,
  Conversation,
  Done,
  FetchMessages,
  Fetched,
  Id,
  Message,
  Profile,
  Refused,
  ServerToClientEvents,
} from "@horse-trust/events";

type Chat = Socket<ServerToClientEvents, ClientToServerEvents>;

export interface Account {
  id: Id;
  token: string;
}

export interface Setting {
  url: string;
  ana: Account;
  bruno: Account;
  conversation: Id;
  /** A token of Ana's that ends in less than a minute. */
  expiring: string;
}

/** How often each event came; the compiler knows if one is left out. */
export type Seen = Record<keyof ServerToClientEvents, number>;

class Device {
  readonly seen: Seen = {
    new_message: 0,
    message_notification: 0,
    user_typing: 0,
    user_stop_typing: 0,
    messages_read: 0,
    message_delivered: 0,
    unread_count: 0,
    presence: 0,
    message_updated: 0,
    message_deleted: 0,
    resync: 0,
    token_expiring: 0,
    conversation_updated: 0,
    user_blocked: 0,
    user_unblocked: 0,
    user_updated: 0,
    account_suspended: 0,
  };
  readonly socket: Chat;
  lastMessage: Message | undefined;
  lastSeq = 0;
  unread = 0;
  online = new Map<Id, boolean>();

  constructor(url: string, auth: Auth | ((set: (auth: Auth) => void) => void)) {
    this.socket = io(url, { auth, forceNew: true });
    this.socket.on("connect_error", (error: ConnectError) => {
      throw new Error(`${error.message}, again in ${error.data?.retry_after ?? 0} s`);
    });
    const saw = (name: keyof ServerToClientEvents, ..._texts: string[]) => void this.seen[name]++;
    this.socket.on("new_message", (message) => {
      this.lastMessage = message;
      this.lastSeq = message.seq;
      saw("new_message", name(message.sender_id), message.text);
    });
    this.socket.on("message_notification", ({ sender, preview }) => saw("message_notification", sender, preview));
    this.socket.on("user_typing", ({ userId, conversation_id }) => saw("user_typing", userId, conversation_id));
    this.socket.on("user_stop_typing", ({ userId }) => saw("user_stop_typing", userId));
    this.socket.on("messages_read", ({ reader, up_to_seq, read_at }) => saw("messages_read", reader, `${up_to_seq}`, read_at));
    this.socket.on("message_delivered", ({ recipient, delivered_at }) => saw("message_delivered", recipient, delivered_at));
    this.socket.on("unread_count", ({ unread_count, conversation_unread_count }) => {
      this.unread = Math.max(unread_count, conversation_unread_count);
      saw("unread_count");
    });
    this.socket.on("presence", ({ user_id, online, last_seen }) => {
      this.online.set(user_id, online);
      saw("presence", last_seen ?? "now");
    });
    this.socket.on("message_updated", (message) => saw("message_updated", message.edited_at ?? "never"));
    this.socket.on("message_deleted", ({ message_id, deleted_at }) => saw("message_deleted", message_id, deleted_at));
    this.socket.on("resync", ({ conversations }) => {
      saw("resync", ...conversations.map(({ conversation_id, last_seq }) => `${conversation_id} ${last_seq}`));
    });
    this.socket.on("token_expiring", ({ expires_at }) => saw("token_expiring", expires_at));
    this.socket.on("conversation_updated", ({ _id, blocked_by_other }) => saw("conversation_updated", _id, `${blocked_by_other}`));
    this.socket.on("user_blocked", ({ user_id }) => saw("user_blocked", user_id));
    this.socket.on("user_unblocked", ({ user_id }) => saw("user_unblocked", user_id));
    this.socket.on("user_updated", ({ _id, full_name }) => saw("user_updated", _id, full_name ?? ""));
    this.socket.on("account_suspended", ({ until, reason }) => saw("account_suspended", until ?? "without end", reason ?? ""));
  }
}

const name = (profile: Profile): string => profile.full_name ?? profile._id;

function done(answer: Done | Refused): void {
  if (!answer.success) throw new Error(`${answer.message} ${answer.retry_after ?? ""}`);
}

function data<Data>(answer: Answered<Data> | Refused): Data {
  if (!answer.success) throw new Error(`${answer.message} ${answer.retry_after ?? ""}`);
  return answer.data;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 8_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within 8 seconds`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Plays it all, and answers how often each event came in all. */
export async function chat({ url, ana, bruno, conversation, expiring }: Setting): Promise<Seen> {
  const a = new Device(url, { token: expiring, serverOffset: 0 });
  const b = new Device(url, (set) => set({ token: bruno.token }));
  const elsewhere = new Device(url, { token: bruno.token });
  const devices = [a, b, elsewhere];
  try {
    await until("all are connected", () => devices.every((device) => device.socket.connected));
    await play(a, b, elsewhere, { ana, conversation });
    const lost = new Device(url, { token: bruno.token, serverOffset: "not the id of a message" });
    devices.push(lost);
    await until("the unknown offset was answered", () => lost.seen.resync > 0);
  } finally {
    devices.forEach((device) => device.socket.disconnect());
  }
  const total = { ...a.seen };
  for (const { seen } of devices.slice(1)) {
    for (const event of Object.keys(seen) as (keyof Seen)[]) total[event] += seen[event];
  }
  return total;
}

async function play(a: Device, b: Device, elsewhere: Device, { ana, conversation }: { ana: Account; conversation: Id }) {
  await until("somebody is online", () => [a, b, elsewhere].some(({ online }) => [...online.values()].includes(true)));
  for (const { socket } of [a, b]) done(await socket.emitWithAck("join_conversation", conversation));
  a.socket.emit("typing", conversation);
  await until("the other types", () => b.seen.user_typing > 0);
  a.socket.emit("stop_typing", conversation, done);
  await until("the other has stopped", () => b.seen.user_stop_typing > 0);

  const text = "Is the mare still for sale?";
  const stored: Message = data(await a.socket.emitWithAck("send_message", { conversation_id: conversation, text, client_id: "1" }));
  await until("the message is there", () => b.lastMessage?._id === stored._id && b.lastSeq === stored.seq && b.unread === 1);
  await until("its sender knows", () => a.seen.message_delivered > 0);
  const part: FetchMessages = { conversation_id: conversation, after_seq: 0, limit: 10 };
  const fetched = await new Promise<Fetched | Refused>((resolve, reject) => {
    b.socket.timeout(5_000).emit("fetch_messages", part, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
  if (data(fetched).length !== 1 || (fetched.success && fetched.has_more)) throw new Error("there is one message");
  const { unread_count } = data(await b.socket.emitWithAck("mark_read", { conversation_id: conversation, up_to_seq: stored.seq }));
  if (unread_count !== 0) throw new Error(`${unread_count} are unread`);
  await until("its sender knows", () => a.seen.messages_read > 0);

  const edited = data(await a.socket.emitWithAck("edit_message", { message_id: stored._id, text: `${text} The grey one?` }));
  if (edited.edited_at === undefined) throw new Error("it says when");
  const { report_id } = data(await b.socket.emitWithAck("report_message", { message_id: stored._id, reason: "A test" }));
  if (report_id.length === 0) throw new Error("a report has an id");
  data(await a.socket.emitWithAck("delete_message", { message_id: stored._id }));
  data(await a.socket.emitWithAck("send_message", { conversation_id: conversation, text }));
  await until("the message is gone", () => b.seen.message_updated > 0 && b.seen.message_deleted > 0);

  done(await b.socket.emitWithAck("block_user", { user_id: ana.id }));
  const refusal = await a.socket.emitWithAck("send_message", { conversation_id: conversation, text });
  if (refusal.success || refusal.message !== "You cannot message this user") throw new Error("a block refuses");
  done(await b.socket.emitWithAck("unblock_user", ana.id));
  await until("the other device knows", () => elsewhere.seen.user_blocked > 0 && elsewhere.seen.user_unblocked > 0);
  await until("the other learns it", () => a.seen.conversation_updated > 0);
  const muted: Conversation = data(await a.socket.emitWithAck("update_conversation", { conversation_id: conversation, muted: true }));
  if (!muted.muted || muted.archived) throw new Error("it is muted");
  done(await a.socket.emitWithAck("leave_conversation", conversation));

  await until("the token is about to end", () => a.seen.token_expiring > 0);
  const { expires_at } = data(await a.socket.emitWithAck("refresh_token", { token: ana.token }));
  if (expires_at !== null && Date.parse(expires_at) < Date.now()) throw new Error(expires_at);
}
