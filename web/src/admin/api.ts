// Requests to `/api/admin`, with the admin's own token.
import { request } from "../state/api";
import type { AuditEntry, Part, Report, ReportState } from "./types";

/** How many entries are asked for at once. */
const LIMIT = 20;

function path(name: string, query: Readonly<Record<string, string | undefined>>): string {
  const parameters = new URLSearchParams({ limit: `${LIMIT}` });
  for (const [key, value] of Object.entries(query)) {
    if (value) parameters.set(key, value);
  }
  return `/api/admin/${name}?${parameters}`;
}

export const reports = (state: ReportState, after?: string) =>
  request<Part<Report>>("GET", path("reports", { state, after }));

export async function decide(report: string, state: ReportState, note?: string): Promise<Report> {
  const body = note === undefined ? { state } : { state, note };
  return (await request<{ data: Report }>("PATCH", `/api/admin/reports/${report}`, body)).data;
}

export const removeMessage = (message: string) => request<object>("DELETE", `/api/admin/messages/${message}`);

export const audit = (after?: string) => request<Part<AuditEntry>>("GET", path("audit", { after }));
