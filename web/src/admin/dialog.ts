// What is asked in a dialog.
import { signal } from "@preact/signals";
import type { Report, ReportState } from "./types";

/** A decision on a report. */
export interface Dialog {
  report: Report;
  state: ReportState;
  onDone: (report: Report) => void;
}

export const dialog = signal<Dialog | null>(null);
