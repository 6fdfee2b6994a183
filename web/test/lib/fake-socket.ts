// In place of socket.io-client: a socket whose connections, packets and losses a test decides.

type Listener = (...args: any[]) => void;

class FakeSocket {
  connected = false;
  /** Whether the page wants a connection. */
  active = false;
  auth: (give: (auth: { serverOffset: string }) => void) => void = () => {};
  /** What the page has sent and the server has not taken yet. */
  sent: { event: string; payload: any; answer: (data: unknown) => void }[] = [];
  private listeners = new Map<string, Listener[]>();
  private waiting = new Set<() => void>();

  on(name: string, listener: Listener): void {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
  }

  fire(name: string, ...args: unknown[]): void {
    this.listeners.get(name)?.forEach((listener) => listener(...args));
  }

  connect(): this {
    this.active = true;
    return this;
  }

  disconnect(): this {
    this.active = false;
    this.cut("io client disconnect");
    return this;
  }

  /** The server has taken the connection; answers the offset that the page gave. */
  accept(): string {
    let offset = "";
    this.auth((given) => (offset = given.serverOffset));
    this.connected = true;
    this.fire("connect");
    return offset;
  }

  /** The connection ends: what was on its way is lost, and nobody answers. */
  cut(reason: string): void {
    if (!this.connected) return;
    this.connected = false;
    this.sent = [];
    const waiting = [...this.waiting];
    this.waiting.clear();
    waiting.forEach((fail) => fail());
    this.fire("disconnect", reason);
  }

  timeout(): { emit: (event: string, payload: unknown, done: (error: Error | null, data?: unknown) => void) => void } {
    return {
      emit: (event, payload, done) => {
        const fail = () => done(new Error("socket has been disconnected"));
        this.waiting.add(fail);
        const answer = (data: unknown) => {
          if (this.waiting.delete(fail)) done(null, data);
        };
        this.sent.push({ event, payload, answer });
      },
    };
  }

  emit(event: string, payload: unknown): void {
    this.sent.push({ event, payload, answer: () => {} });
  }
}

export const socket = new FakeSocket();

export function io(options: { auth: FakeSocket["auth"] }): FakeSocket {
  socket.auth = options.auth;
  return socket;
}

export type Socket = FakeSocket;
