// The official client, with waits that end and say what came instead.
import { io } from "socket.io-client";

/** The ways to connect that the client has. */
export const TRANSPORTS = {
  "websocket alone": { transports: ["websocket"] },
  "polling alone": { transports: ["polling"] },
  upgrade: {},
};

export const WEBSOCKET = { transports: ["websocket"] };

/** How long what has no time promised may take; milliseconds. */
const LIMIT = 60_000;

/** `promise`, or an error that says what was waited for and what came. */
export function within(what, promise, came = () => "", limit = LIMIT) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${limit} ms. ${came()}`)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A client that keeps every event it gets, and every packet as it came. */
export class Client {
  constructor(t, server, auth, options = {}) {
    this.events = [];
    this.packets = [];
    this.waiting = [];
    this.socket = io(server.url, { auth, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
    this.socket.onAny((name, ...args) => {
      this.events.push({ name, args });
      this.waiting.forEach((check) => check());
    });
    this.socket.io.on("open", () => {
      this.socket.io.engine.on("packet", ({ type, data }) => type === "message" && this.packets.push(data));
    });
    t.after(() => this.socket.disconnect());
  }

  /** A client that is connected. */
  static async connect(t, server, user, options = {}) {
    const client = new Client(t, server, { token: user.token }, options);
    await client.connected();
    return client;
  }

  connected() {
    if (this.socket.connected) return Promise.resolve();
    return within(
      "connect",
      new Promise((resolve, reject) => {
        this.socket.once("connect", resolve);
        this.socket.once("connect_error", reject);
      }),
    );
  }

  /** Waits until the connection is a WebSocket. */
  async upgraded() {
    const { engine } = this.socket.io;
    if (engine.transport.name === "websocket") return;
    await within("upgrade", new Promise((resolve) => engine.once("upgrade", resolve)));
  }

  /** The reason of the next disconnect. */
  disconnected(limit = LIMIT) {
    return within(
      "disconnect",
      new Promise((resolve) => this.socket.once("disconnect", resolve)),
      () => `Came: ${JSON.stringify(this.packets.slice(-3))}`,
      limit,
    );
  }

  /** The connection's error. */
  refused() {
    return within(
      "connect_error",
      new Promise((resolve, reject) => {
        this.socket.once("connect_error", resolve);
        this.socket.once("connect", () => reject(new Error("connected, which was not expected")));
      }),
    );
  }

  /** Emits, and answers the acknowledgement. */
  ask(event, ...args) {
    return within(
      `acknowledgement of ${event}`,
      new Promise((resolve) => this.socket.emit(event, ...args, resolve)),
    );
  }

  send(conversation, text) {
    return this.ask("send_message", { conversation_id: conversation, text });
  }

  /** The names of the events that came, without those that a client of the contract passes over. */
  expected() {
    const beside = ["presence", "unread_count", "message_delivered", "messages_read", "user_updated"];
    return this.events.map((event) => event.name).filter((name) => !beside.includes(name));
  }

  named(name) {
    return this.events.filter((event) => event.name === name).map((event) => event.args[0]);
  }

  /** Waits until `count` events of this name have come, and answers them. */
  received(name, count = 1, limit = LIMIT) {
    return within(
      `${count} × ${name}`,
      new Promise((resolve) => {
        const check = () => {
          const found = this.named(name);
          if (found.length < count) return;
          this.waiting = this.waiting.filter((other) => other !== check);
          resolve(found);
        };
        this.waiting.push(check);
        check();
      }),
      () => `Came: ${JSON.stringify(this.events.slice(-5))} (${this.events.length} in all)`,
      limit,
    );
  }

  /** The JSON of what came with `prefix` before it and `suffix` behind it, byte for byte. */
  raw(prefix, suffix) {
    const matching = this.packets.filter((packet) => prefix.test(packet) && packet.endsWith(suffix));
    return matching.map((packet) => packet.replace(prefix, "").slice(0, -suffix.length));
  }

  /** The ids of all acknowledgements that came. */
  acknowledged() {
    return this.packets.map((packet) => packet.match(/^3(\d+)\[/)?.[1]).filter((id) => id !== undefined);
  }

  /**
   * Makes sure that all that was on its way from this client's node has come: an answered event is behind it. What
   * another node publishes may come later; a test that expects it waits for it with `received`.
   */
  async settle() {
    await this.ask("join_conversation", "nowhere");
  }
}

/** A connected client with more in its auth than a token. */
export async function connect(t, server, user, auth = {}, options = WEBSOCKET) {
  const client = new Client(t, server, { token: user.token, ...auth }, options);
  await client.connected();
  return client;
}
