// A run of many devices in bad weather, from a seed.
import { setTimeout as sleep } from "node:timers/promises";

import { Device, cutAtRandom, judge, randomOf, settled } from "./checker.js";

/**
 * Has `clients` users write `messages` messages to one another while their connections are cut and `storm` does worse
 * to the servers; answers what was wrong, what happened, and how many messages each conversation has, by its id.
 * `storm(random, signal)` runs until its signal is aborted.
 * `report` gets what was seen, if something was wrong. `fails`: the storm has the store fail.
 */
export async function weather({ server, urls, seed, messages, clients, storm, report, cutEvery = 1_000, pace = 0, fails = false }) {
  const random = randomOf(seed);
  const users = [];
  // A few at a time: each has a password to hash.
  for (let n = 0; n < clients; n += 4) {
    users.push(...(await Promise.all([0, 1, 2, 3].filter((m) => n + m < clients).map((m) => server.register(`User${n + m}`)))));
  }
  // A ring in which each writes to the next two: everybody is in four conversations.
  const conversations = [];
  for (const step of [1, 2]) {
    for (let n = 0; n < clients; n++) {
      const [one, other] = [users[n], users[(n + step) % clients]];
      const { json } = await server.request("POST", "/api/chat/conversations", { token: one.token, body: { recipient_id: other.id } });
      conversations.push({ id: json.data._id, members: [one, other], written: new Map([[one.id, []], [other.id, []]]) });
    }
  }
  const devices = new Map(users.map((user, n) => [user.id, new Device(user, urls, randomOf(seed + n + 1), { polling: n % 5 === 4 })]));
  const began = performance.now();
  let given = 0;
  const give = (count) => {
    for (; count > 0 && given < messages; count--, given++) {
      const conversation = conversations[Math.floor(random() * conversations.length)];
      const writer = conversation.members[random() < 0.5 ? 0 : 1];
      const text = `${given}`;
      conversation.written.get(writer.id).push(text);
      devices.get(writer.id).write(conversation.id, [text]);
    }
  };
  const calm = new AbortController();
  const storms = Promise.all([cutAtRandom([...devices.values()], random, cutEvery, calm.signal), storm(random, calm.signal)]);
  if (pace) {
    for (; given < messages; await sleep(100)) give(Math.ceil(pace / 10));
  } else {
    give(messages);
  }
  const expected = ({ user }) =>
    conversations.filter(({ members }) => members.includes(user)).reduce((sum, { written }) => sum + [...written.values()].flat().length, 0);
  // The weather is bad until all is written, and then good.
  await Promise.race([storms, settled([...devices.values()], () => 0, 600_000)]);
  calm.abort();
  await storms;
  await settled([...devices.values()], expected, 60_000);
  const seconds = (performance.now() - began) / 1000;
  const flaws = { lost: 0, doubled: 0, outOfOrder: 0, changed: 0 };
  for (const { id, members, written } of conversations) {
    const history = await server.history(members[0].token, id);
    const found = judge(id, history, members.map((user) => devices.get(user.id)), written, report, fails);
    for (const flaw of Object.keys(flaws)) flaws[flaw] += found[flaw];
  }
  const latencies = [...devices.values()].flatMap((device) => device.latencies).sort((one, other) => one - other);
  const latency = (share) => Number(latencies[Math.floor(latencies.length * share)]?.toFixed(1));
  const sum = (of) => [...devices.values()].reduce((total, device) => total + of(device), 0);
  const happened = {
    messages: given,
    received: sum((device) => device.received.length),
    connections: sum((device) => device.connections),
    resyncs: sum((device) => device.resyncs),
    refused: sum((device) => device.refused.length),
    p50: latency(0.5),
    p99: latency(0.99),
    seconds: Math.round(seconds),
  };
  for (const device of devices.values()) device.close();
  const counts = new Map(conversations.map(({ id, written }) => [id, [...written.values()].flat().length]));
  return { flaws, happened, conversations: counts };
}

/** A storm that kills `server` again and again. Answers how often, through `count`. */
export function kills(server, every, count) {
  return async (random, signal) => {
    while (!signal.aborted) {
      await sleep(every * (0.5 + random()), undefined, { signal }).catch(() => {});
      if (signal.aborted) break;
      await server.kill();
      await server.launch();
      count.kills = (count.kills ?? 0) + 1;
    }
  };
}
