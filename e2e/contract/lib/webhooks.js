// What a server answers about webhooks that it gave up.
import { Receiver, WEBHOOK_SECRET } from "../../lib/receiver.js";
import { Server, eventually } from "../../lib/server.js";

/** `ask` sends a request, and compares the answer with the document; `admin` is the token of an admin. */
export async function giveUpWebhooks(t, ask, admin) {
  const receiver = await Receiver.start(t);
  receiver.answer = (response) => response.writeHead(410).end();
  const server = await Server.start(t, { WEBHOOK_URL: receiver.url, WEBHOOK_SECRET });
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
