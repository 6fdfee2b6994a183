// Records everything that each of many clients sends, has acknowledged and receives in bad weather, and says what
// was lost, doubled or out of order.
import { setTimeout as sleep } from "node:timers/promises";

import { io } from "socket.io-client";

import { eventually } from "./server.js";

/** How many messages a client has under way at once. */
const WINDOW = 12;
/** How long an acknowledgement may take before the message is sent again, in milliseconds. */
const PATIENCE = 3_000;

/** Random numbers from 0 to 1 that a seed decides (mulberry32). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
  };
}

/** One user's device: writes until its messages are used up, comes back after each cut, repeats what is not known. */
export class Device {
  /** Messages as they came, in their order, whatever connection brought them. */
  received = [];
  /** The acknowledged message by client_id. */
  acknowledged = new Map();
  /** The client_ids of messages that were sent more than once. */
  repeated = new Set();
  /** How long the acknowledgement took of each message that was sent once, in milliseconds. */
  latencies = [];
  connections = 0;
  resyncs = 0;
  refused = [];
  #last = 0;
  #queue = [];
  #underWay = new Map();
  #seqs = new Map();
  /** Live messages that wait for a resync to be done; `null` if none is. */
  #held = null;
  /** The connection is about to be cut, and nothing new is sent; `null` if it is not. */
  #cutting = null;

  constructor(user, urls, random, { polling = false } = {}) {
    this.user = user;
    this.random = random;
    this.urls = urls;
    this.options = polling ? { upgrade: random() < 0.5 } : { transports: ["websocket"] };
    this.#connect();
  }

  /** Connects to one of the addresses, each time anew: another node may answer. */
  #connect() {
    const url = this.urls[Math.floor(this.random() * this.urls.length)];
    this.socket = io(url, {
      ...this.options,
      forceNew: true,
      reconnectionDelay: 20,
      reconnectionDelayMax: 300,
      auth: (give) => {
        // What came as a killed server's connection ended, the client keeps and hands over at the next one, which is
        // about to ask for its replay.
        this.socket.receiveBuffer.length = 0;
        give({ token: this.user.token, serverOffset: this.#last });
      },
    });
    this.socket.on("connect", () => {
      this.connections++;
      this.#held = null;
      for (const entry of this.#underWay.values()) {
        this.repeated.add(entry.payload.client_id);
        this.#emit(entry);
      }
      this.#fill();
    });
    this.socket.on("new_message", (message) => (this.#held ? this.#held.push(message) : this.#take(message)));
    this.socket.on("resync", (resync) => this.#resync(resync));
    this.socket.on("connect_error", (error) => this.refused.push(error.message));
  }

  #take(message) {
    this.received.push(message);
    this.#last = message._id;
    this.#seqs.set(message.conversation_id, message.seq);
  }

  /**
   * What was too much to be replayed is fetched, up to where the resync says: what is beyond comes by itself, once, and
   * waits meanwhile. A fetched message may not have been delivered yet.
   */
  async #resync({ conversations }) {
    this.resyncs++;
    const { socket } = this;
    const held = (this.#held = []);
    const fetched = [];
    for (const { conversation_id, last_seq } of conversations) {
      for (let after_seq = this.#seqs.get(conversation_id) ?? 0; after_seq < last_seq; ) {
        const ack = await socket.timeout(PATIENCE).emitWithAck("fetch_messages", { conversation_id, after_seq, limit: 100 }).catch(() => null);
        // The connection is gone, or another resync has begun: the next one starts from the same place.
        if (this.#held !== held) return;
        if (!ack?.success || ack.data.length === 0) return this.cut();
        fetched.push(...ack.data.filter(({ seq }) => seq <= last_seq));
        after_seq = ack.data.at(-1).seq;
      }
    }
    this.#held = null;
    // By their ids, so that the last one taken says what this client has.
    [...fetched, ...held].sort((one, other) => (one._id < other._id ? -1 : 1)).forEach((message) => this.#take(message));
  }

  /** Adds messages to be written. */
  write(conversation, texts) {
    for (const text of texts) this.#queue.push({ conversation_id: conversation, text, client_id: text });
    this.#fill();
  }

  get isDone() {
    return this.#queue.length === 0 && this.#underWay.size === 0;
  }

  #fill() {
    while (this.socket.connected && !this.#cutting && this.#underWay.size < WINDOW && this.#queue.length) {
      const payload = this.#queue.shift();
      const entry = { payload, began: performance.now() };
      this.#underWay.set(payload.client_id, entry);
      this.#emit(entry);
    }
  }

  #emit(entry) {
    const { socket } = this;
    const { payload } = entry;
    socket.timeout(PATIENCE).emit("send_message", payload, (error, ack) => {
      if (!this.#underWay.has(payload.client_id)) return;
      if (ack?.success) {
        this.#underWay.delete(payload.client_id);
        this.acknowledged.set(payload.client_id, ack.data);
        if (!this.repeated.has(payload.client_id)) this.latencies.push(performance.now() - entry.began);
        this.#fill();
      } else if (socket.connected) {
        // Not stored, or not known to be: all that is under way goes again, in its order.
        if (ack) this.refused.push(ack.message);
        this.cut();
      }
    });
  }

  /**
   * Ends the connection, without a word or in order. What has arrived is delivered first, as if the network had done it:
   * the client keeps packets that it delivers after the end, and hands them over at the next connection, which has asked
   * for their replay by then.
   */
  cut() {
    this.#cutting ??= setImmediate(() => this.#cutNow());
  }

  #cutNow() {
    this.#cutting = null;
    const { engine } = this.socket.io;
    if (!engine) return;
    const socket = engine.transport?.ws;
    if (socket?.terminate && this.random() < 0.7) socket.terminate();
    else engine.close();
    if (this.urls.length > 1) {
      // To another node, if there is one.
      this.socket.io.uri = this.urls[Math.floor(this.random() * this.urls.length)];
    }
  }

  close() {
    this.socket.disconnect();
  }
}

/** Cuts the connections of `devices` at random, each every `mean` milliseconds on average, until `signal`. */
export async function cutAtRandom(devices, random, mean, signal) {
  while (!signal.aborted) {
    await sleep(-Math.log(1 - random()) * (mean / devices.length));
    devices[Math.floor(random() * devices.length)].cut();
  }
}

/**
 * What is wrong with what the devices of a conversation's two users saw, beside its history; all counts are 0 if
 * nothing is. `written` are the texts that each user wrote there, in their order. `report` gets what each device saw
 * around a flaw. Where the store `fails` now and then, a message that was sent again may come behind those that its writer
 * had sent before the failure was known.
 */
export function judge(conversation, history, devices, written, report, fails = false) {
  const flaws = { lost: 0, doubled: 0, outOfOrder: 0, changed: 0 };
  const ids = new Set(history.map((message) => message._id));
  flaws.doubled += history.length - ids.size;
  flaws.doubled += history.length - new Set(history.map((message) => message.text)).size;
  flaws.outOfOrder += history.filter((message, index) => message.seq !== index + 1).length;
  for (const [user, texts] of written) {
    const own = history.filter((message) => message.sender_id._id === user).map((message) => message.text);
    const known = new Set(own);
    flaws.lost += texts.filter((text) => !known.has(text)).length;
    const repeated = devices.find((device) => device.user.id === user).repeated;
    const [ordered, stored] = [texts, own].map((all) => all.filter((text) => !fails || !repeated.has(text)));
    const misplaced = stored.findIndex((text, index) => text !== ordered[index]);
    if (misplaced >= 0) {
      flaws.outOfOrder += stored.filter((text, index) => text !== ordered[index]).length;
      const around = (all) => all.slice(Math.max(0, misplaced - 2), misplaced + 8).join(" ");
      report(`${conversation}, ${user}: written ${around(ordered)}, stored ${around(stored)}`);
    }
  }
  const byId = new Map(history.map((message) => [message._id, message]));
  for (const device of devices) {
    const seen = device.received.filter((message) => message.conversation_id === conversation);
    const seenIds = new Set(seen.map((message) => message._id));
    flaws.doubled += seen.length - seenIds.size;
    flaws.lost += history.filter((message) => !seenIds.has(message._id)).length;
    flaws.outOfOrder += seen.filter((message, index) => index > 0 && message.seq <= seen[index - 1].seq).length;
    const same = (message) => {
      const stored = byId.get(message._id);
      return stored && stored.text === message.text && stored.seq === message.seq && stored.sent_at === message.sent_at;
    };
    const wrong = seen.findIndex((message, index) => index > 0 && message.seq !== seen[index - 1].seq + 1);
    const around = (at) => seen.slice(Math.max(0, at - 3), at + 5).map(({ seq, text }) => `${seq}:${text}`).join(" ");
    const missing = history.filter((message) => !seenIds.has(message._id)).map(({ seq, text }) => `${seq}:${text}`);
    if (wrong >= 0) report(`${conversation}, ${device.user.name}: seq:text as they came around the first flaw: ${around(wrong)}`);
    if (missing.length) report(`${conversation}, ${device.user.name}: ${missing.length} missing, first ${missing.slice(0, 8).join(" ")}`);
    const acknowledged = [...device.acknowledged.values()].filter((message) => message.conversation_id === conversation);
    flaws.changed += [...seen, ...acknowledged].filter((message) => !same(message)).length;
  }
  return flaws;
}

/** Waits until all is written and has come to everybody. */
export async function settled(devices, expected, limit) {
  await eventually("everything is acknowledged", () => devices.every((device) => device.isDone), limit);
  await eventually("everybody has everything", () => devices.every((device) => device.received.length >= expected(device)), limit)
    // What is missing is counted by the judge.
    .catch(() => {});
}
