// What `/api/admin` answers: docs/api/openapi.yaml describes it.
import type { Message, Profile } from "../protocol";

export type ReportState = "open" | "resolved" | "dismissed";

/** Who changed something: a key of the platform, or an admin. */
export interface Actor {
  key?: number;
  user_id?: string;
}

export interface Report {
  _id: string;
  reason: string;
  reported_at: string;
  reporter: Profile;
  message: {
    _id: string;
    conversation_id: string;
    sender_id: Profile;
    text: string;
    sent_at: string;
    seq: number;
    edited_at?: string;
    deleted_at?: string;
  };
  state: ReportState;
  note?: string;
  decided_at?: string;
  decided_by?: Actor;
  before: Message[];
  after: Message[];
}

export interface Suspension {
  until?: string | null;
  reason?: string | null;
}

export interface User {
  _id: string;
  full_name: string | null;
  profile_picture_url?: string;
  email?: string | null;
  phone?: string | null;
  role: string;
  is_active: boolean;
  is_deleted?: boolean;
  suspension?: Suspension | null;
  created_at?: string;
}

export interface AuditEntry {
  _id: string;
  at: string;
  by: Actor;
  action: string;
  target?: string;
  details?: Record<string, unknown>;
}

/** A part of a list, and where the next begins. */
export interface Part<Item> {
  data: Item[];
  cursor?: string;
}
