// Whether somebody looks, and how they are told of what they do not see: the window's title, the browser's
// notifications, and the live region that screen readers speak.
import { effect, signal } from "@preact/signals";
import { language, text } from "../language";
import type { Message } from "../protocol";
import { conversations, find, unreadTotal } from "./conversations";
import { conversationPath, go, openConversation } from "./route";
import { me } from "./session";
import { shared } from "./storage";

const isLooking = () => document.visibilityState === "visible" && document.hasFocus();

/** The window is visible and has the focus. */
export const isAttending = signal(isLooking());
for (const event of ["focus", "blur", "visibilitychange"]) {
  addEventListener(event, () => (isAttending.value = isLooking()), true);
}

/** What the live region says. */
export const announcement = signal("");

export function announce(words: string): void {
  announcement.value = words;
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

/** Tells of another's message. */
export function announceMessage(message: Message): void {
  const { conversation_id: id } = message;
  const name = message.sender_id.full_name ?? text().someone;
  announce(`${name}: ${message.text}`);
  if (isAttending.peek() || notifications.peek() !== "on" || find(id)?.blockedByMe) return;
  const image = message.sender_id.profile_picture_url;
  try {
    const notification = new Notification(name, { body: message.text, tag: id, ...(image ? { icon: image } : {}) });
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

effect(() => {
  const name = me.value ? (conversations.value.get(openConversation())?.other.full_name ?? "") : "";
  const title = name ? `${name} · Horse Trust` : "Horse Trust";
  document.title = unreadTotal.value > 0 ? `(${unreadTotal.value}) ${title}` : title;
});
document.documentElement.lang = language;
