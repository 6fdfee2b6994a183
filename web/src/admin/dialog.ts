// What is asked in a dialog.
import { signal } from "@preact/signals";
import type { Report, ReportState } from "./types";

export type Dialog =
  | { kind: "decide"; report: Report; state: ReportState; onDone: (report: Report) => void }
  | { kind: "delete"; message: string; onDone: () => void }
  | { kind: "suspend" | "lift"; user: string; name: string; onDone: () => void };

export const dialog = signal<Dialog | null>(null);
