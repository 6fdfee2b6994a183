// Whether the user is looking, and how new messages are announced: by the window's title, the browser's
// notifications, and the live region that screen readers speak.
import { effect, signal } from "@preact/signals";
import { isolate } from "../direction";
import { language, text } from "../language";
import type { Message } from "../protocol";
import { conversations, find, unreadTotal } from "../state/conversations";
import { onMessageOfOther } from "../state/live";
import { me } from "../state/session";
import { isAttending, openConversation } from "../state/shown";
import { shared } from "../state/storage";
import { conversationPath, go } from "./route";

const isLooking = () => document.visibilityState === "visible" && document.hasFocus();

isAttending.value = isLooking();
for (const event of ["focus", "blur", "visibilitychange"]) {
  addEventListener(event, () => (isAttending.value = isLooking()), true);
}

/** A message in the live region. */
export interface Announcement {
  number: number;
  name: string;
  words: string;
}

/** How many announcements stay in the live region: a screen reader may be behind. */
const KEPT_ANNOUNCEMENTS = 20;

export const announcements = signal<readonly Announcement[]>([]);
let announced = 0;

function announce(name: string, words: string): void {
  announcements.value = [...announcements.peek(), { number: ++announced, name, words }].slice(-KEPT_ANNOUNCEMENTS);
}

type Consent = "unsupported" | "default" | "denied" | "on" | "off";

function consent(): Consent {
  if (!("Notification" in window)) return "unsupported";
  if (Notification.permission !== "granted") return Notification.permission;
  return shared.read("notifications") === false ? "off" : "on";
}

export const notifications = signal<Consent>(consent());

export async function toggleNotifications(): Promise<void> {
  const isOn = notifications.peek() === "on";
  if (!isOn && Notification.permission === "default") await Notification.requestPermission();
  shared.write("notifications", !isOn);
  notifications.value = consent();
}

/** Whether this window shows notifications: only one of a user's windows does, since each would make a sound. */
let isNotifier = true;
let turn = new AbortController();

/** Waits for the lock that the window which shows notifications has for as long as it is open. */
function takeTurn(user: string): void {
  turn.abort();
  turn = new AbortController();
  const { signal } = turn;
  isNotifier = true;
  // Browsers keep locks from pages that come over plain HTTP from another machine, or have no storage.
  if (!user || !navigator.locks) return;
  isNotifier = false;
  const held = () => {
    isNotifier = true;
    return new Promise((resolve) => signal.addEventListener("abort", resolve));
  };
  navigator.locks.request(`horse-trust.notifications.${user}`, { signal }, held).catch(() => {
    if (!signal.aborted) isNotifier = true;
  });
}

/** Announces another's message. */
function announceMessage(message: Message): void {
  const { conversation_id: id } = message;
  const name = message.sender_id.full_name ?? text().someone;
  const known = find(id);
  if (known?.muted && id !== openConversation.peek()) return;
  announce(name, message.text);
  if (!isNotifier || isAttending.peek() || notifications.peek() !== "on") return;
  if (known?.blockedByMe || known?.muted) return;
  const icon = message.sender_id.profile_picture_url;
  // One notification a conversation; without `renotify` a second message would replace the first without a sound.
  // TypeScript's DOM library has the option for service workers alone.
  const options: NotificationOptions & { renotify: boolean } = {
    body: isolate(message.text),
    tag: id,
    renotify: true,
    ...(icon ? { icon } : {}),
  };
  try {
    const notification = new Notification(isolate(name), options);
    notification.onclick = () => {
      window.focus();
      go(conversationPath(id));
      notification.close();
    };
  } catch {
    // Mobile browsers have the class and let only service workers use it.
    notifications.value = "unsupported";
  }
}

onMessageOfOther(announceMessage);

effect(() => {
  const name = me.value ? (conversations.value.get(openConversation.value)?.other.full_name ?? "") : "";
  const title = name ? `${isolate(name)} · Horse Trust` : "Horse Trust";
  document.title = unreadTotal.value > 0 ? `(${unreadTotal.value}) ${title}` : title;
});
effect(() => {
  takeTurn(me.value);
  announcements.value = [];
});
document.documentElement.lang = language;
