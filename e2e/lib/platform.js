// examples/express as a test has it: the platform on a port of its own, ended with the test.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { BINARY, eventually, freePort } from "./server.js";

const FOLDER = fileURLToPath(new URL("../../examples/express", import.meta.url));
const SCRIPT = JSON.parse(readFileSync(`${FOLDER}/package.json`, "utf8")).scripts.start;

/** The running platform. */
export class Platform {
  /** Does what `npm start` does, and waits until the platform says where it is. */
  static async start(t, settings = {}) {
    const [port, chatPort] = [await freePort(), await freePort()];
    const platform = new Platform();
    platform.url = `http://127.0.0.1:${port}`;
    platform.chat = { url: settings.API_URL ?? `http://127.0.0.1:${chatPort}` };
    const env = { PATH: process.env.PATH, PORT: `${port}`, CHAT_PORT: `${chatPort}`, HORSE_TRUST_BINARY: BINARY, ...settings };
    const child = spawn("bash", ["-c", `exec ${SCRIPT}`], { cwd: FOLDER, env, stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    t.after(async () => {
      child.kill();
      await ended;
    });
    platform.printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (platform.printed += text));
    await platform.prints(/The platform is at/, () => assert.equal(child.exitCode, null, platform.printed));
    return platform;
  }

  async prints(pattern, check = () => {}) {
    await eventually(`${pattern}`, () => {
      check();
      return pattern.test(this.printed);
    }).catch((error) => {
      throw new Error(`${error.message}; printed: ${this.printed}`);
    });
  }

  /** Asks the platform; answers the JSON, or the status where another one than 2xx is expected. */
  async ask(method, path, { token, body, status = 2 } = {}) {
    const response = await fetch(`${this.url}/api${path}`, {
      method,
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    assert.ok(`${response.status}`.startsWith(`${status}`), `${method} ${path}: ${response.status} ${text}`);
    return text && JSON.parse(text);
  }

  async signUp(full_name) {
    const email = `${full_name.toLowerCase()}@example.com`;
    const body = { email, full_name, password: "correct horse" };
    const { token, user } = await this.ask("POST", "/signup", { body });
    return { token, email, id: user._id };
  }

  async signIn(email) {
    return (await this.ask("POST", "/signin", { body: { email, password: "correct horse" } })).token;
  }

  /** Opens a conversation as the user's page does; answers its id. */
  async openConversation(user, body) {
    const headers = { "content-type": "application/json", authorization: `Bearer ${user.token}` };
    const response = await fetch(`${this.chat.url}/api/chat/conversations`, { method: "POST", headers, body: JSON.stringify(body) });
    const text = await response.text();
    assert.ok(response.ok, text);
    return JSON.parse(text).data._id;
  }
}
