// The moderation page's users: found by name, e-mail and id, suspended and let in again.
import assert from "node:assert/strict";
import test from "node:test";

import { Server, eventually, token } from "../lib/server.js";
import { checkAccessibility, checkWidth, open, openConversation, picture, register } from "./lib/browser.js";

/** An admin, by a token of the platform's. */
const BOSS = { id: "boss", name: "Berta Ruiz", email: "boss@example.com", token: token({ userId: "boss", role: "admin" }) };

const users = (t, server, options = {}) => open(t, server, BOSS, { path: "admin#/users", ...options });
const dialog = (page) => page.getByRole("dialog");
const rows = (page) => page.getByRole("list", { name: /^(Users|Usuarios)$/ }).getByRole("listitem");

test("a user is found, suspended and let in again", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const hers = await openConversation(t, server, ana, conversation);

  const page = await users(t, server);
  await page.getByRole("heading", { name: "Users" }).waitFor();
  await rows(page).nth(1).waitFor();
  await checkAccessibility(page, "the users");
  await checkWidth(page);
  await picture(page, "moderation-users");

  const field = page.getByRole("searchbox", { name: "Name, e-mail or id" });
  const find = async (text, name) => {
    await field.fill(text);
    await field.press("Enter");
    await eventually(`${name} alone is found by ${text}`, async () => {
      const found = await rows(page).allInnerTexts();
      return found.length === 1 && found[0].includes(name);
    });
  };
  await find("bru", "Bruno");
  await find(ana.email, "Ana");
  await find(bruno.id, "Bruno");
  await field.fill("nobody has this name");
  await page.getByRole("button", { name: "Find" }).click();
  await page.getByText("Nobody fits “nobody has this name”.").waitFor();
  await checkAccessibility(page, "nobody");
  await find("Ana", "Ana");

  await rows(page).getByRole("link", { name: "Ana" }).click();
  await page.getByRole("heading", { name: "Ana" }).waitFor();
  await page.getByText(ana.email).waitFor();
  await checkAccessibility(page, "a user");
  await checkWidth(page);

  await page.getByRole("button", { name: "Suspend" }).click();
  await dialog(page).getByLabel(/^Reason/).fill("Asks for money in advance");
  await dialog(page).getByLabel("For how long").selectOption({ label: "Until a date" });
  await checkAccessibility(page, "a suspension");
  await dialog(page).getByRole("button", { name: "Suspend" }).click();
  await dialog(page).getByRole("alert").getByText("Choose a day in the future.").waitFor();
  await dialog(page).getByLabel("Until the end of this day").fill("2099-12-31");
  await dialog(page).getByRole("button", { name: "Suspend" }).click();
  await page.getByRole("status").getByText("User suspended").waitFor();
  await page.getByText(/^Suspended until .*2099/).waitFor();
  await page.getByText("Asks for money in advance").waitFor();
  await picture(page, "moderation-suspended");
  const refused = async () => (await server.request("GET", "/api/chat/conversations", { token: ana.token })).status === 403;
  assert.ok(await refused());
  await hers.getByText("Your session has ended.", { exact: false }).waitFor();

  await page.getByRole("button", { name: "End the suspension" }).click();
  await checkAccessibility(page, "the end of a suspension");
  await dialog(page).getByRole("button", { name: "End the suspension" }).click();
  await page.getByRole("status").getByText("Suspension ended").waitFor();
  await page.getByText("Active", { exact: true }).waitFor();
  assert.ok(!(await refused()));

  await page.getByRole("link", { name: "Audit" }).click();
  await page.locator("tbody tr").getByRole("link", { name: ana.id }).first().click();
  await page.getByRole("heading", { name: "Ana" }).waitFor();
  await page.getByRole("link", { name: "All users" }).click();
  await rows(page).getByRole("link", { name: "Ana" }).waitFor();
});

test("the sender of a reported message is suspended from the report", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const path = `/api/chat/conversations/${conversation}/messages`;
  const { json } = await server.request("POST", path, { token: ana.token, body: { text: "Pay in advance" } });
  await server.request("POST", "/api/chat/reports", { token: bruno.token, body: { message_id: json.data._id, reason: "money" } });
  const page = await open(t, server, BOSS, { path: "admin" });
  await page.getByRole("button", { name: "Suspend sender" }).click();
  await dialog(page).getByLabel("For how long").selectOption({ label: "Without an end" });
  await dialog(page).getByRole("button", { name: "Suspend" }).click();
  await page.getByRole("status").getByText("User suspended").waitFor();
  const answer = await server.request("GET", `/api/admin/users/${ana.id}`, { token: BOSS.token });
  assert.deepEqual(answer.json.data.suspension, { until: null, reason: null });
  await page.getByRole("article").getByRole("link", { name: "Ana" }).first().click();
  await page.getByText("Suspended without an end").waitFor();
});

test("on a phone, in the dark, in Spanish, and by keyboard", async (t) => {
  const server = await Server.start(t);
  await register(server, `Ana ${"Maximiliana".repeat(8)}`);
  for (let n = 0; n < 22; n++) await register(server, `Inés ${n}`);
  const page = await users(t, server, { viewport: { width: 360, height: 740 }, locale: "es-AR", colorScheme: "dark" });
  await rows(page).nth(19).waitFor();
  await checkAccessibility(page, "users on a phone");
  await checkWidth(page);
  await page.getByRole("button", { name: /^Mostrar más|^Más/ }).click();
  await rows(page).nth(22).waitFor();
  await page.getByRole("searchbox").focus();
  await page.keyboard.type("maximiliana");
  await page.keyboard.press("Enter");
  await eventually("one is found", async () => (await rows(page).count()) === 1);
  const tabTo = async (name) => {
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    for (let count = 0; count < 20; count++) {
      await page.keyboard.press("Tab");
      if (name.test(await focused())) return;
    }
    assert.fail(`no ${name}; the focus was on ${await focused()}`);
  };
  await tabTo(/^Ana/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: /^Ana/ }).waitFor();
  await checkWidth(page);
  await checkAccessibility(page, "a user on a phone");
  await picture(page, "moderation-user-phone");
  await tabTo(/^Suspender$/);
  await page.keyboard.press("Enter");
  await eventually("the reason has the focus", () => page.evaluate(() => document.activeElement.id === "reason"));
  await tabTo(/^Suspender$/);
  await page.keyboard.press("Enter");
  await page.getByText(/^Suspendida hasta el/).waitFor();
});
