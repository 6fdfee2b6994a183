// What one sets for a conversation: pinned to the top, muted, and archived by another client.
import assert from "node:assert/strict";
import test from "node:test";

import { connect } from "../lib/client.js";
import { Server, eventually } from "../lib/server.js";
import { checkAccessibility, checkWidth, message, open, openConversation, picture, ready } from "./lib/browser.js";

const names = (page) => page.locator(".row-name").allInnerTexts();

test("a conversation is pinned and muted by keyboard, in all windows", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const carla = await server.register("Carla");
  const [b, c] = [await connect(t, server, bruno), await connect(t, server, carla)];
  await b.send(conversation, "Is the mare still for sale?");
  const { json } = await server.request("POST", "/api/chat/conversations", { token: carla.token, body: { recipient_id: ana.id } });
  await c.send(json.data._id, "Hello from Carla");

  const page = await openConversation(t, server, ana, conversation);
  const other = await open(t, server, ana, { locale: "es-ES" });
  await ready(page);
  for (const window of [page, other]) {
    await eventually("the newest is first", async () => (await names(window)).join() === "Carla,Bruno");
  }
  const actions = page.getByRole("button", { name: "Actions", exact: true });
  const choose = async (label, key) => {
    await actions.press("Enter");
    await page.getByRole("menuitem", { name: label }).waitFor();
    if (key) await page.keyboard.press(key);
    await eventually(`${label} has the focus`, () => page.evaluate((name) => document.activeElement.textContent === name, label));
    await page.keyboard.press("Enter");
  };
  await actions.press("Enter");
  await page.getByRole("menuitem", { name: "Mute" }).waitFor();
  await checkAccessibility(page, "the menu of a conversation");
  await picture(page, "conversation-menu");
  await page.keyboard.press("Escape");
  await choose("Pin to the top");
  await choose("Mute", "ArrowDown");
  for (const [window, words] of [[page, /Pinned.*Muted/s], [other, /Fijada.*Silenciada/s]]) {
    await window.getByRole("link", { name: words }).waitFor();
    assert.deepEqual(await names(window), ["Bruno", "Carla"]);
    await checkAccessibility(window, "a pinned and muted conversation");
    await checkWidth(window);
  }
  await picture(other, "pinned-and-muted");

  await b.send(conversation, "Nobody hears this");
  await c.send(json.data._id, "Somebody hears this");
  await other.getByRole("log").getByText("Carla: Somebody hears this").waitFor({ state: "attached" });
  assert.equal(await other.getByRole("log").getByText("Bruno: Nobody hears this").count(), 0, "a muted conversation is not announced");
  await other.reload();
  await other.getByRole("link", { name: /Fijada.*Silenciada/s }).waitFor();

  await choose("Unpin");
  await choose("Unmute", "ArrowDown");
  await eventually("the newest is first again", async () => (await names(other)).join() === "Carla,Bruno");
  await eventually("nothing is set", async () => (await other.getByText(/Fijada|Silenciada/).count()) === 0);
});

test("a conversation that another client archives leaves the list until its next message", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  await b.send(conversation, "Is the mare still for sale?");
  const [list, reading] = [await open(t, server, ana), await openConversation(t, server, ana, conversation)];
  await list.getByRole("link", { name: /Bruno/ }).waitFor();
  await ready(reading);
  const archive = (archived) => a.ask("update_conversation", { conversation_id: conversation, archived });
  assert.equal((await archive(true)).success, true);
  for (const page of [list, reading]) await page.getByRole("link", { name: /Bruno/ }).waitFor({ state: "detached" });
  await message(reading, "Is the mare still for sale?").waitFor();
  await archive(false);
  for (const page of [list, reading]) await page.getByRole("link", { name: /Bruno/ }).waitFor();
  await archive(true);
  await list.getByRole("link", { name: /Bruno/ }).waitFor({ state: "detached" });
  await b.send(conversation, "Hello?");
  for (const page of [list, reading]) await page.getByRole("link", { name: /Bruno.*Hello\?/s }).waitFor();
});
