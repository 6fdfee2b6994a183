// The route: `#/c/<conversation>`, `#/demo/<person>`, or the list.
import { batch, signal } from "@preact/signals";
import { openConversation } from "../state/shown";

export type Route = { name: "list" } | { name: "conversation"; id: string } | { name: "demo"; person: number };

// Ids are made of letters, digits, `_` and `-`: nothing in them is escaped.
function parse(hash: string): Route {
  const [, name, value = ""] = hash.slice(1).split("/");
  if (name === "c" && value) return { name: "conversation", id: value };
  if (name === "demo" && /^\d$/.test(value)) return { name: "demo", person: Number(value) };
  return { name: "list" };
}

export const route = signal<Route>({ name: "list" });

function follow(hash: string): void {
  const next = parse(hash);
  batch(() => {
    route.value = next;
    openConversation.value = next.name === "conversation" ? next.id : "";
  });
}

follow(location.hash);
addEventListener("hashchange", () => follow(location.hash));

export const conversationPath = (id: string) => `#/c/${id}`;

export function go(hash: string): void {
  if (location.hash === hash) follow(hash);
  else location.hash = hash;
}
