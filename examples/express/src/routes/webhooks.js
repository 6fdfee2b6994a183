// Hears from the chat server that a message waits for someone who is away, and sends them an e-mail.
import express, { Router } from "express";
import { Webhook } from "standardwebhooks";

/** How many ids of webhooks are remembered. */
const REMEMBERED = 10_000;

export function webhooks({ data, webhookSecret, sendMail }) {
  const webhook = new Webhook(webhookSecret);
  const handled = new Set();
  const router = Router();

  // The signature is over the bytes of the body, so it must not have been parsed.
  router.post("/webhooks/chat", express.raw({ type: "application/json" }), async (request, response) => {
    let event;
    try {
      event = webhook.verify(request.body, request.headers);
    } catch {
      return response.status(401).json({ message: "The signature does not verify" });
    }
    // Each event arrives at least once. After an answer other than 2xx the chat server sends it again.
    const id = request.get("webhook-id");
    if (!handled.has(id)) {
      if (event.type === "message.unseen") await mailUnseen(event.data);
      handled.add(id);
      if (handled.size > REMEMBERED) handled.delete(handled.values().next().value);
    }
    response.status(204).end();
  });

  async function mailUnseen({ message, conversation, recipient }) {
    const user = await data.User.findById(recipient._id);
    if (!user) return;
    const listing = conversation.horse_id && (await data.Listing.findById(conversation.horse_id));
    const about = listing ? ` about "${listing.title}"` : "";
    await sendMail({
      to: user.email,
      subject: `${message.sender_id.full_name ?? "Someone"} wrote to you${about}`,
      text: `${message.text}\n\nUnread messages in this conversation: ${recipient.unread_count}`,
    });
  }

  return router;
}
