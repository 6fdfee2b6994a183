// PostgreSQL, Redis and nginx of a test's own, on free ports and in temporary folders; several nodes over them.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { SECRET, Server, eventually, freePort, temporaryFolder } from "./server.js";

const IS_ROOT = process.getuid() === 0;

/** A process that is ended with the test. */
export class Service {
  signal = "SIGKILL";

  constructor(t, command, args, options = {}) {
    this.command = command;
    this.args = args;
    this.options = options;
    t.after(() => this.kill());
  }

  start() {
    this.output = "";
    this.process = spawn(this.command, this.args, { stdio: ["ignore", "pipe", "pipe"], ...this.options });
    for (const stream of [this.process.stdout, this.process.stderr]) stream.on("data", (text) => (this.output += text));
    this.exited = new Promise((resolve) => this.process.once("exit", resolve));
  }

  async kill(signal = this.signal) {
    if (this.process?.exitCode === null && this.process.signalCode === null) this.process.kill(signal);
    await this.exited;
  }
}

/** Whether something listens on a port. */
function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

/** A certificate for `localhost` with its key and, as `root`, that of its issuer: files in a folder of their own. */
export function certificate(t) {
  const folder = temporaryFolder(t);
  const openssl = (...args) => {
    const { status, stderr } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl: ${stderr}`);
  };
  const key = (file) => ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file];
  openssl("req", "-x509", ...key("root.key"), "-out", "root.pem", "-subj", "/CN=root", "-days", "2");
  openssl("req", ...key("server.key"), "-out", "server.csr", "-subj", "/CN=localhost");
  writeFileSync(join(folder, "extensions"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n");
  openssl("x509", "-req", "-in", "server.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "extensions");
  return { key: join(folder, "server.key"), certificate: join(folder, "server.pem"), root: join(folder, "root.pem") };
}

/** A PostgreSQL. */
export class Postgres {
  /** Speaks TLS, too, if it is given files as {@link certificate} makes them. */
  static async start(t, tls) {
    const postgres = new Postgres();
    postgres.folder = mkdtempSync(join(tmpdir(), "horse-trust-postgres-"));
    t.after(() => rmSync(postgres.folder, { recursive: true, force: true }));
    // PostgreSQL does not run as root.
    const id = (option) => Number(spawnSync("id", [option, "postgres"], { encoding: "utf8" }).stdout);
    const user = IS_ROOT ? { uid: id("-u"), gid: id("-g") } : {};
    if (IS_ROOT) chownSync(postgres.folder, user.uid, user.gid);
    const data = join(postgres.folder, "data");
    const made = spawnSync(postgres.program("initdb"), ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D", data], { ...user, encoding: "utf8", cwd: postgres.folder });
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
    postgres.port = await freePort();
    const settings = ["listen_addresses=127.0.0.1", "max_connections=300"];
    if (tls) {
      // It wants a key that nobody else can read.
      const key = join(postgres.folder, "server.key");
      copyFileSync(tls.key, key);
      chmodSync(key, 0o600);
      if (IS_ROOT) chownSync(key, user.uid, user.gid);
      const certificate = join(postgres.folder, "server.pem");
      copyFileSync(tls.certificate, certificate);
      settings.push("ssl=on", `ssl_key_file=${key}`, `ssl_cert_file=${certificate}`);
    }
    const args = ["-D", data, "-k", postgres.folder, "-p", `${postgres.port}`, ...settings.flatMap((setting) => ["-c", setting])];
    postgres.service = new Service(t, postgres.program("postgres"), args, { ...user, cwd: postgres.folder });
    await postgres.launch();
    return postgres;
  }

  program(name) {
    const versions = "/usr/lib/postgresql";
    if (!existsSync(versions)) return name;
    return join(versions, readdirSync(versions).sort((one, other) => other - one)[0], "bin", name);
  }

  async launch() {
    this.service.start();
    await eventually("PostgreSQL answers", () => this.query("SELECT 1").status === 0, 20_000);
  }

  /** Ends it at once; connections break. */
  async stop() {
    await this.service.kill("SIGQUIT");
  }

  query(sql, database = "postgres") {
    return spawnSync(this.program("psql"), ["-h", "127.0.0.1", "-p", `${this.port}`, "-U", "postgres", "-At", "-c", sql, database], { encoding: "utf8" });
  }

  /** The URL of a new database. */
  database(name) {
    const { status, stderr } = this.query(`CREATE DATABASE ${name}`);
    if (status !== 0) throw new Error(stderr);
    return `postgres://postgres@127.0.0.1:${this.port}/${name}`;
  }
}

/** A Redis. */
export class Redis {
  /** Speaks TLS alone, if it is given files as {@link certificate} makes them. */
  static async start(t, tls, options = []) {
    const redis = new Redis();
    redis.port = await freePort();
    const folder = temporaryFolder(t);
    const port = tls
      ? ["--port", "0", "--tls-port", `${redis.port}`, "--tls-cert-file", tls.certificate, "--tls-key-file", tls.key, "--tls-auth-clients", "no"]
      : ["--port", `${redis.port}`];
    redis.service = new Service(t, "redis-server", [...port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder, ...options], { cwd: folder });
    redis.url = tls ? `rediss://localhost:${redis.port}` : `redis://127.0.0.1:${redis.port}`;
    await redis.launch();
    return redis;
  }

  /** The settings of a node that uses it. */
  get settings() {
    return { REDIS_URL: this.url };
  }

  async launch() {
    this.service.start();
    await eventually("Redis answers", () => listens(this.port));
  }

  async stop() {
    await this.service.kill();
  }

  /** Answers what `redis-cli` prints. */
  ask(...args) {
    return spawnSync("redis-cli", ["-p", `${this.port}`, ...args], { encoding: "utf8" }).stdout.trim();
  }
}

/** The names that nodes have before nginx, as its configuration has them. */
const NAMES = "abcdefgh";

/** The nginx configuration that we ship, for these nodes instead of its two, and below `base`. */
function shippedConfiguration(nodes, base) {
  let configuration = readFileSync(fileURLToPath(new URL("../../deploy/nginx.conf", import.meta.url)), "utf8");
  const replace = (pattern, by) => {
    if (!pattern.test(configuration)) throw new Error(`deploy/nginx.conf: nothing matches ${pattern}`);
    configuration = configuration.replace(pattern, by);
  };
  // A node is a line in `map`, a line in `upstream chat`, an upstream of its own: so says the head of the file.
  const ofNode = (node) => [
    new RegExp(` +~\\^${node}-.*\n`),
    new RegExp(` +server node-${node}:3000 max_fails=1.*\n`),
    new RegExp(` +upstream chat_${node} \\{[^}]*\\}\n`),
  ];
  for (const pattern of ofNode("b")) replace(pattern, "");
  const each = (text) => (node, n) =>
    text.replaceAll("chat_a", `chat_${NAMES[n]}`).replace("~^a-", `~^${NAMES[n]}-`).replace("node-a:3000", `127.0.0.1:${node.port}`);
  for (const pattern of ofNode("a")) replace(pattern, (text) => nodes.map(each(text)).join(""));
  return configuration.replaceAll(/location (= )?\//g, `location $1${base}/`);
}

/**
 * nginx before the nodes, with the configuration that we ship; a polling session stays with its node by its NODE. `base` is the
 * nodes' BASE_PATH.
 */
export async function balance(t, nodes, base = "") {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`);
  const configuration = join(folder, "nginx.conf");
  writeFileSync(
    configuration,
    shippedConfiguration(nodes, base)
      .replace("listen 80 ", `listen 127.0.0.1:${port} `)
      .replaceAll("/var/log/nginx", folder)
      .replace("http {", `pid ${folder}/pid;\nhttp {\n${paths.join("\n")}`),
  );
  const program = existsSync("/usr/sbin/nginx") ? "/usr/sbin/nginx" : "nginx";
  const service = new Service(t, program, ["-c", configuration, "-p", folder, "-e", join(folder, "error.log"), "-g", "daemon off;"]);
  // Its workers would outlive a kill.
  service.signal = "SIGTERM";
  service.start();
  await eventually("nginx answers", () => listens(port)).catch((error) => {
    throw new Error(`${error.message}: ${service.output}`);
  });
  return { port, url: `http://127.0.0.1:${port}`, service };
}

/** Several nodes over one PostgreSQL and one Redis, or what `startRedis` starts instead. */
export async function cluster(t, count, settings = {}, startRedis = Redis.start) {
  const [postgres, redis] = await Promise.all([Postgres.start(t), startRedis(t)]);
  const common = { DATABASE_URL: postgres.database("chat"), ...redis.settings, JWT_SECRET: SECRET, ...settings };
  const nodes = [];
  for (let n = 0; n < count; n++) nodes.push(await Server.start(t, { NODE: NAMES[n], ...common }));
  return { postgres, redis, nodes, settings: common };
}
