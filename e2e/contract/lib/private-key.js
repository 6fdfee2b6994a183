// What a server answers whose tokens a platform signs with a private key.
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { Server, temporaryFolder } from "../../lib/server.js";

/** `ask` sends a request, and compares the answer with the document. */
export async function signWithPrivateKey(t, ask) {
  const [folder, API_KEYS] = [temporaryFolder(t), "k".repeat(32)];
  writeFileSync(join(folder, "platform.pem"), generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }));
  const server = await Server.start(t, { JWT_SECRET: "", JWT_PUBLIC_KEY_FILE: "platform.pem", API_KEYS }, { folder });
  await ask(server, 201, "PUT", "/api/admin/users/u1", { token: API_KEYS, body: { full_name: "U" } });
  await ask(server, 409, "POST", "/api/admin/users/u1/token", { token: API_KEYS, body: {} });
  const body = { email: "ana@example.com", password: "correct horse", full_name: "Ana" };
  for (const route of ["register", "login"]) await ask(server, 404, "POST", `/api/auth/${route}`, { body });
}
