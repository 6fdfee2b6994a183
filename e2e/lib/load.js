// People who write without a pause, and what must be true of what they wrote.
import assert from "node:assert/strict";

import { within } from "./client.js";

/** A client that keeps some messages in flight until its connection ends. */
export class Writer {
  /** The message of each acknowledgement, in the order in which they came. */
  acknowledged = [];
  #sent = 0;
  #waiting = [];

  constructor(conversation) {
    this.conversation = conversation;
  }

  /** Writes through `client`, with texts that go on where the last connection ended. */
  start(client, inFlight = 10) {
    const next = () => {
      if (!client.socket.connected) return;
      const payload = { conversation_id: this.conversation, text: `${this.#sent++}` };
      client.socket.emit("send_message", payload, (ack) => {
        assert.equal(ack.success, true, JSON.stringify(ack));
        this.acknowledged.push(ack.data);
        this.#waiting.forEach((check) => check());
        next();
      });
    };
    for (let n = 0; n < inFlight; n++) next();
  }

  /** Waits until `count` more messages were acknowledged. */
  async more(count) {
    const goal = this.acknowledged.length + count;
    const reached = new Promise((resolve) => {
      const check = () => this.acknowledged.length >= goal && resolve();
      this.#waiting.push(check);
      check();
    });
    await within(`${goal} acknowledgements`, reached, () => `Came: ${this.acknowledged.length}`);
  }

  /** Nothing acknowledged is lost, changed or out of order, and nothing at all is there twice. */
  check(history) {
    const ids = history.map((message) => message._id);
    assert.deepEqual(ids, ids.toSorted(), "ids sort by creation, also over restarts");
    const position = new Map(history.map((message, at) => [message._id, at]));
    assert.equal(position.size, history.length, "no id twice");
    assert.equal(new Set(history.map((message) => message.text)).size, history.length, "no text twice");
    const places = this.acknowledged.map((message) => position.get(message._id));
    assert.ok(places.every((place) => place !== undefined), "nothing acknowledged is lost");
    assert.deepEqual(places, places.toSorted((x, y) => x - y), "in the order of acknowledgement");
    const order = history.map((message) => Number(message.text));
    assert.deepEqual(order, order.toSorted((x, y) => x - y), "in the order of sending");
    assert.deepEqual(history.map((message) => message.seq), history.map((_, at) => at + 1), "counted without holes");
    // Fetching the history has marked some as read.
    const unread = ({ is_read, ...rest }) => rest;
    for (const message of this.acknowledged) assert.deepEqual(unread(history[position.get(message._id)]), unread(message));
  }
}
