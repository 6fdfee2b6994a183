// Types of the protocol: docs/protocol.md describes it, packages/events has the types.
import type { Refused } from "../../packages/events";

export type {
  Conversation as ConversationItem,
  Message,
  ParticipantState,
  Profile,
  Quote,
  Refused,
  ServerToClientEvents as ServerEvents,
} from "../../packages/events";

/** The signed-in user, as the routes of accounts give it. */
export interface Account {
  id: string;
  email: string;
  full_name: string | null;
  profile_picture_url?: string;
}

export type Answer<Data> = { success: true; data: Data; has_more?: boolean } | Refused;

/** The longest text, counted as JavaScript's `length` does. */
export const MAX_TEXT = 2000;
