// The route: `#/open`, `#/resolved`, `#/dismissed`, `#/users`, `#/users/<id>`, `#/audit`.
import { signal } from "@preact/signals";
import type { ReportState } from "./types";

export type Route =
  | { name: "reports"; state: ReportState }
  | { name: "users" }
  | { name: "user"; id: string }
  | { name: "audit" };

// Ids are made of letters, digits, `_` and `-`: nothing in them is escaped.
function parse(hash: string): Route {
  const [, name, id = ""] = hash.slice(1).split("/");
  switch (name) {
    case "resolved":
    case "dismissed":
      return { name: "reports", state: name };
    case "users":
      return id ? { name: "user", id } : { name: "users" };
    case "audit":
      return { name: "audit" };
    default:
      return { name: "reports", state: "open" };
  }
}

export const route = signal(parse(location.hash));
addEventListener("hashchange", () => (route.value = parse(location.hash)));

export const userPath = (id: string) => `#/users/${id}`;
