// Why a request to the server failed.

/** The server refused. */
export class RequestRefused extends Error {
  constructor(
    message: string,
    readonly status: number,
    /** What is wrong with each field. */
    readonly fields: Readonly<Record<string, string>> = {},
    /** Seconds to wait. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** The server could not be reached. */
export class Unreachable extends Error {}

/** The server refused an event of the socket; the message is one of the contract's. */
export class EventRefused extends Error {}
