// What the server promises, as a model: an order of messages a conversation, ids in the order of all, each `client_id`
// stored once, a replay from an offset, histories by `seq`. What comes of a request or an event is decided when the
// model takes it; when that reaches the page the test decides.

const EDIT_WINDOW = 60_000;

export class ModelServer {
  constructor(me, other, now) {
    this.me = me;
    this.other = other;
    this.now = now;
    this.messages = [];
    this.conversations = new Map();
    this.read = new Map();
    /** Events for the page's socket, in their order. */
    this.events = [];
  }

  open(id) {
    this.conversations.set(id, { created: this.time(), messages: [] });
    this.read.set(id, 0);
  }

  /** No two changes have one time. */
  time() {
    this.last = Math.max(this.now(), (this.last ?? 0) + 1);
    return new Date(this.last).toISOString();
  }

  store(conversation, sender, text, client_id) {
    const { messages } = this.conversations.get(conversation);
    const known = client_id && messages.find((message) => message.client_id === client_id && message.sender_id._id === sender);
    if (known) return known;
    const seconds = Math.floor(this.now() / 1000).toString(16).padStart(8, "0");
    const _id = seconds + (this.messages.length + 1).toString(16).padStart(16, "0");
    const message = {
      _id, conversation_id: conversation, seq: messages.length + 1, text, sent_at: this.time(), is_read: false,
      sender_id: { _id: sender, full_name: sender }, ...(client_id ? { client_id } : {}),
    };
    messages.push(message);
    this.messages.push(message);
    this.push("new_message", message);
    return message;
  }

  /** Messages that may still be changed, newest last. */
  changeable(conversation) {
    return this.conversations.get(conversation).messages.filter(({ sent_at, deleted_at }) => !deleted_at && this.now() - Date.parse(sent_at) < EDIT_WINDOW);
  }

  edit(message, text) {
    Object.assign(message, { text, edited_at: this.time() });
    this.push("message_updated", message);
  }

  delete(message) {
    Object.assign(message, { text: "", deleted_at: this.time() });
    const { _id: message_id, conversation_id, seq, deleted_at } = message;
    this.push("message_deleted", { message_id, conversation_id, seq, deleted_at });
  }

  push(name, data) {
    this.events.push({ name, data: structuredClone(data) });
  }

  /** What a new connection gets first. */
  replay(offset, most) {
    this.events = [];
    const missed = this.messages.filter(({ _id }) => _id > offset);
    if (missed.length > most) this.push("resync", { conversations: [] });
    else for (const message of missed) this.push("new_message", message);
  }

  answer(event, payload) {
    if (event === "send_message") {
      return { success: true, data: this.store(payload.conversation_id, this.me, payload.text, payload.client_id) };
    }
    if (event === "fetch_messages") {
      const { conversation_id, after_seq, before_seq, limit } = payload;
      const { messages } = this.conversations.get(conversation_id);
      const matching = messages.filter(({ seq }) => seq > (after_seq ?? 0) && seq < (before_seq ?? Infinity));
      const data = after_seq === undefined ? matching.slice(-limit) : matching.slice(0, limit);
      return { success: true, data, has_more: matching.length > limit };
    }
    if (event === "mark_read") {
      const { conversation_id: id, up_to_seq } = payload;
      this.read.set(id, Math.max(this.read.get(id), up_to_seq));
      return { success: true, data: { up_to_seq: this.read.get(id), conversation_unread_count: this.unread(id) } };
    }
    return { success: true };
  }

  unread(id) {
    const { messages } = this.conversations.get(id);
    return messages.filter(({ seq, sender_id, deleted_at }) => seq > this.read.get(id) && sender_id._id !== this.me && !deleted_at).length;
  }

  list() {
    const data = [...this.conversations].map(([_id, { created, messages }]) => {
      const last = messages.findLast(({ deleted_at }) => !deleted_at);
      const state = (user_id, read_seq) => ({ user_id, read_seq, delivered_seq: 0, online: false, last_seen: null });
      return {
        _id, participants: [this.me, this.other].map((id) => ({ _id: id, full_name: id })),
        participant_states: [state(this.me, this.read.get(_id)), state(this.other, 0)],
        last_message: last ? { text: last.text, sender_id: last.sender_id._id, sent_at: last.sent_at } : null,
        last_seq: messages.length, unread_count: this.unread(_id), updated_at: last?.sent_at ?? created,
        blocked_by_me: false, blocked_by_other: false,
      };
    });
    return { success: true, data, server_time: this.time(), edit_window_ms: EDIT_WINDOW };
  }
}
