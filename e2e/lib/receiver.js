// A platform that receives webhooks, and verifies each with the official library.
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";

import { Webhook } from "standardwebhooks";

import { eventually } from "./server.js";

export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/** A receiver whose `answer(response, event, attempt)` may be replaced; by default it answers 204. */
export class Receiver {
  /** Speaks TLS if it is given a key and a certificate. */
  static async start(t, { secret = WEBHOOK_SECRET, tls } = {}) {
    const receiver = new Receiver();
    receiver.events = [];
    receiver.answer = (response) => response.writeHead(204).end();
    const attempts = new Map();
    const verifier = new Webhook(secret);
    const listener = (request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text) => (body += text));
      request.on("end", () => {
        // An event that does not verify throws, and ends the test.
        const event = { id: request.headers["webhook-id"], path: request.url, signatures: request.headers["webhook-signature"], ...verifier.verify(body, request.headers) };
        attempts.set(event.id, (attempts.get(event.id) ?? 0) + 1);
        receiver.events.push(event);
        receiver.answer(response, event, attempts.get(event.id));
      });
    };
    const server = tls ? createSecureServer(tls, listener) : createServer(listener);
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    receiver.port = server.address().port;
    receiver.url = `${tls ? "https://localhost" : "http://127.0.0.1"}:${receiver.port}/hook`;
    return receiver;
  }

  of(type) {
    return this.events.filter((event) => event.type === type);
  }

  /** Waits for the event number `count` of a type. */
  received(type, count = 1, promised) {
    return eventually(`${type} number ${count}`, () => this.of(type)[count - 1], promised);
  }
}
