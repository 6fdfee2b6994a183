/**
 * The events of Horse Trust's chat, for the typed events of Socket.IO:
 *
 * ```ts
 * const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io(url, { auth });
 * ```
 *
 * Lengths of messages' texts are counted as JavaScript's `length` does, in UTF-16 units; others in characters. Fields
 * may be added to what the server sends, never renamed or dropped.
 *
 * Made by `make contract` from crates/horse-trust/src/contract, with its comments.
 */

/** 1 to 64 characters of `A-Z a-z 0-9 _ -`. Ids of messages sort by the time they were sent. */
export type Id = string;

/** A time in UTC, to the millisecond: `2024-01-15T10:30:00.000Z`. */
export type Time = string;

/** The handshake's `auth`. As a function (`auth: (set) => set({…})`) it can bring a new token at each connection. */
export interface Auth {
  /** A JWT, HS256, with `userId` and `role`, from `POST /api/auth/login`. */
  token: string;
  /** `true` turns Socket.IO's connection state recovery on: after at most two minutes away nothing is missed. */
  recovery?: boolean;
  /**
   * The `_id` of the last message the client has: what came after it in all of the user's conversations is sent as
   * `new_message`, in order, and then every new one, joined or not. `0` or `""`: everything from the beginning. Left
   * out or null: only new messages of joined conversations.
   */
  serverOffset?: string | 0 | null;
}

/** What goes with a `connect_error`. */
export interface ConnectErrorData {
  /** With `account suspended`: null if none was given. */
  reason?: string | null;
  /** With `Too many connections`: seconds, at least 1, until a connection is taken again. */
  retry_after?: number;
  /** With `account suspended`: null if it has no end. */
  until?: Time | null;
}

/** The argument of `connect_error`. */
export interface ConnectError {
  /**
   * `Authentication error: no token`, `Authentication error: invalid token`, `Authentication error: account suspended`,
   * `Too many connections` or `Invalid namespace`.
   */
  message: string;
  /** Comes with `Too many connections`, and with `Authentication error: account suspended`. */
  data?: ConnectErrorData;
}

/** The acknowledgement of an event that was done; nothing more is to be said. */
export interface Done {
  /** Always true. */
  success: true;
}

/** Why the server says no; see docs/protocol.md. Texts may be added. */
export type Refusal =
  | "A reason is required (maximum 1000 characters)"
  | "Cannot block yourself"
  | "Cannot message yourself"
  | "Cannot report a system message"
  | "Cannot report your own message"
  | "Conversation not found"
  | "Error sending message"
  | "Invalid horse ID"
  | "Invalid message"
  | "Invalid or expired token"
  | "Invalid recipient ID"
  | "Invalid request"
  | "Message can no longer be changed"
  | "Message is too long (maximum 2000 characters)"
  | "Message not found"
  | "Message text is required"
  | "Message to reply to not found"
  | "Only the sender can change a message"
  | "Report not found"
  | "Server error"
  | "The sender takes no part in the conversation"
  | "Too many conversations joined"
  | "Too many messages"
  | "Unknown event"
  | "User not found"
  | "You cannot message this user"
  | "You have blocked this user"
  | "client_id was used for another message";

/**
 * The acknowledgement of a refused event; the connection stays open. Nothing was done, except that after `Error sending
 * message` and `Server error` it is not known: a message is sent again with the same `client_id`, anything else is
 * asked for again.
 */
export interface Refused {
  /** Always false. */
  success: false;
  /** Why; texts may be added. */
  message: Refusal | (string & {});
  /** Comes with `Too many messages`: whole seconds, at least 1, until it can be tried again. */
  retry_after?: number;
}

/** The acknowledgement of an event that was done, with what it brings. */
export interface Answered<Data> extends Done {
  data: Data;
}

/** What an acknowledgement brings: `if (answer.success) answer.data; else answer.message`. */
export type Acknowledgement<Data = undefined> = (Data extends undefined ? Done : Answered<Data>) | Refused;

/** The callback that takes an acknowledgement; called once, or never if the connection is lost before. */
export type Acknowledge<Data = undefined> = (answer: Acknowledgement<Data>) => void;

/** A conversation, by its id or in an object. */
export type ConversationName = { conversation_id: Id } | Id;

/** The payload of `send_message`. */
export interface SendMessage {
  /** The conversation. */
  conversation_id: Id;
  /** 1 to 2000 characters, not white space alone, without U+0000. */
  text: string;
  /**
   * 1 to 64 characters that the client chooses, new for each message, the same when one is sent again: of each sender
   * it names one message, which is stored once. A repeat (the same conversation and text) is acknowledged with that
   * message; anything else is refused.
   */
  client_id?: string;
  /** The `_id` of a message of the same conversation, to which this one replies. */
  reply_to?: Id;
}

/** What a reply shows of the message that it replies to, as that message now is. */
export interface Quote {
  /** Its id. */
  _id: Id;
  /** Its place in the conversation. */
  seq: number;
  /** Who wrote it: the id alone. */
  sender_id: Id;
  /** Its first 200 characters; `""` once it is deleted. */
  text: string;
}

/** What one user sees of another. */
export interface Profile {
  /** The user. */
  _id: Id;
  /** 1 to 100 characters; null if the user has no profile here, or was erased. */
  full_name: string | null;
  /** True once the account was erased; left out otherwise. */
  is_deleted?: boolean;
  /** Left out if there is none. */
  profile_picture_url?: string;
}

/** A message. The same in `new_message`, in acknowledgements and over HTTP. */
export interface Message {
  /** Its id; the ids of messages sort by the time they were sent. */
  _id: Id;
  /** Its conversation. */
  conversation_id: Id;
  /** Who wrote it: the whole profile, whatever the name says. The platform has the id `system`. */
  sender_id: Profile;
  /** 1 to 2000 characters; `""` once it is deleted. */
  text: string;
  /** Whether the other has read it; of what the platform says, whether both have. */
  is_read: boolean;
  /** When it was stored. */
  sent_at: Time;
  /** 1, 2, 3 … in the conversation, without holes. */
  seq: number;
  /** As the sender gave it; left out if there was none. */
  client_id?: string;
  /** What the platform keeps with it; left out if there is nothing, and once it is deleted. */
  custom?: Record<string, unknown>;
  /** When it was deleted; left out until then. */
  deleted_at?: Time;
  /** When it was last edited; left out until then. */
  edited_at?: Time;
  /** The message that it replies to; left out if there is none. */
  reply_to?: Quote;
  /** `system` if the platform itself says it, left out otherwise. */
  type?: string;
}

/** The payload of `fetch_messages`: the part behind `after_seq`, or the one before `before_seq`, or the newest. */
export type FetchMessages = {
  /** The conversation. */
  conversation_id: Id;
  /** Messages at most, 1 or more; 30 if left out. More than 100 counts as 100. */
  limit?: number;
} & (
  | {
      /** The messages after this `seq` (0: from the beginning). */
      after_seq?: number;
      before_seq?: never;
    }
  | {
      /** The last messages before this `seq`, 1 or more. */
      before_seq?: number;
      after_seq?: never;
    }
);

/** The acknowledgement of `fetch_messages`. */
export interface Fetched {
  /** Always true. */
  success: true;
  /** The messages, oldest first. */
  data: Message[];
  /** Whether there is more in the direction that was asked for. */
  has_more: boolean;
}

/** The payload of `mark_read`. */
export interface MarkRead {
  /** The conversation. */
  conversation_id: Id;
  /** The `seq` up to which the user has read; all if left out. */
  up_to_seq?: number;
}

/** What is read now, and what is not. */
export interface Marked {
  /** The `seq` up to which the user has now read; 0 if nothing. */
  up_to_seq: number;
  /** Unread messages in all conversations. */
  unread_count: number;
  /** Unread messages in this conversation. */
  conversation_unread_count: number;
}

/** The payload of `edit_message`. */
export interface EditMessage {
  /** The message. */
  message_id: Id;
  /** As of `send_message`. */
  text: string;
}

/** A message, by its id or in an object. */
export type MessageName = { message_id: Id } | Id;

/** A user, by the id or in an object. */
export type UserName = { user_id: Id } | Id;

/**
 * The payload of `update_conversation`: what the user sets for a conversation, for all devices. What is left out stays
 * as it is.
 */
export interface UpdateConversation {
  /** The conversation. */
  conversation_id: Id;
  /** Whether it is left out of the list. The next message, by whichever of the two, brings it back. */
  archived?: boolean;
  /** Whether its messages are to attract no attention. */
  muted?: boolean;
  /** Whether it is to be shown before the others. */
  pinned?: boolean;
}

/** The newest message of a conversation, in a list. */
export interface LastMessage {
  /** Its text. */
  text: string;
  /** Who wrote it: the id alone. */
  sender_id: Id;
  /** When it was stored. */
  sent_at: Time;
  /** Whether the other has read it. */
  is_read: boolean;
  /** `system` if the platform itself says it, left out otherwise. */
  type?: string;
}

/** What the platform shows of a horse, in conversations about it. */
export interface Listing {
  /** 1 to 200 characters. */
  title: string;
  /** What the platform keeps with it. */
  custom?: Record<string, unknown>;
  /** A picture: an http or https URL of at most 2048 bytes. */
  image_url?: string;
  /** The price, to be shown as it is: 1 to 100 characters. */
  price?: string;
  /** A short word, such as `sold`: 1 to 30 characters. */
  status?: string;
  /** The page of the horse: an http or https URL of at most 2048 bytes. */
  url?: string;
}

/** What is known of one of the two of a conversation. */
export interface ParticipantState {
  /** The user. */
  user_id: Id;
  /** Whether a device of theirs is connected, or was 5 seconds ago. Of the other: false while a block stands. */
  online: boolean;
  /** When the last device went; null while online, or if never seen. Of the other: null while a block stands. */
  last_seen: Time | null;
  /** The `seq` up to which they have read what the other wrote; 0 if nothing. */
  read_seq: number;
  /** The `seq` up to which a device of theirs was handed the messages; 0 if nothing. */
  delivered_seq: number;
}

/** A conversation, as `GET /api/chat/conversations` lists it. */
export interface Conversation {
  /** Its id. */
  _id: Id;
  /** The two. */
  participants: [Profile, Profile];
  /** Of each of the `participants`, in their order. */
  participant_states: [ParticipantState, ParticipantState];
  /** Null while nothing was written. */
  last_message: LastMessage | null;
  /** How many messages to the user are not read, 0 or more. */
  unread_count: number;
  /** The `seq` of the newest message; 0 while nothing was written. */
  last_seq: number;
  /** Whether the user has blocked the other. */
  blocked_by_me: boolean;
  /** Whether the other has blocked the user. */
  blocked_by_other: boolean;
  /** When it was made. */
  created_at: Time;
  /** When the newest message was sent; `created_at` while nothing was written. */
  updated_at: Time;
  /** Comes if the user has archived it: the list leaves it out unless it is asked for. A message after that ends it. */
  archived?: true;
  /** The horse it is about; left out if none was named. */
  horse_id?: Id;
  /** What the platform shows of the horse; left out if it shows nothing. */
  listing?: Listing;
  /** Comes if the user has muted it. */
  muted?: true;
  /** Comes if the user has pinned it. */
  pinned?: true;
}

/** The payload of `report_message`. */
export interface ReportMessage {
  /** The message. */
  message_id: Id;
  /** 1 to 1000 characters, not white space alone. */
  reason: string;
}

/** What `report_message` answers. */
export interface Reported {
  /** The report; of a repeat the first one. */
  report_id: Id;
}

/** The payload of `refresh_token`: a new token of the same user, alone or in an object. */
export type RefreshToken = { token: string } | string;

/** What `refresh_token` answers. */
export interface Refreshed {
  /** When the new token ends; null if it has no end. */
  expires_at: Time | null;
}

/**
 * What clients send. Every event is acknowledged; `typing` and `stop_typing` can do without the callback.
 * `socket.emitWithAck` knows the types too; behind `socket.timeout(…)` pass the callback `(error, answer) => …`
 * instead, because there socket.io-client 4.8 takes the awaited answer for an `Error`.
 */
export interface ClientToServerEvents {
  /** From now on this socket gets the events of the conversation. At most 1000 conversations a socket. */
  join_conversation: (payload: ConversationName, acknowledge: Acknowledge) => void;
  /** Ends what `join_conversation` began. Events that go to all of the user's devices go on. */
  leave_conversation: (payload: ConversationName, acknowledge: Acknowledge) => void;
  /** Stores a message, then sends it to the others; the acknowledgement is the stored message. */
  send_message: (payload: SendMessage, acknowledge: Acknowledge<Message>) => void;
  /** The user is writing; ends by itself 6 seconds after the last, and with a message. */
  typing: (payload: ConversationName, acknowledge?: Acknowledge) => void;
  /** The user has stopped writing on this device; the other is notified when it was the last that did. */
  stop_typing: (payload: ConversationName, acknowledge?: Acknowledge) => void;
  /** A part of the history, oldest first; deleted messages are in it, without text. Marks nothing as read. */
  fetch_messages: (payload: FetchMessages, acknowledge: (answer: Fetched | Refused) => void) => void;
  /** Marks what the other wrote as read. */
  mark_read: (payload: MarkRead, acknowledge: Acknowledge<Marked>) => void;
  /** Replaces the text of an own message, in the first 15 minutes (`EDIT_WINDOW`). */
  edit_message: (payload: EditMessage, acknowledge: Acknowledge<Message>) => void;
  /** Takes an own message back, in the first 15 minutes (`EDIT_WINDOW`). */
  delete_message: (payload: MessageName, acknowledge: Acknowledge<Message>) => void;
  /** From now on no message and no typing goes between the two, and neither sees the other's presence. */
  block_user: (payload: UserName, acknowledge: Acknowledge) => void;
  /** Ends the user's block; one by the other stays. */
  unblock_user: (payload: UserName, acknowledge: Acknowledge) => void;
  /**
   * Archives, mutes or pins a conversation for the user alone; the acknowledgement has it as the list then shows it.
   */
  update_conversation: (payload: UpdateConversation, acknowledge: Acknowledge<Conversation>) => void;
  /** Reports another's message to the admins, for whom it is kept as it is. */
  report_message: (payload: ReportMessage, acknowledge: Acknowledge<Reported>) => void;
  /** Keeps the socket beyond the end of its token, with a new token of the same user. */
  refresh_token: (payload: RefreshToken, acknowledge: Acknowledge<Refreshed>) => void;
}

/** The argument of `message_notification`. */
export interface MessageNotification {
  /** The conversation. */
  conversation_id: Id;
  /** Who wrote. */
  sender: Id;
  /** The first 60 characters of the text. */
  preview: string;
}

/** The argument of `user_typing` and `user_stop_typing`. */
export interface UserTyping {
  /** Who types, or no longer does. */
  userId: Id;
  /** Where. */
  conversation_id: Id;
}

/** The argument of `messages_read`. */
export interface MessagesRead {
  /** The conversation. */
  conversation_id: Id;
  /** Who has read. */
  reader: Id;
  /** What the other wrote up to this `seq` is read. */
  up_to_seq: number;
  /** When. */
  read_at: Time;
}

/** The argument of `message_delivered`. */
export interface MessageDelivered {
  /** The conversation. */
  conversation_id: Id;
  /** Whose device has the messages. */
  recipient: Id;
  /** What was written to the recipient up to this `seq` is there. */
  up_to_seq: number;
  /** When. */
  delivered_at: Time;
}

/** The argument of `unread_count`. */
export interface UnreadCount {
  /** Unread messages in all conversations. */
  unread_count: number;
  /** The conversation in which it changed. */
  conversation_id: Id;
  /** Unread messages in this conversation. */
  conversation_unread_count: number;
}

/** The argument of `presence`. */
export interface Presence {
  /** The user. */
  user_id: Id;
  /** Whether a device of theirs is connected, or was until a moment ago. */
  online: boolean;
  /** When the last device went; null while online, or if never seen. */
  last_seen: Time | null;
}

/** The argument of `message_deleted`. */
export interface MessageDeleted {
  /** The message. */
  message_id: Id;
  /** Its conversation. */
  conversation_id: Id;
  /** Its place in the conversation, which stays. */
  seq: number;
  /** When it was deleted. */
  deleted_at: Time;
}

/** A conversation in which the client missed something. */
export interface ResyncConversation {
  /** The conversation. */
  conversation_id: Id;
  /** The `seq` of its newest message. */
  last_seq: number;
}

/** The argument of `resync`. */
export interface Resync {
  /** Where messages came that the client has not, up to the newest `seq` of each. */
  conversations: ResyncConversation[];
}

/** The argument of `token_expiring`. */
export interface TokenExpiring {
  /** When the token ends. */
  expires_at: Time;
}

/** Until when an account is suspended, and why. */
export interface Suspension {
  /** Null if it has no end. */
  until: Time | null;
  /** Null if none was given. */
  reason: string | null;
}

/** The argument of `user_blocked` and `user_unblocked`. */
export interface BlockedUser {
  /** Who was blocked, or no longer is. */
  user_id: Id;
}

/**
 * What the server sends. With `auth.recovery` each event has one more argument, the offset that the client library
 * itself makes use of.
 */
export interface ServerToClientEvents {
  /** A message in a joined conversation (with `auth.serverOffset`: in any), the user's own included. */
  new_message: (argument: Message) => void;
  /** Somebody wrote to the user; comes to all of the user's sockets, joined or not. */
  message_notification: (argument: MessageNotification) => void;
  /** The other in a joined conversation is writing. */
  user_typing: (argument: UserTyping) => void;
  /** The other has stopped writing, has been silent for 6 seconds, or is gone. */
  user_stop_typing: (argument: UserTyping) => void;
  /** The other, or the user on another device, has read. */
  messages_read: (argument: MessagesRead) => void;
  /** Messages have reached a device of the recipient. At most ten a second and conversation; the last always comes. */
  message_delivered: (argument: MessageDelivered) => void;
  /** The user's unread messages have changed. At most ten a second and conversation; the last always comes. */
  unread_count: (argument: UnreadCount) => void;
  /** Somebody with whom the user shares a conversation has come, or gone 5 seconds ago. */
  presence: (argument: Presence) => void;
  /** A message has a new text, and `edited_at`. */
  message_updated: (argument: Message) => void;
  /** A message was taken back. */
  message_deleted: (argument: MessageDeleted) => void;
  /**
   * More was missed since `auth.serverOffset` than is replayed: the client fetches what it wants with `fetch_messages`.
   */
  resync: (argument: Resync) => void;
  /** The token ends at this time, in a minute: the server closes the connection then unless `refresh_token` comes. */
  token_expiring: (argument: TokenExpiring) => void;
  /**
   * The profile of a user has changed: of somebody with whom the user shares a conversation, or the user's own. At most
   * ten a second and user; the last always comes.
   */
  user_updated: (argument: Profile) => void;
  /**
   * What the list shows of a conversation has changed: the user has archived, muted or pinned it on another device, the
   * platform has made it or changed its listing, or a block between the two was set or taken back, by whichever of
   * them. At most ten times a second and conversation. A block is the same in all conversations of the two, so it comes
   * for the newest ten.
   */
  conversation_updated: (argument: Conversation) => void;
  /** The account is suspended: the server closes the connection, and takes none until that ends. */
  account_suspended: (argument: Suspension) => void;
  /** The user has blocked somebody, on another device. */
  user_blocked: (argument: BlockedUser) => void;
  /** The user has ended a block, on another device. */
  user_unblocked: (argument: BlockedUser) => void;
}
