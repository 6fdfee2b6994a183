// The page's one socket, and the offset from which the server replays what was missed.
import { effect, signal } from "@preact/signals";
import { io, type Socket } from "socket.io-client";
import type { Answer, ServerEvents } from "../protocol";
import { base } from "./base";
import { isOnline, onOffline, onOnline } from "./network";
import { expire, interruption, session } from "./session";

export type Link = "connecting" | "online" | "reconnecting" | "offline";

/** How long an acknowledgement may take, in milliseconds. */
const ANSWER_TIMEOUT = 15_000;

export const link = signal<Link>("connecting");

/** There is no connection, or it went before the answer came. */
export class NoAnswer extends Error {}

// The newest message that came over the socket. Messages out of a history do not count: another conversation's
// older message may still be on its way.
let offset = "";

const socket: Socket = io({
  path: `${base}/socket.io/`,
  autoConnect: false,
  auth: (send) => send({ token: session.peek()?.token, serverOffset: offset }),
  // WebSocket first, which is faster; polling where that is blocked.
  transports: ["websocket", "polling"],
  tryAllTransports: true,
  reconnectionDelay: 300,
  reconnectionDelayMax: 5000,
});

/** Calls `listener` for an event of the server. */
export function on<Name extends keyof ServerEvents>(name: Name, listener: ServerEvents[Name]): void {
  socket.on<string>(name, listener);
}

/** Calls `listener` on each connection. */
export function onConnected(listener: () => void): void {
  socket.on("connect", listener);
}

/** The answer to an event; throws `NoAnswer`. */
export const ask = <Data = undefined>(event: string, payload: unknown): Promise<Answer<Data>> =>
  askAndTake<Data, Answer<Data>>(event, payload, (answer) => answer);

/**
 * The result of `take` for the answer to an event. `take` runs before any event that came after the answer is handled: a
 * promise would continue only after those, and overwrite newer state with older. Throws `NoAnswer`.
 */
export function askAndTake<Data, Result>(event: string, payload: unknown, take: (answer: Answer<Data>) => Result): Promise<Result> {
  return new Promise((resolve, reject) => {
    if (!socket.connected) return reject(new NoAnswer());
    socket.timeout(ANSWER_TIMEOUT).emit(event, payload, (error: Error | null, answer: Answer<Data>) => {
      if (error) return reject(new NoAnswer());
      try {
        resolve(take(answer));
      } catch (thrown) {
        reject(thrown);
      }
    });
  });
}

/** Sends an event whose loss does no harm. */
export function emit(event: string, payload: unknown): void {
  if (socket.connected) socket.emit(event, payload);
}

export const isConnected = () => socket.connected;

/** Connects; the server replays messages after `from`. */
export function connect(from: string): void {
  offset = from;
  socket.connect();
}

export function disconnect(): void {
  socket.disconnect();
  link.value = "connecting";
}

/** Reconnects now instead of after the delay. */
export function reconnectNow(): void {
  if (!socket.connected && session.peek() && !interruption.peek()) socket.disconnect().connect();
}

/** Remembers a message that came over the socket. */
export function arrived(id: string): void {
  if (id.length !== offset.length || id > offset) offset = id;
}

function lost(): void {
  link.value = isOnline() ? "reconnecting" : "offline";
}

socket.on("connect", () => (link.value = "online"));
socket.on("disconnect", (reason) => {
  if (reason === "io client disconnect") return;
  lost();
  // The client does not come back by itself when the server ended it: after the token's end, or a sign-out
  // everywhere. If the token is no longer good, connecting says so.
  if (reason === "io server disconnect") socket.connect();
});
socket.on("connect_error", (error: Error & { data?: { retry_after?: number } }) => {
  if (error.message.startsWith("Authentication error")) return expire();
  lost();
  // Refused by the server rather than unreachable: the client leaves the next attempt to us.
  if (!socket.active) setTimeout(reconnectNow, (error.data?.retry_after ?? 2) * 1000);
});
onOnline(reconnectNow);
onOffline(() => {
  if (link.peek() !== "online") lost();
});

// A connection that an expired token ended waits for the sign-in.
effect(() => {
  if (interruption.value === "expired") socket.disconnect();
});
