// The report of bench/nodes.js.

const sorted = (values) => values.toSorted((one, other) => one - other);
const median = (values) => {
  const all = sorted(values);
  return (all[(all.length - 1) >> 1] + all[all.length >> 1]) / 2;
};

/** The median with the least and the greatest value. */
function spread(values, digits = 0) {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits));
  return least === most ? median(values).toFixed(digits) : `${median(values).toFixed(digits)} (${least}–${most})`;
}

const total = (figures) => figures.nodes + figures.postgres + figures.redis;
const table = (head, rows) => [head, head.map((_, n) => (n === 0 ? "---" : "--:")), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** Markdown of what was measured: for each server by number of nodes, and for each server the third node's figures. */
export function report({ rounds, seconds, pairs, balanced, elsewhere, machine, versions }) {
  const [ours] = Object.keys(balanced);
  const counts = Object.keys(balanced[ours]);
  const balancedRows = counts.flatMap((count) =>
    Object.entries(balanced).map(([server, results]) => {
      const of = (pick) => results[count].map(pick);
      // Within a round: what else the machine did then, both had.
      const ratios = balanced[ours][count].map((figures, round) => total(figures) / total(results[count][round]));
      return [
        count, server, spread(of((figures) => figures.perSecond)),
        ...["nodes", "postgres", "redis", "nginx"].map((name) => spread(of((figures) => figures[name]))),
        spread(of(total)), server === ours ? "" : spread(ratios, 2),
      ];
    }),
  );
  const elsewhereRows = Object.entries(elsewhere).map(([server, { figures }]) => {
    const of = (pick) => figures.map(pick);
    return [
      server, spread(of((each) => each.perSecond)), spread(of((each) => each.busy), 1), spread(of((each) => each.third), 2),
      spread(of((each) => each.loadedMs), 1), spread(of((each) => each.idleMs), 1),
    ];
  });
  return `# Performance of several nodes

<!-- Written by \`make bench-nodes\`; edit bench/nodes.js and bench/lib/report.js instead. -->

Medians of interleaved rounds (${rounds}, of ${seconds} s each) with the least and the greatest value in brackets; ratios are taken within a
round. ${pairs} pairs in a closed loop: a message goes out when the last one was acknowledged and has reached the other.
The load generator checks that each is acknowledged and delivered to both, once and in order; otherwise the run is an
error. Nodes, PostgreSQL, Redis, nginx and the generator share one machine, so messages a second say little;
look at CPU a message. PostgreSQL has its default settings, durable for all (\`fsync\` and \`synchronous_commit\`
on): what is acknowledged is on the disk.

## Behind nginx

CPU a message in µs, of all nodes together, PostgreSQL, Redis and nginx; the sum is without nginx.

${table(["nodes", "server", "messages a second", "nodes, µs", "PostgreSQL, µs", "Redis, µs", "nginx, µs", "sum, µs", "ours / this"], balancedRows)}

The peer is [bench/peers/node](../bench/peers/node): a transaction and a round trip a message, on the official server
with \`@socket.io/redis-adapter\`. Its documentation recommends the sharded adapter for new deployments; most have the
plain one.

## A node without users of the conversations

Three nodes; all people are on two of them, each pair with one person on either. The third node receives what it subscribed
to; ours receives the others' heartbeats.

${table(["server", "messages a second", "a busy node, µs a message", "the third, µs a message", "the third under load, ms of CPU a second", "idle, ms of CPU a second"], elsewhereRows)}

## The machine

${machine}.
Versions: ${versions.join(", ")}.
`;
}
