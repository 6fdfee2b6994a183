// The route: `#/open`, `#/resolved`, `#/dismissed`, `#/audit`.
import { signal } from "@preact/signals";
import type { ReportState } from "./types";

export type Route = { name: "reports"; state: ReportState } | { name: "audit" };

function parse(hash: string): Route {
  const [, name] = hash.slice(1).split("/");
  switch (name) {
    case "resolved":
    case "dismissed":
      return { name: "reports", state: name };
    case "audit":
      return { name: "audit" };
    default:
      return { name: "reports", state: "open" };
  }
}

export const route = signal(parse(location.hash));
addEventListener("hashchange", () => (route.value = parse(location.hash)));
