// Loaded before the tests by matrix.js: `Server.start` then gives a server that is several nodes over PostgreSQL.
import { Postgres } from "./cluster.js";
import { SECRET, Server, freePort, temporaryFolder } from "./server.js";

/** One server of a test that is several nodes: each request, and each new connection, goes to the next. */
class Several extends Server {
  #next = 0;

  /** Nodes on a new database of the PostgreSQL that runs on `port`; more than one notify each other through `redis`. */
  static async start(t, settings, { port, redis, count }) {
    const postgres = Object.assign(new Postgres(), { port });
    const name = `t${Math.random().toString(36).slice(2)}`;
    const common = { DATABASE_URL: postgres.database(name), JWT_SECRET: SECRET, MESSAGE_RATE: "0", LOG: "warn", ...settings };
    if (count > 1) common.REDIS_URL = redis;
    const folder = temporaryFolder(t);
    const nodes = [];
    for (let n = 0; n < count; n++) nodes.push(new Server(folder, await freePort(), common));
    const several = new Several(folder, nodes[0].port, common);
    several.nodes = nodes;
    t.after(async () => {
      await several.kill();
      postgres.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    });
    await several.launch();
    return several;
  }

  get url() {
    return this.nodes ? this.nodes[this.#next++ % this.nodes.length].url : undefined;
  }

  set url(_) {}

  async launch() {
    const times = [];
    for (const node of this.nodes) times.push(await node.launch());
    return Math.max(...times);
  }

  async restart(settings) {
    for (const node of this.nodes) await node.restart(settings);
  }

  async kill() {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }

  async stop() {
    const stopped = await Promise.all(this.nodes.map((node) => node.stop()));
    return stopped[0];
  }
}

const { TEST_POSTGRES: port, TEST_REDIS: redis, TEST_NODES: count } = process.env;
const startOne = Server.start.bind(Server);

// Tests that name their database start their own nodes.
Server.start = (t, settings = {}, options = {}) =>
  settings.DATABASE_URL ? startOne(t, settings, options) : Several.start(t, settings, { port, redis, count: Number(count) });
