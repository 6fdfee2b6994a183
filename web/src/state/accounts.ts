// Signing in, registering and signing out.
import { request } from "./api";
import { base } from "./base";
import { type Session, begin, forgetSession, session } from "./session";

export async function signIn(email: string, password: string, onlyThisWindow = false): Promise<void> {
  begin(await request<Session>("POST", "/api/auth/login", { email, password }), onlyThisWindow);
}

export async function register(fullName: string, email: string, password: string): Promise<void> {
  const body = { full_name: fullName, email, password };
  begin(await request<Session>("POST", "/api/auth/register", body), false);
}

/** Ends the session here, and on the server if it can be reached: offline, the user is signed out here all the same. */
export function signOut(): void {
  const token = session.peek()?.token;
  forgetSession();
  if (!token) return;
  const headers = { authorization: `Bearer ${token}` };
  // Not by `request`, which sends the present session's token; `keepalive` outlives the window.
  fetch(`${base}/api/auth/logout`, { method: "POST", headers, keepalive: true }).catch(() => {});
}

/** Ends all sessions of the user. */
export async function signOutEverywhere(): Promise<void> {
  await request("POST", "/api/auth/logout-everywhere");
  forgetSession();
}
