// First requests in the form that clients in other languages send, and a connection that sends them and reads what comes.
// They were written by hand after what is known of those clients and their HTTP libraries, not captured from the wire.
// `{host}`, `{sid}` and `{length}` are filled in.
import { connect } from "node:net";

import { within } from "./client.js";

const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const lines = (...all) => `${all.join("\r\n")}\r\n\r\n`;

const OKHTTP = ["Accept-Encoding: gzip", "User-Agent: okhttp/3.12.12"];
const SWIFT = ["Accept: */*", "User-Agent: Chat/1 CFNetwork/1408.0.4 Darwin/22.5.0", "Accept-Language: es-AR,es;q=0.9",
  "Accept-Encoding: gzip, deflate", "Connection: keep-alive"];
const DART = ["user-agent: Dart/3.4 (dart:io)", "accept-encoding: gzip"];

export const CLIENTS = {
  "SocketIOClient 3 for .NET": {
    open: lines("GET /socket.io/?EIO=4&transport=polling HTTP/1.1", "Host: {host}"),
    websocket: lines("GET /socket.io/?EIO=4&transport=websocket&sid={sid} HTTP/1.1", "Host: {host}", "Connection: Upgrade",
      "Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY),
    // It upgrades without a probe.
    upgrade: ["5"],
  },
  "SocketIOClient 3 for .NET, WebSocket alone": {
    websocket: lines("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", "Host: {host}", "Connection: Upgrade",
      "Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY),
  },
  "socket.io-client 2 for Java": {
    open: lines("GET /socket.io/?EIO=4&transport=polling&t=Pq1gbkD HTTP/1.1", "Accept: */*", "Host: {host}",
      "Connection: Keep-Alive", ...OKHTTP),
    poll: lines("GET /socket.io/?EIO=4&sid={sid}&transport=polling&t=Pq1gbkE HTTP/1.1", "Accept: */*", "Host: {host}",
      "Connection: Keep-Alive", ...OKHTTP),
    post: lines("POST /socket.io/?EIO=4&sid={sid}&transport=polling&t=Pq1gbkF HTTP/1.1", "Accept: */*",
      "Content-Type: text/plain;charset=UTF-8", "Content-Length: {length}", "Host: {host}", "Connection: Keep-Alive",
      ...OKHTTP),
    websocket: lines("GET /socket.io/?EIO=4&sid={sid}&transport=websocket HTTP/1.1", "Upgrade: websocket",
      "Connection: Upgrade", KEY, "Sec-WebSocket-Version: 13", "Host: {host}", ...OKHTTP),
    upgrade: ["2probe", "5"],
    // OkHttp reports it to nobody.
    missesCloseFrame: true,
  },
  "Socket.IO-Client-Swift 16": {
    open: lines("GET /socket.io/?transport=polling&b64=1&EIO=4 HTTP/1.1", "Host: {host}", ...SWIFT),
    poll: lines("GET /socket.io/?transport=polling&b64=1&EIO=4&sid={sid} HTTP/1.1", "Host: {host}", ...SWIFT),
    post: lines("POST /socket.io/?transport=polling&b64=1&EIO=4&sid={sid} HTTP/1.1", "Host: {host}",
      "Content-Type: text/plain; charset=UTF-8", ...SWIFT, "Content-Length: {length}"),
    websocket: lines("GET /socket.io/?transport=websocket&EIO=4&sid={sid} HTTP/1.1", "Host: {host}", "Upgrade: websocket",
      "Connection: Upgrade", "Sec-WebSocket-Version: 13", KEY, "Origin: http://{host}",
      "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; server_max_window_bits=15"),
    upgrade: ["2probe", "5"],
  },
  "socket_io_client 3 for Dart": {
    websocket: lines("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", ...DART, "connection: Upgrade",
      "cache-control: no-cache", KEY.replace("Sec-WebSocket-Key", "sec-websocket-key"), "sec-websocket-version: 13",
      "host: {host}", "sec-websocket-extensions: permessage-deflate; client_max_window_bits", "upgrade: websocket"),
  },
  "a client that offers subprotocols": {
    websocket: lines("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", "Host: {host}", "Connection: keep-alive, Upgrade",
      "Upgrade: WebSocket", "Sec-WebSocket-Version: 13", KEY, "Sec-WebSocket-Protocol: chat, superchat"),
    subprotocol: "chat",
  },
};

/** A client's masked text frame. */
function frame(text) {
  const payload = Buffer.from(text);
  const head = payload.length < 126 ? Buffer.from([0x81, 0x80 | payload.length]) : Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

/** A TCP connection that sends bytes as they are. Every wait has a time limit. */
export class Wire {
  #bytes = Buffer.alloc(0);
  #ended = false;
  #wake = () => {};

  constructor(t, url) {
    const { hostname, port, host } = new URL(url);
    this.host = host;
    this.socket = connect({ host: hostname, port, allowHalfOpen: true });
    t.after(() => this.socket.destroy());
    this.socket.on("data", (bytes) => { this.#bytes = Buffer.concat([this.#bytes, bytes]); this.#wake(); });
    for (const end of ["end", "error"]) this.socket.on(end, () => { this.#ended = true; this.#wake(); });
  }

  /** Sends a recorded request; answers the head and the body of the response. */
  async request(recorded, { sid = "", body = "" } = {}) {
    const head = recorded.replaceAll("{host}", this.host).replace("{sid}", sid).replace("{length}", Buffer.byteLength(body));
    this.socket.write(head + body);
    const end = await this.#until("a response", () => this.#bytes.indexOf("\r\n\r\n") + 1);
    const response = this.#take(end + 3).toString();
    const length = Number(/content-length: (\d+)/i.exec(response)?.[1] ?? 0);
    await this.#until("a body", () => this.#bytes.length >= length);
    return { head: response, body: this.#take(length).toString() };
  }

  send(text) {
    this.socket.write(frame(text));
  }

  /** The next text; `undefined` at the end of the connection, `null` for a close frame. */
  async text() {
    const whole = () => this.#ended || this.#length() <= this.#bytes.length;
    await this.#until("a frame", whole);
    if (this.#length() > this.#bytes.length) return undefined;
    const bytes = this.#take(this.#length());
    if (bytes[0] === 0x88) return null;
    return bytes.subarray(bytes[1] < 126 ? 2 : 4).toString();
  }

  /** How long the next frame is; endless if that is not known yet. */
  #length() {
    const bytes = this.#bytes;
    if (bytes.length < 4) return bytes.length >= 2 && bytes[1] < 126 ? 2 + bytes[1] : Infinity;
    return bytes[1] < 126 ? 2 + bytes[1] : 4 + bytes.readUInt16BE(2);
  }

  #take(length) {
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  async #until(what, condition) {
    const came = async () => {
      for (;;) {
        const result = condition();
        if (result) return result;
        if (this.#ended) throw new Error(`${what}: the connection ended before it`);
        await new Promise((resolve) => { this.#wake = resolve; });
      }
    };
    return within(what, came(), () => this.#bytes.toString());
  }
}
