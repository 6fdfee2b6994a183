// The page's state against a model of the server, in random interleavings: connections are cut, packets lost, repeated
// and out of order, answers late. In the end each message is shown once, in order, as the server has it; and each message
// of the outbox is stored once.
import assert from "node:assert/strict";
import test from "node:test";

import "./lib/browser.js";
import { loadState } from "./lib/load.js";
import { ModelServer } from "./lib/model-server.js";

const RUNS = 100;
const STEPS = 250;

let requests = [];
globalThis.fetch = (path) => new Promise((resolve, reject) => requests.push({ path, resolve, reject }));

const state = await loadState();
const { socket } = state;

/** Random numbers that a seed decides (mulberry32). */
function randomOf(seed) {
  let last = seed >>> 0;
  return (below) => {
    last = (last + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(last ^ (last >>> 15), 1 | last);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) % below;
  };
}

/** One run: the page, the model, and what is between them. */
class World {
  written = new Map();
  answers = [];
  texts = 0;

  constructor(seed, clock) {
    this.random = randomOf(seed);
    this.clock = clock;
    this.me = `me-${seed}`;
    this.model = new ModelServer(this.me, `other-${seed}`, () => Date.now());
    this.ids = [`a-${seed}`, `b-${seed}`];
    for (const id of this.ids) {
      this.model.open(id);
      this.written.set(id, []);
      for (let n = this.random(130); n > 0; n--) this.model.store(id, n % 3 ? this.model.other : this.me, `old ${this.texts++}`);
    }
    this.model.events = [];
    requests = [];
  }

  pick(list) {
    return list[this.random(list.length)];
  }

  /** Lets all go on that waits for nothing but the processor. */
  async settle() {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  accept() {
    if (!socket.active || socket.connected) return;
    this.answers = [];
    // Now and then more was missed than is replayed.
    this.model.replay(socket.accept(), this.random(4) ? Infinity : 5);
  }

  /** The server takes the page's next packet; its answer is behind the events that were before it. */
  take() {
    const packet = socket.sent.shift();
    if (!packet) return;
    const { event, payload, answer } = packet;
    const isRefused = event === "send_message" && this.random(8) === 0;
    const data = isRefused ? { success: false, message: "Too many messages", retry_after: 1 } : this.model.answer(event, payload);
    this.model.events.push({ answer, data: structuredClone(data) });
  }

  deliver() {
    if (!socket.connected) return;
    const { events } = this.model;
    // Two messages change places, or one comes twice.
    if (this.random(10) === 0 && events[0]?.name === "new_message" && events[1]?.name === "new_message") events.unshift(...events.splice(0, 2).reverse());
    if (this.random(10) === 0 && events[0]?.name === "new_message") events.splice(this.random(events.length), 0, structuredClone(events[0]));
    const next = events.shift();
    if (!next) return;
    if (next.answer) next.answer(next.data);
    else socket.fire(next.name, next.data);
  }

  serve() {
    const request = requests.splice(this.random(requests.length), 1)[0];
    if (!request) return;
    if (request.body) return request.resolve({ ok: true, status: 200, json: async () => request.body, headers: new Headers() });
    if (this.random(10) === 0) return request.reject(new TypeError("no network"));
    // What the answer says is decided now, and it comes later.
    requests.push({ ...request, body: this.model.list() });
  }

  step() {
    const id = this.pick(this.ids);
    const actions = [
      () => this.accept(),
      () => socket.cut("transport close"),
      () => this.take(), () => this.take(), () => this.take(),
      () => this.deliver(), () => this.deliver(), () => this.deliver(), () => this.deliver(), () => this.deliver(),
      () => this.serve(), () => this.serve(),
      () => this.clock.tick(this.random(3000)),
      () => this.write(id), () => this.write(id),
      () => this.model.store(id, this.model.other, `theirs ${this.texts++}`),
      () => this.model.store(id, this.me, `another device ${this.texts++}`, `device-${this.texts}`),
      () => this.change(id, (message) => this.model.edit(message, `edited ${this.texts++}`)),
      () => this.change(id, (message) => this.model.delete(message)),
      () => this.show(id),
      () => state.timelines.loadOlder(id),
    ];
    this.pick(actions)();
  }

  change(id, alter) {
    const message = this.pick(this.model.changeable(id));
    if (message) alter(message);
  }

  write(id) {
    const text = `mine ${this.texts++}`;
    this.written.get(id).push(text);
    state.outbox.send(id, text);
  }

  /** As the view does when a conversation is opened. */
  show(id) {
    state.shown.openConversation.value = id;
    void state.timelines.loadNewest(id);
  }

  /** From now on nothing is lost, until nothing is left to do. */
  async calm() {
    for (let turn = 0, idle = 0; idle < 3; turn++) {
      assert.ok(turn < 5000, "it comes to rest");
      this.accept();
      await this.settle();
      const isBusy = socket.sent.length + this.model.events.length + requests.length > 0 || !socket.connected;
      idle = isBusy ? 0 : idle + 1;
      this.take();
      this.deliver();
      this.serve();
      await this.settle();
      this.clock.tick(1000);
    }
  }

  /** What is shown of a conversation, which is one stretch at any time. */
  seen(id) {
    const { blocks, first, last, phase } = state.timelines.timeline(id).peek();
    const messages = [...blocks].sort(([one], [other]) => one - other).flatMap(([, block]) => block);
    if (phase !== "ready") return messages;
    assert.deepEqual(messages.map(({ seq }) => seq), Array.from({ length: last - first + 1 }, (_, n) => first + n), "one stretch, each message once");
    return messages;
  }

  check() {
    for (const id of this.ids) {
      const { messages } = this.model.conversations.get(id);
      const stored = messages.filter(({ sender_id, client_id }) => sender_id._id === this.me && client_id && !client_id.startsWith("device-"));
      assert.equal(new Set(stored.map(({ client_id }) => client_id)).size, stored.length);
      assert.equal(stored.length, this.written.get(id).length, "what was written is stored once");
      const unchanged = stored.filter(({ edited_at, deleted_at }) => !edited_at && !deleted_at).map(({ text }) => text);
      const order = this.written.get(id).filter((text) => unchanged.includes(text));
      assert.deepEqual(unchanged, order, "in the order in which it was written");
    }
    assert.deepEqual(state.outbox.outbox.peek(), [], "nothing is left in the outbox");
    const open = state.shown.openConversation.peek();
    const { messages } = this.model.conversations.get(open);
    const shown = this.seen(open);
    assert.equal(shown.at(-1)?.seq ?? 0, messages.length, "up to the newest message");
    const short = ({ seq, text, edited_at, deleted_at }) => ({ seq, text, deleted_at, edited_at: deleted_at ? undefined : edited_at });
    assert.deepEqual(shown.map(short), messages.slice(messages.length - shown.length).map(short), "as the server has them");
    for (const { id, lastSeq, preview } of state.conversations.conversations.peek().values()) {
      const { messages: all } = this.model.conversations.get(id);
      assert.equal(lastSeq, all.length, "the list knows the newest");
      assert.equal(preview?.text, all.findLast(({ deleted_at }) => !deleted_at)?.text, "the list shows the newest");
    }
  }
}

test("each message is shown once and in order, and sent once, whatever the network does", async (t) => {
  const only = process.env.SEED && [Number(process.env.SEED)];
  for (const seed of only ?? Array.from({ length: RUNS }, (_, n) => n + 1)) {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.UTC(2026, 0, 1) + seed * 3_600_000 });
    const world = new World(seed, t.mock.timers);
    try {
      state.session.session.value = { token: `token-${seed}`, user: { id: world.me, email: "", full_name: "" } };
      world.show(world.ids[0]);
      for (let step = 0; step < STEPS; step++) {
        world.step();
        if (step % 4 === 0) await world.settle();
        for (const id of world.ids) world.seen(id);
      }
      await world.calm();
      world.check();
    } catch (error) {
      error.message = `SEED=${seed}: ${error.message}`;
      throw error;
    } finally {
      state.session.session.value = null;
      t.mock.timers.reset();
    }
  }
});
