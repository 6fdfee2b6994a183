// The chat server's API for platforms, /api/admin, by its key.

/** How long a call may take; milliseconds. */
const TIMEOUT = 10_000;
/** How many users one call of the batch takes. */
const BATCH = 1000;

/** An answer of the chat server other than 2xx. */
export class ChatError extends Error {
  constructor(call, status, text) {
    super(`${call}: the chat server answered ${status} ${text}`);
    this.status = status;
  }
}

/** What the chat knows of a user. */
const profile = ({ full_name, profile_picture_url, email, role }) => ({ full_name, profile_picture_url, email, role });

export class Chat {
  constructor({ apiUrl, apiKey }) {
    this.apiUrl = apiUrl;
    this.apiKey = apiKey;
  }

  /** Adds the user, or changes what the chat knows of them. */
  async putUser(user) {
    await this.#call("PUT", `/users/${user._id}`, profile(user));
  }

  /** The same for many; throws an error that names those that were refused. */
  async putUsers(users) {
    for (let start = 0; start < users.length; start += BATCH) {
      const batch = users.slice(start, start + BATCH).map((user) => ({ _id: String(user._id), ...profile(user) }));
      const { data } = await this.#call("POST", "/users/batch", { users: batch });
      const refused = data.filter((result) => result.errors);
      if (refused.length > 0) throw new Error(`users refused by the chat server: ${JSON.stringify(refused)}`);
    }
  }

  /** Suspends the user, or ends the suspension if there is none to set. */
  async putSuspension(user) {
    const path = `/users/${user._id}/suspension`;
    await (user.suspension ? this.#call("PUT", path, user.suspension) : this.#call("DELETE", path));
  }

  async #call(method, path, body) {
    const call = `${method} /api/admin${path}`;
    const response = await fetch(`${this.apiUrl}/api/admin${path}`, {
      method,
      headers: { authorization: `Bearer ${this.apiKey}`, ...(body && { "content-type": "application/json" }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT),
    }).catch((error) => {
      throw new Error(`${call}: ${error.cause?.message ?? error.message}`);
    });
    const text = await response.text();
    if (!response.ok) throw new ChatError(call, response.status, text);
    return JSON.parse(text);
  }
}
