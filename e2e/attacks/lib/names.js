// What the seed and the attacks both derive from a name, so that neither has to tell the other.
import { createHash } from "node:crypto";

import { token } from "../../lib/server.js";

/** The id that the seed gives to what has this name: 24 hexadecimal digits. */
export const idOf = (name) => createHash("sha1").update(name).digest("hex").slice(0, 24);

/** The e-mail of a seeded user. */
export const emailOf = (name) => `${name}@example.com`;

/** A token for a seeded user, valid for a day. */
export function tokenOf(name) {
  const now = Math.floor(Date.now() / 1000);
  return token({ userId: idOf(name), role: "seller", iat: now, exp: now + 86_400 });
}

/** The password of every seeded user. */
export const PASSWORD = "imported horse";
/** A bcrypt hash of it with cost 4. */
export const PASSWORD_HASH = "$2b$04$kFu.HLznUF0UjCimWOGK8uKBn2PI7V.qrzc8gmfTwIL6U0a7qp4fa";

/** How many pairs of victims chat in turn: each of them stays within the default message rate. */
export const PAIRS = 8;
/** The two users of a pair of victims. */
export const victims = (pair) => [`victim-a-${pair}`, `victim-b-${pair}`];
/** The conversation of a pair of victims. */
export const victimsConversation = (pair) => `victims-${pair}`;
/** The address of a victim, by number; no attack uses them. */
export const victimsAddress = (number) => `198.51.100.${number + 1}`;
