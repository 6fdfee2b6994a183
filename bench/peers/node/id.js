// Ids in MongoDB's ObjectId layout: seconds, five random bytes of this process, a counter.
import { randomBytes } from "node:crypto";

const processPart = randomBytes(5).toString("hex");
let counter = randomBytes(3).readUIntBE(0, 3);

export function newId() {
  counter = (counter + 1) & 0xffffff;
  const seconds = Math.floor(Date.now() / 1000).toString(16).padStart(8, "0");
  return seconds + processPart + counter.toString(16).padStart(6, "0");
}
