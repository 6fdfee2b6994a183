// The server's clock. The browser's own may be wrong by minutes, so no time of the server is compared with it.

/** The server's time, which comes with the list of conversations. */
export interface ServerTime {
  server_time: string;
  edit_window_ms: number;
}

export class ServerClock {
  /** The server's time minus the browser's monotonic time; an upper bound, since the answer is begun after the request. */
  private ahead: number | undefined;
  private window: number | undefined;

  /** `now` answers monotonic milliseconds, from any origin. */
  constructor(private readonly now: () => number) {}

  /** Takes the answer to a request that was sent at `asked`. */
  note({ server_time, edit_window_ms }: ServerTime, asked: number): void {
    const time = Date.parse(server_time);
    if (Number.isNaN(time) || !Number.isFinite(edit_window_ms)) return;
    this.ahead = time - asked;
    this.window = edit_window_ms;
  }

  /** For how long a message can be changed, in milliseconds; Infinity until the server has said. */
  get editWindow(): number {
    return this.window ?? Infinity;
  }

  /** Whether the sender may still change a message. If this says so, the server agrees. */
  canEdit(sentAt: string): boolean {
    if (this.ahead === undefined || this.window === undefined) return false;
    return this.now() + this.ahead - Date.parse(sentAt) < this.window;
  }
}

export const serverClock = new ServerClock(() => performance.now());
