// A Socket.IO client over a WebSocket of which every byte is ours: it can be slow, silent or wrong.
import { once } from "node:events";
import { connect } from "node:net";

/** How long the server may take for an answer that an attack waits for, in milliseconds. */
const LIMIT = 30_000;

/** A masked frame; the mask is zero, so the payload stands as it is. */
export function frame(payload, { opcode = 0x1, isFinal = true, announced } = {}) {
  const bytes = Buffer.from(payload);
  const length = announced ?? bytes.length;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + extended + 4);
  header[0] = (isFinal ? 0x80 : 0) | opcode;
  header[1] = 0x80 | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) header.writeUInt16BE(length, 2);
  if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, bytes]);
}

/** A TCP connection; `ended` when it is closed. */
export async function tcp(node) {
  const socket = connect(node.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.ended = new Promise((resolve) => socket.once("close", resolve));
  await Promise.race([once(socket, "connect"), socket.ended]);
  return socket;
}

const timeout = (what, promise) => {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`${what}: not within ${LIMIT} ms`)), LIMIT)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

export class Wire {
  #input = Buffer.alloc(0);
  #isHandshake = true;
  #waiting = new Set();
  #next = 0;
  #acknowledgements = new Map();

  /** How many packets of each event came. */
  counts = new Map();

  /** Opens a WebSocket, without a CONNECT packet. `address` is who the proxy says that it is. */
  static async open(node, { address } = {}) {
    const wire = new Wire();
    wire.socket = await tcp(node);
    wire.socket.on("data", (bytes) => wire.#take(bytes));
    wire.socket.write(
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        (address ? `X-Forwarded-For: ${address}\r\n` : "") +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await Promise.race([wire.packet(/^0/), wire.socket.ended]);
    return wire;
  }

  /** Opens a socket of the user with `token`; `undefined` if it was refused. */
  static async connect(node, token, { auth = {}, address } = {}) {
    const wire = await Wire.open(node, { address });
    wire.connectPacket({ token, ...auth });
    const answer = await Promise.race([wire.packet(/^4[04]/), wire.socket.ended]);
    if (typeof answer === "string" && answer.startsWith("40")) {
      wire.reply = JSON.parse(answer.slice(2));
      return wire;
    }
    wire.socket.destroy();
    return undefined;
  }

  connectPacket(auth) {
    this.text(`40${JSON.stringify(auth)}`);
  }

  /** Writes a packet; `false` if the connection takes no more at the moment. */
  text(packet) {
    return this.socket.write(frame(packet));
  }

  emit(event, ...args) {
    return this.text(`42${JSON.stringify([event, ...args])}`);
  }

  /** Emits, and answers the acknowledgement; `undefined` if the connection ended. */
  async ask(event, ...args) {
    const id = this.#next++;
    const answer = new Promise((resolve) => this.#acknowledgements.set(id, resolve));
    this.text(`42${id}${JSON.stringify([event, ...args])}`);
    return timeout(`acknowledgement of ${event}`, Promise.race([answer, this.socket.ended.then(() => undefined)]));
  }

  /** The next packet that matches. */
  packet(pattern) {
    return timeout(`${pattern}`, new Promise((resolve) => {
      const entry = { pattern, resolve };
      this.#waiting.add(entry);
      this.socket.ended.then(() => (this.#waiting.delete(entry), resolve(undefined)));
    }));
  }

  /** Waits until what was written is taken by the system. */
  async drained() {
    if (this.socket.writableNeedDrain) await Promise.race([once(this.socket, "drain"), this.socket.ended]);
  }

  close() {
    this.socket.destroy();
  }

  #take(bytes) {
    this.#input = this.#input.length ? Buffer.concat([this.#input, bytes]) : bytes;
    if (this.#isHandshake) {
      const end = this.#input.indexOf("\r\n\r\n");
      if (end < 0) return;
      this.#isHandshake = false;
      this.#input = this.#input.subarray(end + 4);
    }
    for (;;) {
      const input = this.#input;
      if (input.length < 2) return;
      const short = input[1] & 0x7f;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (input.length < start) return;
      const length = short < 126 ? short : short === 126 ? input.readUInt16BE(2) : Number(input.readBigUInt64BE(2));
      if (input.length < start + length) return;
      this.#input = input.subarray(start + length);
      if ((input[0] & 0x0f) === 1) this.#packet(input.toString("utf8", start, start + length));
    }
  }

  #packet(text) {
    if (text === "2") return this.text("3");
    for (const entry of this.#waiting) {
      if (!entry.pattern.test(text)) continue;
      this.#waiting.delete(entry);
      entry.resolve(text);
    }
    const acknowledgement = text.match(/^43(\d+)/);
    if (acknowledgement) {
      const id = Number(acknowledgement[1]);
      this.#acknowledgements.get(id)?.(JSON.parse(text.slice(acknowledgement[0].length))[0]);
      this.#acknowledgements.delete(id);
    }
    const event = text.match(/^42\["([^"]+)"/)?.[1];
    if (event) this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
  }
}
