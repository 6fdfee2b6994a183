// examples/express: the small platform, as its README says.
import assert from "node:assert/strict";
import test from "node:test";

import { Client, WEBSOCKET } from "../lib/client.js";
import { Platform } from "../lib/platform.js";
import { SECRET, Server, eventually } from "../lib/server.js";

/** The user's client at the platform's chat. */
const connect = (t, platform, user) => Client.connect(t, platform.chat, user, WEBSOCKET);

test("examples/express: sign up, write, rename, sell, an unseen message, suspend", async (t) => {
  const platform = await Platform.start(t, { UNSEEN_AFTER: "1s" });
  const [seller, buyer] = [await platform.signUp("Ana"), await platform.signUp("Eva")];
  await platform.ask("POST", "/signup", { body: { email: seller.email, full_name: "Ana", password: "x" }, status: 409 });

  // Write: the buyer's page opens the conversation with the seller by itself.
  const listing = await platform.ask("POST", "/listings", { token: seller.token, body: { title: "Nube, Arab mare", price: "USD 9,000" } });
  const conversation = await platform.openConversation(buyer, { recipient_id: listing.seller_id, horse_id: listing._id });
  const [ana, eva] = await Promise.all([connect(t, platform, seller), connect(t, platform, buyer)]);
  const { data: first } = await eva.send(conversation, "Is she good with children?");
  assert.equal(first.sender_id.full_name, "Eva");
  const [notification] = await ana.received("message_notification");
  assert.deepEqual([notification.conversation_id, notification.preview], [conversation, first.text]);

  // Rename: the other's socket learns of it.
  await platform.ask("PATCH", "/me", { token: seller.token, body: { full_name: "Ana María" } });
  await eventually("the new name", () => eva.named("user_updated").some(({ full_name }) => full_name === "Ana María"));

  // Sell.
  await platform.ask("PATCH", `/listings/${listing._id}`, { token: buyer.token, body: { status: "sold" }, status: 403 });
  await platform.ask("PATCH", `/listings/${listing._id}`, { token: seller.token, body: { status: "sold" } });

  // An unseen message: an e-mail to whom no device is connected.
  ana.socket.disconnect();
  await eva.send(conversation, "What a pity!");
  await platform.prints(/E-mail to ana@example\.com\n +Subject: Eva wrote to you about "Nube, Arab mare"/);
  assert.doesNotMatch(platform.printed, /E-mail to eva/, "she was here");

  // Suspend: at once, and also for what she asks later.
  const admin = await platform.signIn("admin@example.com");
  const suspension = `/users/${buyer.id}/suspension`;
  await platform.ask("PUT", suspension, { token: seller.token, body: { reason: "Fraud" }, status: 403 });
  await platform.ask("PUT", suspension, { token: admin, body: { reason: "Fraud" } });
  const [suspended] = await eva.received("account_suspended");
  assert.equal(suspended.reason, "Fraud");
  const refused = await new Client(t, platform.chat, { token: buyer.token }, WEBSOCKET).refused();
  assert.equal(refused.message, "Authentication error: account suspended");
  await platform.ask("GET", "/me", { token: buyer.token, status: 403 });
  await platform.ask("DELETE", suspension, { token: admin });
  await connect(t, platform, buyer);

  // A webhook that someone else signed is not believed.
  const forged = await fetch(`${platform.url}/webhooks/chat`, {
    method: "POST",
    headers: { "content-type": "application/json", "webhook-id": "msg_1", "webhook-timestamp": `${Math.floor(Date.now() / 1000)}`, "webhook-signature": "v1,aGVsbG8=" },
    body: JSON.stringify({ type: "message.unseen", data: {} }),
  });
  assert.equal(forged.status, 401);
});

test("examples/express beside a server that runs already", async (t) => {
  const API_KEY = "a-key-of-the-platform-in-the-tests";
  const server = await Server.start(t, { API_KEYS: API_KEY });
  const platform = await Platform.start(t, { API_URL: server.url, API_KEY, JWT_SECRET: SECRET, WEBHOOK_SECRET: `whsec_${Buffer.alloc(32).toString("base64")}` });
  const [lucia] = (await server.request("GET", "/api/admin/users?email=lucia@example.com", { token: API_KEY })).json.data;
  assert.equal(lucia.full_name, "Lucía Fernández", "who was here before the chat");
  await connect(t, platform, await platform.signUp("Ana"));
});
