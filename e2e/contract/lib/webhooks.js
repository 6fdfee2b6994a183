// What a server answers about webhooks that it gave up.
import { once } from "node:events";
import { createServer } from "node:http";

import { Server, eventually } from "../../lib/server.js";

/** `ask` sends a request, and compares the answer with the document; `admin` is the token of an admin. */
export async function giveUpWebhooks(t, ask, admin) {
  const receiver = createServer((_, response) => response.writeHead(410).end()).listen(0, "127.0.0.1");
  t.after(() => (receiver.closeAllConnections(), receiver.close()));
  await once(receiver, "listening");
  const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32).toString("base64")}`;
  const server = await Server.start(t, { WEBHOOK_URL: `http://127.0.0.1:${receiver.address().port}/`, WEBHOOK_SECRET });
  const { ana } = await server.pair();
  const list = (status, query = "", token = admin) => ask(server, status, "GET", `/api/admin/webhooks${query}`, { token });
  const retry = (status, body, token = admin) => ask(server, status, "POST", "/api/admin/webhooks/retry", { token, body });
  await eventually("a webhook is given up", async () => (await list(200)).data.length > 0);
  await list(200, "?after=1-7&limit=1");
  await list(422, "?after=7");
  await list(403, "", ana.token);
  await retry(422, { id: "msg_7" });
  await retry(403, {}, ana.token);
  await retry(200, {});
  await eventually("it is given up again", async () => (await list(200)).data.length > 0);
  server.limitFiles(0);
  await retry(500, {});
}
