// The moderation page: who is let in, the reports with what was said around each, what is done about one, and the audit.
import assert from "node:assert/strict";
import test from "node:test";

import { Server, eventually, token } from "../lib/server.js";
import { checkAccessibility, checkWidth, message, open, openConversation, picture } from "./lib/browser.js";

/** An admin, by a token of the platform's. */
const BOSS = { id: "boss", name: "Berta Ruiz", email: "boss@example.com", token: token({ userId: "boss", role: "admin" }) };

const moderation = (t, server, user = BOSS, options = {}) => open(t, server, user, { path: "admin", ...options });
const report = (page, reason) => page.getByRole("article").filter({ hasText: reason });
const dialog = (page) => page.getByRole("dialog");

/** A conversation of Ana and Bruno with thirteen messages. */
async function conversation(server) {
  const { ana, bruno, conversation } = await server.pair();
  const post = async (user, text) => {
    const path = `/api/chat/conversations/${conversation}/messages`;
    return (await server.request("POST", path, { token: user.token, body: { text } })).json.data;
  };
  for (let n = 1; n <= 12; n++) await post(n % 2 ? ana : bruno, `message ${n}`);
  return { ana, bruno, conversation, rude: await post(ana, "Pay in advance, or else"), post };
}

const complain = (server, user, { _id }, reason) =>
  server.request("POST", "/api/chat/reports", { token: user.token, body: { message_id: _id, reason } });

test("from a report in the chat to a decision on it", async (t) => {
  const server = await Server.start(t);
  const talk = await conversation(server);
  const his = await openConversation(t, server, talk.bruno, talk.conversation);
  await message(his, "or else").hover();
  await message(his, "or else").getByRole("button", { name: "Message actions" }).click();
  await his.getByRole("menuitem", { name: "Report" }).click();
  await his.getByLabel("Reason").fill("Asks for money in advance");
  await his.getByRole("button", { name: "Send report" }).click();
  await dialog(his).waitFor({ state: "detached" });

  const page = await moderation(t, server);
  const card = report(page, "Asks for money in advance");
  await card.waitFor();
  await page.getByRole("heading", { name: "Reports" }).waitFor();
  const lines = await card.getByRole("listitem").allInnerTexts();
  assert.equal(lines.length, 11, "the ten before it, and the message");
  assert.match(lines[0], /message 3$/);
  assert.match(lines.at(-1), /Reported message[^]*Ana[^]*Pay in advance, or else$/);
  await checkAccessibility(page, "the reports that wait");
  await checkWidth(page);
  await picture(page, "moderation-reports");

  await card.getByText("Pay in advance").waitFor();
  assert.ok(
    await card.locator(".said").evaluate((list) => {
      const [outer, inner] = [list, list.querySelector(".said-reported")].map((element) => element.getBoundingClientRect());
      return inner.top >= outer.top && inner.bottom <= outer.bottom;
    }),
    "the reported message is in view",
  );
  await card.getByRole("button", { name: "Delete message" }).click();
  await checkAccessibility(page, "a deletion");
  await dialog(page).getByRole("button", { name: "Delete message" }).click();
  await card.getByText(/^deleted /).waitFor();
  await message(his, "Message deleted").waitFor();
  await card.getByText("Pay in advance, or else").waitFor();

  await card.getByRole("button", { name: "Resolve" }).click();
  await dialog(page).getByLabel("Note (optional)").fill("Warned her.");
  await checkAccessibility(page, "a decision");
  await dialog(page).getByRole("button", { name: "Resolve" }).click();
  await page.getByRole("status").getByText("Report resolved").waitFor();
  await page.getByRole("heading", { name: "Nothing is waiting" }).waitFor();
  await page.getByRole("link", { name: "Resolved" }).click();
  await card.getByText("Warned her.").waitFor();
  await card.getByText(/^Resolved by boss, /).waitFor();
  await card.getByRole("button", { name: "Open again" }).click();
  await dialog(page).getByRole("button", { name: "Open again" }).click();
  await page.getByRole("heading", { name: "Nothing here" }).waitFor();
  await page.getByRole("link", { name: "Open", exact: true }).click();
  await card.getByRole("button", { name: "Dismiss" }).click();
  await dialog(page).getByRole("button", { name: "Dismiss" }).click();
  await page.getByRole("heading", { name: "Nothing is waiting" }).waitFor();

  await page.getByRole("link", { name: "Audit" }).click();
  const rows = page.locator("tbody tr");
  await rows.nth(2).waitFor();
  await rows.nth(3).waitFor();
  const done = (await rows.allInnerTexts()).map((row) => /"state":"(\w+)"/.exec(row)?.[1] ?? /message\.\w+/.exec(row)?.[0]);
  assert.deepEqual(done, ["dismissed", "open", "resolved", "message.delete"]);
  await checkAccessibility(page, "the audit");
  await picture(page, "moderation-audit");
});

test("nobody but an admin is let in", async (t) => {
  const server = await Server.start(t);
  const ana = await server.register("Ana");
  const page = await moderation(t, server, ana);
  await page.getByRole("heading", { name: "This page is for moderators" }).waitFor();
  await page.getByText("You are signed in as Ana").waitFor();
  await checkAccessibility(page, "a refusal");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await page.getByLabel("E-mail").fill(ana.email);
  await page.getByRole("textbox", { name: "Password" }).fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "This page is for moderators" }).waitFor();

  const stale = await moderation(t, server, { ...BOSS, token: "garbage" });
  await stale.getByText(/Your session has ended/).waitFor();
});

test("on a phone, in the dark, in Spanish, and by keyboard", async (t) => {
  const server = await Server.start(t);
  const talk = await conversation(server);
  await complain(server, talk.bruno, talk.rude, "x".repeat(1000));
  const options = { viewport: { width: 360, height: 740 }, locale: "es-AR", colorScheme: "dark" };
  const page = await moderation(t, server, BOSS, options);
  await page.getByRole("heading", { name: "Denuncias" }).waitFor();
  await report(page, "xxxx").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "es");
  await checkWidth(page);
  await checkAccessibility(page, "a phone in the dark");
  await picture(page, "moderation-phone");

  const focused = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
  const tabTo = async (name) => {
    for (let count = 0; count < 40; count++) {
      await page.keyboard.press("Tab");
      if (name.test(await focused())) return;
    }
    assert.fail(`no ${name}; the focus was on ${await focused()}`);
  };
  await tabTo(/^Ir al contenido$/);
  await page.keyboard.press("Enter");
  await tabTo(/^Lo que se dijo$/);
  await tabTo(/^Resolver$/);
  await page.keyboard.press("Enter");
  await dialog(page).waitFor();
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  await eventually("the focus returns", async () => /^Resolver$/.test(await focused()));
  await page.keyboard.press("Enter");
  await eventually("the note has the focus", () => page.evaluate(() => document.activeElement.id === "note"));
  await tabTo(/^Resolver$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "No hay nada pendiente" }).waitFor();
  await page.goto(`${server.url}/admin#/audit`);
  await page.locator("tbody tr").waitFor();
  await checkWidth(page);
  await checkAccessibility(page, "the audit on a phone");
});

test("many reports come in parts, and a server that is away is said", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: "0" });
  const talk = await conversation(server);
  for (let n = 1; n <= 25; n++) await complain(server, talk.bruno, await talk.post(talk.ana, `rude ${n}`), `reason ${n}.`);
  const page = await moderation(t, server);
  await report(page, "reason 25.").waitFor();
  assert.equal(await page.getByRole("article").count(), 20);
  await page.getByRole("button", { name: "Show more" }).click();
  await report(page, "reason 1.").waitFor();
  assert.equal(await page.getByRole("article").count(), 25);
  assert.equal(await page.getByRole("button", { name: "Show more" }).count(), 0);
  await page.context().setOffline(true);
  await page.getByRole("button", { name: "Load anew" }).click();
  await page.getByText(/The server can’t be reached/).waitFor();
  await checkAccessibility(page, "a server that is away");
  await page.context().setOffline(false);
  await page.getByRole("button", { name: "Try again" }).click();
  await report(page, "reason 25.").waitFor();
});
