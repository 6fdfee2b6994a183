// Passwords as scrypt hashes: `salt:hash` in hexadecimal digits.
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

const derive = promisify(scrypt);
const BYTES = 32;

export async function hashPassword(password) {
  const salt = randomBytes(16);
  return `${salt.toString("hex")}:${(await derive(password, salt, BYTES)).toString("hex")}`;
}

export async function isPassword(password, stored) {
  const [salt, hash] = stored.split(":").map((part) => Buffer.from(part, "hex"));
  return timingSafeEqual(hash, await derive(password, salt, BYTES));
}
