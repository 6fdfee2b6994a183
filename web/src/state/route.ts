// Where one is: `#/c/<conversation>`, `#/demo/<person>`, or the list.
import { signal } from "@preact/signals";

export type Route = { name: "list" } | { name: "conversation"; id: string } | { name: "demo"; person: number };

// Ids are made of letters, digits, `_` and `-`: nothing in them is escaped.
function parse(hash: string): Route {
  const [, name, value = ""] = hash.slice(1).split("/");
  if (name === "c" && value) return { name: "conversation", id: value };
  if (name === "demo" && /^\d$/.test(value)) return { name: "demo", person: Number(value) };
  return { name: "list" };
}

export const route = signal<Route>(parse(location.hash));
addEventListener("hashchange", () => (route.value = parse(location.hash)));

export const conversationPath = (id: string) => `#/c/${id}`;

export function go(hash: string): void {
  if (location.hash === hash) route.value = parse(hash);
  else location.hash = hash;
}

/** The open conversation's id, or an empty text. */
export const openConversation = () => (route.value.name === "conversation" ? route.value.id : "");
