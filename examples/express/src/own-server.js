// A chat server for this platform alone, with secrets that are made now and data that goes when it ends, as the
// platform's own data does.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

const BUILT = fileURLToPath(new URL("../../../target/release/horse-trust", import.meta.url));
/** How long the server may take to start; milliseconds. */
const PATIENCE = 20_000;

/** Starts the server and waits until it answers. Answers the platform's settings for it. */
export async function ownServer({ HORSE_TRUST_BINARY, CHAT_PORT = "3000", PORT = "4000", PATH, UNSEEN_AFTER = "30s" }) {
  const binary = HORSE_TRUST_BINARY ?? (existsSync(BUILT) ? BUILT : "horse-trust");
  const [JWT_SECRET, apiKey] = [randomBytes(32), randomBytes(32)].map((bytes) => bytes.toString("hex"));
  const WEBHOOK_SECRET = `whsec_${randomBytes(32).toString("base64")}`;
  const folder = mkdtempSync(join(tmpdir(), "horse-trust-example-"));
  const server = spawn(binary, ["serve"], {
    cwd: folder,
    stdio: "inherit",
    env: {
      PATH,
      JWT_SECRET,
      WEBHOOK_SECRET,
      WEBHOOK_URL: `http://127.0.0.1:${PORT}/webhooks/chat`,
      UNSEEN_AFTER,
      PORT: CHAT_PORT,
      API_KEYS: apiKey,
      CORS_ORIGINS: `http://127.0.0.1:${PORT},http://localhost:${PORT}`,
      LOG: "warn",
    },
  });
  process.once("exit", () => {
    server.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit());
  const failed = new Promise((_, reject) => {
    server.once("error", (error) => {
      reject(new Error(`${binary} does not start (${error.code}): run \`make build\`, or set HORSE_TRUST_BINARY to the server, or API_URL to one that runs`));
    });
    server.once("exit", (code) => reject(new Error(`the chat server ended with ${code}`)));
  });
  const url = `http://127.0.0.1:${CHAT_PORT}`;
  await Promise.race([failed, answers(url)]);
  failed.catch(({ message }) => {
    console.error(message);
    process.exit(1);
  });
  return { JWT_SECRET, WEBHOOK_SECRET, API_URL: url, API_KEY: apiKey };
}

/** Waits until the server answers. */
async function answers(url) {
  const deadline = Date.now() + PATIENCE;
  while (!(await fetch(`${url}/health`).then(({ ok }) => ok, () => false))) {
    if (Date.now() > deadline) throw new Error(`${url} does not answer`);
    await sleep(50);
  }
}
