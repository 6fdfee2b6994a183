// The server's clock. The browser's own may be wrong by minutes, so no time of the server is compared with it.

/** What the server said of its time, with the list of conversations. */
export interface ServerTime {
  server_time: string;
  edit_window_ms: number;
}

export class ServerClock {
  /** The server's time less the browser's monotonic one, at most: the answer was begun after it was asked for. */
  private ahead: number | undefined;
  private window: number | undefined;

  /** `now` gives milliseconds that only grow, of whatever beginning. */
  constructor(private readonly now: () => number) {}

  /** Takes what the server answered to a request that was sent at `asked`. */
  note({ server_time, edit_window_ms }: ServerTime, asked: number): void {
    const time = Date.parse(server_time);
    if (Number.isNaN(time) || !Number.isFinite(edit_window_ms)) return;
    this.ahead = time - asked;
    this.window = edit_window_ms;
  }

  /** For how long a message can be changed, in milliseconds; without an end before the server said so. */
  get editWindow(): number {
    return this.window ?? Infinity;
  }

  /** Whether the server still lets the sender change a message; never true in vain. */
  canEdit(sentAt: string): boolean {
    if (this.ahead === undefined || this.window === undefined) return false;
    return this.now() + this.ahead - Date.parse(sentAt) < this.window;
  }
}

export const serverClock = new ServerClock(() => performance.now());
