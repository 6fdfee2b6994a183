// The pages of a server below a path: they find its routes, its socket and their own files by themselves.
import assert from "node:assert/strict";
import test from "node:test";

import { Server, token } from "../lib/server.js";
import { message, open, ready, status, write } from "./lib/browser.js";

test("people chat below a path", { skip: process.env.HORSE_TRUST_PAGE && "of the binary's page" }, async (t) => {
  const server = await Server.start(t, { BASE_PATH: "/chat" });
  const asked = [];
  const register = async (name) => {
    const body = { email: `${name}@example.com`, password: "correct horse", full_name: name };
    const { json } = await server.request("POST", "/chat/api/auth/register", { body });
    return { id: json.user.id, token: json.token, email: body.email, name };
  };
  const [ana, bruno] = [await register("Ana"), await register("Bruno")];
  const opened = await server.request("POST", "/chat/api/chat/conversations", { token: ana.token, body: { recipient_id: bruno.id } });
  const conversation = opened.json.data._id;

  const hers = await open(t, server, ana, { path: `chat/#/c/${conversation}` });
  hers.on("request", (request) => asked.push(request.url()));
  hers.on("websocket", (socket) => asked.push(socket.url()));
  await hers.reload();
  await ready(hers);
  await write(hers, "Is she for sale?");
  await status(hers, "Is she for sale?", "sent");

  // Bruno signs in on the page itself, from the path without its slash.
  const his = await open(t, server, undefined, { path: "chat" });
  await his.getByLabel("E-mail").fill(bruno.email);
  await his.getByLabel("Password", { exact: true }).fill("correct horse");
  await his.getByRole("button", { name: "Sign in" }).click();
  await his.getByRole("link", { name: /Ana/ }).click();
  await message(his, "Is she for sale?").waitFor();
  await write(his, "She is.");
  await message(hers, "She is.").waitFor();

  const paths = asked.map((url) => new URL(url).pathname);
  assert.deepEqual(paths.filter((path) => !path.startsWith("/chat/")), [], "all that the page asks for is below the path");
  assert.ok(paths.includes("/chat/socket.io/"), paths.join());

  const boss = { id: "boss", name: "Berta", email: "boss@example.com", token: token({ userId: "boss", role: "admin" }) };
  const moderation = await open(t, server, boss, { path: "chat/admin" });
  await moderation.getByRole("heading", { name: "Nothing is waiting" }).waitFor();
  await moderation.getByRole("link", { name: /chat/i }).click();
  await moderation.waitForURL(`${server.url}/chat/`);
});
