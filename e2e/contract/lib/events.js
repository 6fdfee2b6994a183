// What goes over a socket, checked by the AsyncAPI document.
import { Client } from "../../lib/client.js";
import { Document, Ledger } from "./documents.js";

export class Events extends Ledger {
  constructor() {
    const document = new Document("docs/api/asyncapi.yaml");
    const { operations, channels } = document.content;
    const names = (action) =>
      Object.keys(channels.events.messages).filter((name) => operations[name]?.action === action);
    const [sent, received] = [names("send"), names("receive")];
    const refusals = (name) => document.named(channels.acknowledgements.messages[name].payload.properties.message);
    super([
      ...sent,
      ...received.flatMap((name) => [`${name}: success`, ...refusals(name).map((message) => `${name}: ${message}`)]),
      ...document.named(document.resolve(channels.connection.messages.connect_error.payload).properties.message),
    ]);
    Object.assign(this, { document, sent, received });
  }

  /** An event came from the server. */
  came(name, args) {
    if (!this.sent.includes(name)) return this.wrong(`${name} is not in the document`, args);
    this.saw(name);
    if (args.length !== 1) this.wrong(`${name} has ${args.length} arguments`, args);
    this.#check(name, ["channels", "events", "messages", name, "payload"], args[0]);
  }

  /** An event of the client was acknowledged. */
  answered(name, payload, answer) {
    if (!this.received.includes(name)) {
      if (answer.message !== "Unknown event") this.wrong(`${name} is not in the document`, answer);
      return;
    }
    this.saw(answer.success ? `${name}: success` : `${name}: ${answer.message}`);
    this.#check(`acknowledgement of ${name}`, ["channels", "acknowledgements", "messages", name, "payload"], answer);
    if (answer.success) this.#check(`payload of ${name}`, ["channels", "events", "messages", name, "payload"], payload);
  }

  refused({ message, data }) {
    this.saw(message);
    const packet = data === undefined ? { message } : { message, data };
    this.#check("connect_error", ["channels", "connection", "messages", "connect_error", "payload"], packet);
  }

  /** `auth` was accepted with this packet. */
  connected(auth, packet) {
    this.#check("auth", ["channels", "connection", "messages", "connect", "payload"], auth);
    this.#check("CONNECT", ["channels", "connection", "messages", "connected", "payload"], packet);
  }

  #check(what, keys, value) {
    const errors = this.document.errors(keys, value);
    if (errors) this.wrong(`${what}: ${errors}`, value);
  }
}

/** A client all of whose traffic is checked. */
export class CheckedClient extends Client {
  constructor(t, server, auth, events, options) {
    super(t, server, auth, options);
    this.checks = events;
    this.socket.onAny((name, ...args) => events.came(name, args));
    // The client itself emits this for a lost connection, too.
    this.socket.on("connect_error", (error) => error.type === "TransportError" || events.refused(error));
    this.socket.on("connect", () => {
      const packet = this.packets.findLast((text) => typeof text === "string" && text.startsWith("0{"));
      events.connected(auth, packet && JSON.parse(packet.slice(1)));
    });
  }

  static async open(t, server, auth, events, options) {
    const client = new CheckedClient(t, server, auth, events, options);
    await client.connected();
    return client;
  }

  async ask(name, payload) {
    const answer = await super.ask(name, payload);
    this.checks.answered(name, payload, answer);
    return answer;
  }
}
