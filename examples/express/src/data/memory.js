// The platform's data in memory, behind the part of Mongoose's model that this platform calls. Nothing outlives the
// process. `User` and `Listing` can be Mongoose models in their place: the rest of the platform calls no other method,
// and reads ids by `String(document._id)`.
import { randomBytes } from "node:crypto";

/** An id of MongoDB's layout: four bytes of time, eight of chance, as 24 hexadecimal digits. */
function objectId() {
  const seconds = Math.floor(Date.now() / 1000);
  return seconds.toString(16).padStart(8, "0") + randomBytes(8).toString("hex");
}

const matches = (document, filter) => Object.entries(filter).every(([name, value]) => document[name] === value);

/** A collection. `unique` names a field of which no two documents have the same value. */
class MemoryModel {
  #documents = new Map();

  constructor({ unique } = {}) {
    this.unique = unique;
  }

  async create(fields) {
    const document = { _id: objectId(), created_at: new Date(), ...fields };
    this.#check(document);
    this.#documents.set(document._id, document);
    return { ...document };
  }

  async find(filter = {}) {
    return [...this.#documents.values()].filter((document) => matches(document, filter)).map((document) => ({ ...document }));
  }

  async findOne(filter) {
    return (await this.find(filter))[0] ?? null;
  }

  async findById(id) {
    return this.findOne({ _id: id });
  }

  /** Changes the named fields and answers the changed document, as Mongoose does with `{ new: true }`. */
  async findByIdAndUpdate(id, changes) {
    const document = this.#documents.get(id);
    if (!document) return null;
    const changed = { ...document, ...changes };
    this.#check(changed);
    this.#documents.set(id, changed);
    return { ...changed };
  }

  /** Throws the error that MongoDB's driver throws for a unique index. */
  #check(document) {
    if (!this.unique) return;
    const twin = [...this.#documents.values()].find((other) => other._id !== document._id && other[this.unique] === document[this.unique]);
    if (twin) throw Object.assign(new Error(`duplicate key: ${this.unique}`), { code: 11000 });
  }
}

export function memoryData() {
  return { User: new MemoryModel({ unique: "email" }), Listing: new MemoryModel() };
}
