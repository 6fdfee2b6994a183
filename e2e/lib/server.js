// The built binary as a test has it: on a port and in a folder of its own, ended with the test.
import { spawn, spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

export const BINARY =
  process.env.HORSE_TRUST_BINARY ?? fileURLToPath(new URL("../../target/release/horse-trust", import.meta.url));
/** What a process needs to live through a write beyond its limit of file sizes; see `limitFiles`. */
const IGNORE_LIMIT = ["-c", 'trap "" XFSZ; exec "$0" "$@"'];
/** So many times longer than promised anything may take: the machine may be busy. SLOWNESS=1 holds a quiet one to it. */
export const SLOWNESS = Number(process.env.SLOWNESS || 5);
/** How long what has no time promised may take; milliseconds. */
const LIMIT = 60_000;
export const SECRET = "the secret of the end-to-end tests";

/** A port that is free now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** A folder that goes when the test ends. */
export function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), "horse-trust-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The environment of a test's processes: ours and nothing of the developer's settings. */
function environment(settings) {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, ...settings };
}

/** Runs the command to its end, which may take `timeout` milliseconds; answers its exit code and what it printed. */
export function run(folder, args, settings = {}, timeout = 30_000) {
  const { status, stdout, stderr } = spawnSync(BINARY, args, {
    cwd: folder,
    env: environment(settings),
    encoding: "utf8",
    timeout,
  });
  return { status, stdout, stderr };
}

/** Waits until `condition` gives something true, and answers it; `promised` is within how many milliseconds that should be. */
export async function eventually(what, condition, promised) {
  const limit = promised === undefined ? LIMIT : promised * SLOWNESS;
  const deadline = Date.now() + limit;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`${what}: did not come about within ${limit} ms`);
    await sleep(5);
  }
}

/** A running server. */
export class Server {
  static async start(t, settings = {}, { command = "serve", folder = temporaryFolder(t) } = {}) {
    const port = settings.PORT ?? (await freePort());
    const server = new Server(folder, port, { JWT_SECRET: SECRET, MESSAGE_RATE: "0", LOG: "warn", ...settings });
    t.after(() => server.kill());
    await server.launch(command);
    return server;
  }

  constructor(folder, port, settings) {
    this.folder = folder;
    this.port = port;
    this.url = `http://${settings.HOST ?? "127.0.0.1"}:${port}`;
    this.settings = { ...settings, PORT: String(port) };
    /** Before each path, as the setting BASE_PATH has it. */
    this.base = settings.BASE_PATH?.replace(/\/$/, "") ?? "";
    this.database = join(folder, "data", "horse-trust.db");
  }

  /** Starts the process and waits until it answers; milliseconds that took. */
  async launch(command = "serve") {
    const begin = performance.now();
    this.output = "";
    this.process = spawn("bash", [...IGNORE_LIMIT, BINARY, command], {
      cwd: this.folder,
      env: environment(this.settings),
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (this.output += text));
    }
    this.exited = new Promise((resolve) => this.process.once("exit", (code, signal) => resolve({ code, signal })));
    await eventually("the server answers", async () => {
      if (this.process.exitCode !== null) throw new Error(`the server ended: ${this.output}`);
      return fetch(`${this.url}${this.base}/health`).then((response) => response.ok, () => false);
    });
    return performance.now() - begin;
  }

  /** Ends the process at once, and starts it with other settings beside its own. */
  async restart(settings) {
    await this.kill();
    Object.assign(this.settings, settings);
    await this.launch();
  }

  /** Ends the process at once, as a power cut would. */
  async kill() {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill("SIGKILL");
    return this.exited;
  }

  /** Asks the process to end; its exit code and how long that took. */
  async stop(signal = "SIGTERM") {
    const begin = performance.now();
    this.process.kill(signal);
    const { code } = await this.exited;
    return { code, milliseconds: performance.now() - begin };
  }

  /** From now on no file can be written to beyond `bytes`, as on a full disk; "unlimited" ends that. */
  limitFiles(bytes) {
    const { status, stderr } = spawnSync("prlimit", ["--pid", `${this.process.pid}`, `--fsize=${bytes}:`], { encoding: "utf8" });
    if (status !== 0) throw new Error(`prlimit: ${stderr}`);
  }

  /** A request; answers status, JSON (or text) and headers. */
  async request(method, path, { token, body, headers = {}, raw } = {}) {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      body: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
    });
    const text = await response.text();
    let json;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, json, text, headers: response.headers };
  }

  /** Registers a user; answers id and token. */
  async register(name = "Ana") {
    const email = `${name}-${Math.random().toString(36).slice(2)}@example.com`;
    const body = { email, password: "correct horse", full_name: name };
    const { status, json, text } = await this.request("POST", "/api/auth/register", { body });
    if (status !== 201) throw new Error(`no registration: ${status} ${text}`);
    return { id: json.user.id, token: json.token, email, name };
  }

  /** Two users and their conversation. */
  async pair() {
    const [ana, bruno] = await Promise.all([this.register("Ana"), this.register("Bruno")]);
    const open = (one, other) =>
      this.request("POST", "/api/chat/conversations", { token: one.token, body: { recipient_id: other.id } });
    // By both: before that, or a message, they are strangers to each other, and do not see each other's presence.
    const opened = await open(ana, bruno);
    await open(bruno, ana);
    return { ana, bruno, conversation: opened.json.data._id };
  }

  /** The whole history, oldest first. */
  async history(token, conversation) {
    const messages = [];
    for (let page = 1; ; page++) {
      const path = `/api/chat/conversations/${conversation}/messages?limit=100&page=${page}`;
      const { json, status, text } = await this.request("GET", path, { token });
      if (status !== 200) throw new Error(`no history: ${status} ${text}`);
      messages.unshift(...json.data);
      if (json.data.length < 100) return messages;
    }
  }
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token with any header and claims, signed with any secret. */
export function token(claims, { header = { alg: "HS256", typ: "JWT" }, secret = SECRET, hash = "sha256" } = {}) {
  const body = `${encode(header)}.${encode(claims)}`;
  return `${body}.${createHmac(hash, secret).update(body).digest("base64url")}`;
}
