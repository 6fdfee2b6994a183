// The session of the signed-in user.
import { batch, computed, signal } from "@preact/signals";
import type { Account } from "../protocol";
import { own, shared } from "./storage";

export interface Session {
  token: string;
  user: Account;
}

/** The token is about to end; its owner signs in before it does; it has ended. */
export type Interruption = "expiring" | "renewing" | "expired";

const NAME = "session";

function stored(): Session | null {
  const value = (own.read(NAME) ?? shared.read(NAME)) as Partial<Session> | undefined;
  return value?.token && value.user?.id ? (value as Session) : null;
}

export const session = signal<Session | null>(stored());
export const interruption = signal<Interruption | null>(null);
/** The user's id; empty if nobody is signed in. */
export const me = computed(() => session.value?.user.id ?? "");

/** Begins a session. The demo's sessions belong to one window, so that another window can be the other person. */
export function begin(next: Session, onlyThisWindow: boolean): void {
  if (onlyThisWindow || isOnlyHere()) {
    own.write(NAME, next);
  } else {
    own.write(NAME, undefined);
    shared.write(NAME, next);
  }
  batch(() => {
    session.value = next;
    interruption.value = null;
  });
}

/** Ends the session here alone. */
export function forgetSession(): void {
  if (isOnlyHere()) own.write(NAME, undefined);
  else shared.write(NAME, undefined);
  interruption.value = null;
  session.value = null;
}

/** The server no longer accepts the token; the user and the open conversation are kept. */
export function expire(): void {
  if (session.peek()) interruption.value = "expired";
}

function isOnlyHere(): boolean {
  return own.read(NAME) !== undefined;
}

// Signing in or out in one window does so in all.
shared.onChange((name) => {
  if (name !== NAME || isOnlyHere()) return;
  const next = stored();
  if (next?.token === session.peek()?.token) return;
  session.value = next;
  interruption.value = null;
});
