// Requests to the server.
import { RequestRefused, Unreachable } from "../errors";
import { base } from "./base";
import { expire, session } from "./session";

interface ErrorBody {
  message?: string;
  errors?: { path: string; msg: string }[];
  retry_after?: number;
}

/** Routes without a token. */
const OPEN = ["/api/auth/login", "/api/auth/register", "/demo.json"];

/** `Retry-After` in seconds; as a date, which needs two clocks that agree, it counts as not given. */
const secondsOf = (header: string | null) => (header && /^\d{1,6}$/.test(header) ? Number(header) : undefined);

/** The JSON that the server answers; throws `RequestRefused` or `Unreachable`. */
export async function request<Body>(method: string, path: string, body?: unknown): Promise<Body> {
  const token = session.peek()?.token;
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (token && !OPEN.includes(path)) headers.authorization = `Bearer ${token}`;
  let response: Response;
  let answer: (Body & ErrorBody) | undefined;
  try {
    const content = body === undefined ? null : JSON.stringify(body);
    response = await fetch(base + path, { method, headers, body: content, signal: AbortSignal.timeout(20_000) });
    // A proxy before the server says in HTML that there were too many requests.
    answer = response.status === 429 ? await response.json().catch(() => undefined) : await response.json();
  } catch {
    throw new Unreachable();
  }
  if (response.ok && answer) return answer;
  // If the token was replaced meanwhile, the new one may be good.
  if (response.status === 401 && headers.authorization && token === session.peek()?.token) expire();
  const fields = Object.fromEntries((answer?.errors ?? []).map(({ path: field, msg }) => [field, msg]));
  const retryAfter = answer?.retry_after ?? secondsOf(response.headers.get("retry-after"));
  throw new RequestRefused(answer?.message ?? response.statusText, response.status, fields, retryAfter);
}
