// The platform: an Express application out of its data and its settings.
import { fileURLToPath } from "node:url";
import express from "express";
import { Chat } from "./chat.js";
import { Outbox } from "./outbox.js";
import { Refusal, answerError } from "./requests.js";
import { listings } from "./routes/listings.js";
import { people } from "./routes/people.js";
import { webhooks } from "./routes/webhooks.js";
import { Tokens } from "./tokens.js";

/** In place of a mail service. */
async function printMail({ to, subject, text }) {
  console.log(`E-mail to ${to}\n  Subject: ${subject}\n  ${text.replaceAll("\n", "\n  ")}`);
}

export function createPlatform(settings, data) {
  const [chat, outbox] = [new Chat(settings), new Outbox()];
  const parts = { data, chat, outbox, tokens: new Tokens(settings.jwtSecret), webhookSecret: settings.webhookSecret, sendMail: printMail };
  const app = express();
  app.disable("x-powered-by");
  // Before the parser of JSON: webhooks are verified as they came.
  app.use(webhooks(parts));
  app.use(express.json());
  app.get("/api/settings", (request, response) => {
    response.json({ chat_url: settings.chatUrl });
  });
  app.use("/api", people(parts), listings(parts));
  app.use(express.static(fileURLToPath(new URL("../public", import.meta.url))));
  app.use(() => {
    throw new Refusal(404, "Not found");
  });
  app.use(answerError);

  /** Brings over whoever was here before the chat, and at a later start what the outbox had lost. */
  const bringUsers = () => outbox.add("all users", async () => chat.putUsers(await data.User.find()));
  return { app, bringUsers };
}
