// Requests to `/api/admin`, with the admin's own token.
import { RequestRefused } from "../errors";
import { request } from "../state/api";
import type { AuditEntry, Part, Report, ReportState, User } from "./types";

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

/** The users whose name, e-mail or id fits; all, the query being empty. */
export async function findUsers(query: string, after?: string): Promise<Part<User>> {
  const filter = query.includes("@") ? { email: query } : { query };
  const found = await request<Part<User>>("GET", path("users", { ...filter, after }));
  if (after || !/^[\w-]{1,64}$/.test(query)) return found;
  // An id is no part of what `query` looks in.
  const named = await user(query).catch((error) => {
    if (error instanceof RequestRefused && error.status === 404) return undefined;
    throw error;
  });
  const others = found.data.filter((one) => one._id !== named?._id);
  return named ? { ...found, data: [named, ...others] } : found;
}

export const user = async (id: string) =>
  (await request<{ data: User }>("GET", `/api/admin/users/${encodeURIComponent(id)}`)).data;

const suspension = (id: string) => `/api/admin/users/${encodeURIComponent(id)}/suspension`;

export const suspend = (id: string, reason: string, until: string | undefined) =>
  request<object>("PUT", suspension(id), { ...(reason ? { reason } : {}), ...(until ? { until } : {}) });

export const liftSuspension = (id: string) => request<object>("DELETE", suspension(id));

export const audit = (after?: string) => request<Part<AuditEntry>>("GET", path("audit", { after }));
