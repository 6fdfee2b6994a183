// What an account may do, in words.
import { fullTime } from "../format";
import type { User } from "./types";
import { fill, words } from "./words";

/** Whether a moderator suspended the account, and that holds still. */
export function isSuspended({ suspension }: User): boolean {
  return Boolean(suspension) && (!suspension?.until || new Date(suspension.until) > new Date());
}

export function statusOf(user: User): string {
  if (user.is_deleted) return words.deletedAccount;
  if (!user.is_active) return words.inactive;
  if (!isSuspended(user)) return words.active;
  const until = user.suspension?.until;
  return until ? fill("suspendedUntil", { when: fullTime(until) }) : words.suspendedEver;
}
