// Several nodes over a Redis Cluster, by sharded publish/subscribe.
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, WEBSOCKET } from "../lib/client.js";
import { Redis, certificate, cluster } from "../lib/cluster.js";
import { RedisCluster } from "../lib/redis-cluster.js";
import { eventually, run, temporaryFolder } from "../lib/server.js";

const connect = (t, node, user) => Client.connect(t, node, user, WEBSOCKET);

/** Two nodes over a cluster, a user on each, and one more of Bruno's devices beside Ana. */
async function people(t, settings, startRedis = (t) => RedisCluster.start(t)) {
  const { nodes, redis } = await cluster(t, 2, settings, startRedis);
  const { ana, bruno, conversation } = await nodes[0].pair();
  const [a, near, far] = [await connect(t, nodes[0], ana), await connect(t, nodes[0], bruno), await connect(t, nodes[1], bruno)];
  for (const client of [a, near, far]) await client.ask("join_conversation", conversation);
  const sent = [];
  /** Sends from both nodes, and waits until everybody has everything, once and in order. */
  const chat = async (what) => {
    for (const client of [a, far, a]) sent.push((await client.send(conversation, what)).data);
    for (const client of [a, near, far]) assert.deepEqual(await client.received("new_message", sent.length), sent);
  };
  return { nodes, redis, ana, bruno, conversation, a, near, far, sent, chat };
}

test("sharded channels carry everything, each on the shard of its slot", async (t) => {
  const { nodes, redis, ana, bruno, conversation, a, far, chat } = await people(t);
  await chat("hello");
  await a.ask("typing", conversation);
  assert.deepEqual(await far.received("user_typing"), [{ userId: ana.id, conversation_id: conversation }]);
  await eventually("online", () => a.named("presence").some((event) => event.user_id === bruno.id && event.online));
  for (const user of [ana, bruno]) {
    const channel = `horse-trust:user:${user.id}`;
    for (const member of redis.members) {
      const subscribed = member.ask("PUBSUB", "SHARDCHANNELS", channel);
      assert.equal(subscribed, member === redis.shardOf(channel) ? channel : "");
      assert.equal(member.ask("PUBSUB", "CHANNELS"), "", "nothing goes to all shards");
    }
  }
  const gone = far.disconnected();
  await nodes[0].request("POST", "/api/auth/logout-everywhere", { token: bruno.token });
  assert.equal(await gone, "io server disconnect");
});

test("over TLS, by the names that the shards have", async (t) => {
  const files = certificate(t);
  const { redis, chat } = await people(t, { SSL_CERT_FILE: files.root }, (t) => RedisCluster.start(t, files));
  await chat("hello");
  await redis.stop();
  await redis.launch();
  await chat("back");
});

test("what is not as the settings say is refused at the start", async (t) => {
  const { nodes, redis: shards, settings } = await cluster(t, 1, {}, (t) => RedisCluster.start(t));
  // The old one answers what it does not know with all that it was sent.
  const [redis, old] = [await Redis.start(t), await Redis.start(t, undefined, ["--rename-command", "HELLO", ""])];
  old.ask("CONFIG", "SET", "requirepass", "secret");
  const start = (changed) => run(temporaryFolder(t), ["serve"], { ...settings, PORT: "0", ...changed });
  redis.ask("ACL", "SETUSER", "deaf", "on", ">secret", "~*", "&*", "+@all", "-subscribe");
  const [first] = shards.members;
  const url = `redis://127.0.0.1:${first.port}`;
  for (const [changed, message] of [
    [{ REDIS_URL: url, REDIS_CLUSTER: "false" }, /REDIS_URL: .*Redis Cluster: set REDIS_CLUSTER=true/],
    [{ REDIS_URL: redis.url }, new RegExp(`REDIS_URL: 127.0.0.1:${redis.port}: .*cluster support disabled`)],
    [{ REDIS_URL: "redis://127.0.0.1:1,redis://127.0.0.1:2" }, /REDIS_URL: 127.0.0.1:1: .*127.0.0.1:2: /],
    [{ REDIS_URL: `${url},127.0.0.1:2` }, /REDIS_URL: it is not a URL like/],
    [{ REDIS_CLUSTER: "false", REDIS_URL: `redis://deaf:secret@127.0.0.1:${redis.port}` }, /REDIS_URL: SUBSCRIBE horse-trust:…: .*no permissions/],
    [{ REDIS_CLUSTER: "false", REDIS_URL: `redis://:secret@127.0.0.1:${old.port}` }, /REDIS_URL: .*does not know HELLO/],
    [{ REDIS_URL: "" }, /REDIS_CLUSTER: needs a REDIS_URL/],
  ]) {
    const { status, stderr } = start(changed);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /secret/);
    assert.equal(status, 2, stderr);
  }
  const [, lost] = shards.members;
  await shards.stop(lost);
  await eventually("the others miss it", () => /cluster_state:fail/.test(first.ask("CLUSTER", "INFO")));
  const { status, stderr } = start({});
  assert.match(stderr, new RegExp(`REDIS_URL: .*127.0.0.1:${lost.port}: `));
  assert.equal(status, 2, stderr);
  assert.equal((await nodes[0].request("GET", "/ready")).status, 200);
});

test("a shard ends and comes back, hangs, loses a slot: nothing is lost or doubled, and void tokens are void", async (t) => {
  const { nodes, redis, ana, bruno, conversation, a, near, far, sent, chat } = await people(t);
  await chat("before");
  // The shard of the receiver's channel, so that what is published meanwhile is lost.
  await redis.stop(redis.shardOf(`horse-trust:user:${bruno.id}`));
  for (let n = 0; n < 5; n++) sent.push((await a.send(conversation, `away ${n}`)).data);
  assert.deepEqual(await near.received("new_message", sent.length), sent, "who is on the same node does not wait");
  await redis.launch();
  await chat("back");

  const hanging = redis.shardOf(`horse-trust:user:${bruno.id}`).service.process;
  hanging.kill("SIGSTOP");
  sent.push((await a.send(conversation, "hanging")).data);
  await sleep(3_000);
  hanging.kill("SIGCONT");
  await chat("well again");

  await redis.isWell();
  redis.move(`horse-trust:user:${bruno.id}`);
  await chat("moved");
  await redis.isWell();
  redis.move("horse-trust:nodes");

  await redis.stop(redis.shardOf("horse-trust:all"));
  await nodes[0].request("POST", "/api/auth/logout-everywhere", { token: ana.token });
  await redis.launch();
  await eventually("void on the other node", async () => (await nodes[1].request("GET", "/api/auth/me", { token: ana.token })).status === 401);
});

test("a replica takes over: messages and presence go on, and nobody was away", async (t) => {
  const { redis, bruno, a, near, far, chat } = await people(t, { PRESENCE_GRACE: "1s" });
  const masters = [...new Set(["horse-trust:nodes", "horse-trust:all", `horse-trust:user:${bruno.id}`].map((key) => redis.shardOf(key)))];
  for (const master of masters) await redis.replica(master);
  await eventually("online", () => a.named("presence").some((event) => event.user_id === bruno.id && event.online));
  await chat("before");
  const [first] = masters;
  await redis.stop(first);
  const others = redis.members.filter((member) => member !== first);
  await redis.isWell(others);
  await chat("after");
  await redis.launch();
  await redis.promote(first);
  await chat("after another");
  // Longer than the lease of a node and the grace together.
  await sleep(8_000);
  const online = a.named("presence").filter((event) => event.user_id === bruno.id).map((event) => event.online);
  assert.deepEqual([...new Set(online)], [true], "nobody was away");
  near.socket.disconnect();
  far.socket.disconnect();
  await eventually("offline", () => a.named("presence").some((event) => event.user_id === bruno.id && !event.online));
});
