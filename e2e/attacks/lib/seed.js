// What is in the store before a server starts: files as mongoexport writes them, for `horse-trust import`.
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";

import { PASSWORD_HASH, emailOf, idOf } from "./names.js";

/** When the first seeded message was sent. */
const BEGIN = Date.parse("2026-01-01T00:00:00Z");
/** Bytes that are collected before they are written. */
const CHUNK = 1 << 20;

/** Lines that are written to a file as they come. */
class Lines {
  #pending = "";

  constructor(path) {
    this.path = path;
    this.file = openSync(path, "w");
  }

  add(record) {
    this.#pending += `${JSON.stringify(record)}\n`;
    if (this.#pending.length > CHUNK) this.#write();
  }

  end() {
    this.#write();
    closeSync(this.file);
  }

  #write() {
    writeSync(this.file, this.#pending);
    this.#pending = "";
  }
}

export class Seed {
  #users = new Set();
  #messages = 0;
  #parts = new Set();

  constructor(folder) {
    this.files = Object.fromEntries(["users", "conversations", "messages"].map((name) => [name, new Lines(join(folder, `${name}.json`))]));
  }

  /** A part that several attacks need. */
  once(name, make) {
    if (this.#parts.has(name)) return;
    this.#parts.add(name);
    make();
  }

  user(name) {
    if (this.#users.has(name)) return;
    this.#users.add(name);
    this.files.users.add({
      _id: { $oid: idOf(name) }, email: emailOf(name), password_hash: PASSWORD_HASH, role: "seller", full_name: name,
      is_active: true, created_at: { $date: new Date(BEGIN).toISOString() },
    });
  }

  /** A conversation `name` of two users, who are made if they are not there. */
  conversation(name, one, other) {
    this.user(one);
    this.user(other);
    this.files.conversations.add({
      _id: { $oid: idOf(name) }, participants: [one, other].map((user) => ({ $oid: idOf(user) })), horse_id: { $oid: idOf(`horse of ${name}`) },
      created_at: { $date: new Date(BEGIN).toISOString() }, updated_at: { $date: new Date(BEGIN).toISOString() },
    });
  }

  /** A message that was not read. */
  message(conversation, sender, text, { isDeleted = false } = {}) {
    const n = this.#messages++;
    const at = { $date: new Date(BEGIN + n * 10).toISOString() };
    const id = Math.floor(BEGIN / 1000 + n / 100).toString(16) + n.toString(16).padStart(16, "0");
    this.files.messages.add({
      _id: { $oid: id }, conversation_id: { $oid: idOf(conversation) }, sender_id: { $oid: idOf(sender) }, text, is_read: false,
      sent_at: at, ...(isDeleted ? { deleted_at: at } : {}),
    });
  }

  /** Ends the files; answers the arguments of the command that imports them. */
  end() {
    return ["import", ...Object.entries(this.files).flatMap(([name, lines]) => (lines.end(), [`--${name}`, lines.path]))];
  }
}
