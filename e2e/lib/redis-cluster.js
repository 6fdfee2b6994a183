// A Redis Cluster of a test's own.
import { spawnSync } from "node:child_process";

import { Redis, Service } from "./cluster.js";
import { eventually, freePort, temporaryFolder } from "./server.js";

const SLOTS = 16_384;
/** How long a shard may say nothing before its replica takes over, in milliseconds. */
const NODE_TIMEOUT = 1_500;

/** One of its servers: a shard's master or replica. */
class Member extends Redis {
  static async start(t, tls) {
    const member = new Member();
    member.tls = tls;
    [member.port, member.busPort] = [await freePort(), await freePort()];
    const folder = temporaryFolder(t);
    const options = { port: member.port, "cluster-port": member.busPort, bind: "127.0.0.1", dir: folder, save: "", appendonly: "no", "cluster-enabled": "yes", "cluster-node-timeout": NODE_TIMEOUT, "repl-diskless-sync-delay": 0 };
    if (tls) {
      Object.assign(options, { port: 0, "tls-port": member.port, "tls-cluster": "yes", "tls-auth-clients": "no" });
      Object.assign(options, { "tls-cert-file": tls.certificate, "tls-key-file": tls.key, "tls-ca-cert-file": tls.root });
      // The certificate is for a name.
      Object.assign(options, { "cluster-announce-hostname": "localhost", "cluster-preferred-endpoint-type": "hostname" });
    }
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    member.service = new Service(t, "redis-server", args, { cwd: folder });
    await member.launch();
    return member;
  }

  /** Answers what `redis-cli` prints; throws what it says of an error. */
  ask(...args) {
    const tls = this.tls ? ["--tls", "--cacert", this.tls.root, "-h", "localhost"] : [];
    const { stdout, stderr, status } = spawnSync("redis-cli", ["-e", "-p", `${this.port}`, ...tls, ...args.map(String)], { encoding: "utf8" });
    if (status !== 0) throw new Error(`${args.join(" ")}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  get id() {
    return this.ask("CLUSTER", "MYID");
  }

  get isWell() {
    try {
      return /cluster_state:ok[^]*cluster_slots_ok:16384/.test(this.ask("CLUSTER", "INFO"));
    } catch {
      return false;
    }
  }
}

export class RedisCluster {
  /** Speaks TLS alone, if it is given files as `certificate` makes them. */
  static async start(t, tls, count = 3) {
    const cluster = new RedisCluster();
    Object.assign(cluster, { t, tls });
    cluster.members = [];
    for (let n = 0; n < count; n++) {
      const member = await Member.start(t, tls);
      member.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1);
      member.ask("CLUSTER", "ADDSLOTSRANGE", Math.floor((n * SLOTS) / count), Math.floor(((n + 1) * SLOTS) / count) - 1);
      cluster.#introduce(member);
    }
    await cluster.isWell();
    return cluster;
  }

  #introduce(member) {
    const [first] = this.members;
    if (first) member.ask("CLUSTER", "MEET", "127.0.0.1", first.port, first.busPort);
    this.members.push(member);
  }

  get settings() {
    const place = this.tls ? "rediss://localhost" : "redis://127.0.0.1";
    return { REDIS_CLUSTER: "true", REDIS_URL: this.members.map(({ port }) => `${place}:${port}`).join(",") };
  }

  /** Waits until all of `members` see all slots served. */
  async isWell(members = this.members) {
    await eventually("the cluster is well", () => members.every((member) => member.isWell));
  }

  /** A shard stops, as a Redis does; see also `launch`. */
  async stop(member = this.members[Math.floor(Math.random() * this.members.length)]) {
    this.stopped = member;
    await member.stop();
  }

  async launch() {
    await this.stopped.launch();
    await this.isWell();
  }

  /** The member that has a key or a channel. */
  shardOf(key) {
    const [first] = this.members;
    const slot = Number(first.ask("CLUSTER", "KEYSLOT", key));
    const ranges = first.ask("--json", "CLUSTER", "SLOTS");
    const [, , [, port]] = JSON.parse(ranges).find(([from, to]) => from <= slot && slot <= to);
    return this.members.find((member) => member.port === port);
  }

  /** A replica of a member, which has all that it has. */
  async replica(master) {
    const replica = await Member.start(this.t, this.tls);
    this.#introduce(replica);
    const { id } = master;
    await eventually("the replica knows its master", () => replica.ask("CLUSTER", "NODES").includes(id));
    replica.ask("CLUSTER", "REPLICATE", id);
    await eventually("the replica has all", () => replica.ask("INFO", "replication").includes("master_link_status:up"));
    await eventually("all know it", () => this.members.every((member) => member.ask("CLUSTER", "NODES").includes(`slave ${id}`)));
    return replica;
  }

  /** Has a replica take its master's place, in order. */
  async promote(replica) {
    await eventually("the replica has all", () => replica.ask("INFO", "replication").includes("master_link_status:up"));
    const isMaster = () => replica.ask("INFO", "replication").includes("role:master");
    // The others do not vote so soon after a vote, and the replica gives up after 5 s.
    for (let attempts = 0; attempts < 3 && !isMaster(); attempts++) {
      replica.ask("CLUSTER", "FAILOVER");
      await eventually("it is the master", isMaster, 6_000).catch(() => {});
    }
    if (!isMaster()) throw new Error("the replica did not become master");
  }

  /** Moves the slot of a key to another member; answers that. */
  move(key) {
    const from = this.shardOf(key);
    const to = this.members.find((member) => member !== from);
    const slot = from.ask("CLUSTER", "KEYSLOT", key);
    to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
    from.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
    for (const name of from.ask("CLUSTER", "GETKEYSINSLOT", slot, 1_000).split("\n").filter(Boolean)) {
      from.ask("MIGRATE", "127.0.0.1", to.port, name, 0, 5_000);
    }
    for (const member of [to, from, ...this.members]) member.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id);
    return to;
  }
}
