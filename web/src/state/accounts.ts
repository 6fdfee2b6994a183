// Signing in, registering, and signing out everywhere.
import { request } from "./api";
import { type Session, begin, signOut } from "./session";

export async function signIn(email: string, password: string, onlyThisWindow = false): Promise<void> {
  begin(await request<Session>("POST", "/api/auth/login", { email, password }), onlyThisWindow);
}

export async function register(fullName: string, email: string, password: string): Promise<void> {
  const body = { full_name: fullName, email, password };
  begin(await request<Session>("POST", "/api/auth/register", body), false);
}

/** Ends all sessions of the user. */
export async function signOutEverywhere(): Promise<void> {
  await request("POST", "/api/auth/logout-everywhere");
  signOut();
}
