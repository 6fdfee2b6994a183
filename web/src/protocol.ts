// What the server says and takes; docs/protocol.md has the words to it.

export interface Profile {
  _id: string;
  full_name: string | null;
  profile_picture_url?: string;
}

export interface Message {
  _id: string;
  conversation_id: string;
  sender_id: Profile;
  text: string;
  is_read: boolean;
  sent_at: string;
  /** Counts 1, 2, 3 … in the conversation. */
  seq: number;
  client_id?: string;
  edited_at?: string;
  deleted_at?: string;
}

/** What is known of one of the two in a conversation. */
export interface ParticipantState {
  user_id: string;
  online: boolean;
  /** Null while online, if never seen, and while a block stands. */
  last_seen: string | null;
  /** Up to which message they have read, and been handed. */
  read_seq: number;
  delivered_seq: number;
}

export interface ConversationItem {
  _id: string;
  participants: Profile[];
  participant_states: ParticipantState[];
  horse_id?: string;
  /** The last that is not deleted. */
  last_message: { text: string; sender_id: string; sent_at: string; is_read: boolean } | null;
  unread_count: number;
  last_seq: number;
  blocked_by_me: boolean;
  blocked_by_other: boolean;
  created_at: string;
  updated_at: string;
}

export interface Account {
  id: string;
  email: string;
  full_name: string | null;
  profile_picture_url?: string;
}

export type Answer<Data> = { success: true; data: Data; has_more?: boolean } | Refused;

export interface Refused {
  success: false;
  message: string;
  /** Seconds. */
  retry_after?: number;
}

/** The events that the server sends. */
export interface ServerEvents {
  new_message: (message: Message) => void;
  message_updated: (message: Message) => void;
  message_deleted: (news: { message_id: string; conversation_id: string; seq: number; deleted_at: string }) => void;
  message_notification: (news: { conversation_id: string; sender: string; preview: string }) => void;
  messages_read: (news: { conversation_id: string; reader: string; up_to_seq: number }) => void;
  message_delivered: (news: { conversation_id: string; recipient: string; up_to_seq: number }) => void;
  unread_count: (news: { conversation_id: string; conversation_unread_count: number; unread_count: number }) => void;
  user_typing: (news: { userId: string; conversation_id: string }) => void;
  user_stop_typing: (news: { userId: string; conversation_id: string }) => void;
  presence: (news: { user_id: string; online: boolean; last_seen: string | null }) => void;
  resync: (news: { conversations: { conversation_id: string; last_seq: number }[] }) => void;
  token_expiring: (news: { expires_at: string }) => void;
  user_blocked: (news: { user_id: string }) => void;
  user_unblocked: (news: { user_id: string }) => void;
}

/** The longest text, counted as JavaScript's `length` does. */
export const MAX_TEXT = 2000;
/** For how long the sender may change a message, in milliseconds. */
export const EDIT_WINDOW = 15 * 60_000;
