// The way in: register, sign in, the token's life in the browser, and the demo.
import assert from "node:assert/strict";
import test from "node:test";

import { Server, eventually } from "../lib/server.js";
import { checkAccessibility, checkWidth, message, open, openConversation, picture, ready, status, write } from "./lib/browser.js";

const token = (page) => page.evaluate(() => localStorage.getItem("horse-trust.session"));

test("somebody registers, signs out, and signs in", async (t) => {
  const server = await Server.start(t);
  const page = await open(t, server);

  await t.test("what was left empty is asked for at its field, without asking the server", async () => {
    const asked = [];
    // The browser may fetch the page's icon at any time.
    page.on("request", (request) => request.url().includes("/api/") && asked.push(request.url()));
    const button = () => page.locator("form").getByRole("button", { name: /^(Sign in|Create account)$/ });
    await button().click();
    await page.getByText("Your e-mail address is needed.").waitFor();
    await page.getByText("Your password is needed.").waitFor();
    assert.equal(await page.getByLabel("E-mail").evaluate((input) => input === document.activeElement), true);
    assert.equal(await page.getByLabel("E-mail").getAttribute("aria-invalid"), "true");
    await page.getByLabel("E-mail").fill("ines@example.com");
    await button().click();
    await page.getByText("Your e-mail address is needed.").waitFor({ state: "detached" });
    assert.equal(await page.getByRole("textbox", { name: "Password" }).evaluate((input) => input === document.activeElement), true);
    await checkAccessibility(page, "a sign-in without a password");
    await picture(page, "sign-in-empty");
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByLabel("Full name").fill("   ");
    await button().click();
    for (const words of ["Your name is needed.", "Your e-mail address is needed.", "Your password is needed."]) {
      await page.getByText(words).waitFor();
    }
    assert.deepEqual(asked, []);
    await page.getByRole("button", { name: "Sign in" }).click();
  });

  await t.test("what is wrong is said at its field, and keeps what was typed", async () => {
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByLabel("Full name").fill("Inés Robledo");
    await page.getByLabel("E-mail").fill("ines");
    await page.getByRole("textbox", { name: "Password" }).fill("short");
    await page.getByRole("textbox", { name: "Password" }).press("Enter");
    await page.getByText("This is no complete e-mail address.").waitFor();
    await page.getByText("At least 8 characters, please.").waitFor();
    assert.equal(await page.getByLabel("E-mail").evaluate((input) => input === document.activeElement), true);
    assert.equal(await page.getByLabel("Full name").inputValue(), "Inés Robledo");
    await checkAccessibility(page, "registration with errors");
    await picture(page, "register-errors");
  });

  await t.test("registering leads to an empty list", async () => {
    await page.getByLabel("E-mail").fill("ines@example.com");
    await page.getByRole("textbox", { name: "Password" }).fill("correct horse");
    await page.locator("form").getByRole("button", { name: "Create account" }).click();
    await page.getByRole("heading", { name: "No conversations yet" }).waitFor();
    await checkAccessibility(page, "an empty list");
    await picture(page, "list-empty");
  });

  await t.test("the token survives a reload and goes with the sign-out", async () => {
    await page.reload();
    await page.getByRole("heading", { name: "No conversations yet" }).waitFor();
    const { token: bearer } = JSON.parse(await token(page));
    await page.getByRole("button", { name: /^Account/ }).click();
    await checkAccessibility(page, "the account menu");
    await page.getByRole("menuitem", { name: "Sign out", exact: true }).click();
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    assert.equal(await token(page), null);
    await eventually("the server takes it no longer", async () => (await server.request("GET", "/api/auth/me", { token: bearer })).status === 401);
    await page.reload();
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    await checkAccessibility(page, "sign-in");
    await picture(page, "sign-in");
  });

  await t.test("a wrong password is refused, the right one is not", async () => {
    await page.getByLabel("E-mail").fill("ines@example.com");
    await page.getByRole("textbox", { name: "Password" }).fill("wrong horse");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("E-mail and password do not match an account.").waitFor();
    await picture(page, "sign-in-refused");
    await page.getByRole("textbox", { name: "Password" }).fill("correct horse");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "No conversations yet" }).waitFor();
  });

  await t.test("signing out in one window does so in the other", async () => {
    const second = await page.context().newPage();
    await second.goto(server.url);
    await second.getByRole("heading", { name: "No conversations yet" }).waitFor();
    await page.getByRole("button", { name: /^Account/ }).click();
    await page.getByRole("menuitem", { name: "Sign out", exact: true }).click();
    await second.getByRole("heading", { name: "Welcome back" }).waitFor();
  });

  await t.test("who is offline is signed out here all the same", async () => {
    await page.getByLabel("E-mail").fill("ines@example.com");
    await page.getByRole("textbox", { name: "Password" }).fill("correct horse");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "No conversations yet" }).waitFor();
    await page.context().setOffline(true);
    await page.getByRole("button", { name: /^Account/ }).click();
    await page.getByRole("menuitem", { name: "Sign out", exact: true }).click();
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    assert.equal(await token(page), null);
    await page.context().setOffline(false);
  });
});

for (const [locale, words] of [
  ["en-GB", "Your name has to be visible text in one line."],
  ["es-ES", "Tu nombre tiene que ser texto visible en una sola línea."],
]) {
  test(`a name that nobody would see is refused at its field, ${locale}`, async (t) => {
    const server = await Server.start(t);
    const page = await open(t, server, undefined, { locale });
    await page.getByRole("button", { name: /^(Create account|Crear cuenta)$/ }).click();
    const name = page.getByLabel(/Full name|Nombre completo/);
    await page.getByLabel(/E-mail|Correo/).fill("ines@example.com");
    await page.getByRole("textbox", { name: /Password|Contraseña/ }).fill("correct horse");
    for (const invisible of ["\u200B", "Ana\u202Enitram", "\u2066Ana"]) {
      await name.fill(invisible);
      await name.press("Enter");
      await page.locator("#full_name-note").getByText(words).waitFor();
      assert.equal(await name.evaluate((input) => input === document.activeElement), true);
      await name.fill("");
      await name.press("Enter");
      await page.locator("#full_name-note").getByText(words).waitFor({ state: "detached" });
    }
  });
}

test("a rate limit says how long to wait, whether the server or a proxy refuses", async (t) => {
  const server = await Server.start(t);
  const answers = [
    { status: 429, json: { success: false, message: "Too many attempts", retry_after: 1 } },
    { status: 429, json: { success: false, message: "Too many attempts", retry_after: 840 } },
    // A proxy before the server.
    { status: 429, headers: { "retry-after": "30" }, contentType: "text/html", body: "<h1>Slow down</h1>" },
  ];
  for (const [locale, expected] of [
    ["en-GB", ["1 second.", "14 minutes.", "30 seconds."]],
    ["es-ES", ["1 segundo.", "14 minutos.", "30 segundos."]],
  ]) {
    const page = await open(t, server, undefined, { locale });
    const isNew = page.getByRole("button", { name: /^(Create account|Crear cuenta)$/ });
    for (const path of ["login", "register"]) {
      if (path === "register") await isNew.click();
      for (const [index, answer] of answers.entries()) {
        await page.route(`**/api/auth/${path}`, (route) => route.fulfill(answer), { times: 1 });
        if (path === "register") await page.getByLabel(/Full name|Nombre completo/).fill("Inés");
        await page.getByLabel(/E-mail|Correo/).fill("ines@example.com");
        await page.getByRole("textbox", { name: /Password|Contraseña/ }).fill("correct horse");
        await page.getByRole("textbox", { name: /Password|Contraseña/ }).press("Enter");
        await page.getByRole("alert").getByText(expected[index]).waitFor();
      }
    }
  }
});

test("signing out on all devices ends the others' sessions too", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  const here = await openConversation(t, server, ana, conversation);
  const there = await openConversation(t, server, ana, conversation);
  await here.getByRole("button", { name: /^Account/ }).click();
  await here.getByRole("menuitem", { name: "Sign out on all devices" }).click();
  await here.getByRole("heading", { name: "Welcome back" }).waitFor();
  await there.getByText("Your session has ended.", { exact: false }).waitFor();
  assert.equal(await token(here), null);
});

test("in the demo two people are one click apart", async (t) => {
  const server = await Server.start(t, { JWT_SECRET: undefined }, { command: "demo" });
  const lucia = await open(t, server);
  await lucia.getByRole("button", { name: "Enter as Lucía Fernández" }).waitFor();
  await checkAccessibility(lucia, "the demo's sign-in");
  await picture(lucia, "demo-sign-in");
  await lucia.getByRole("button", { name: "Enter as Lucía Fernández" }).click();
  await ready(lucia);
  await picture(lucia, "demo-first");
  await checkAccessibility(lucia, "the demo's first conversation");

  const [martin] = await Promise.all([
    lucia.context().waitForEvent("page"),
    lucia.getByRole("link", { name: "Open Martín’s window" }).click(),
  ]);
  await ready(martin);
  assert.equal(await martin.getByRole("heading", { name: "Lucía Fernández" }).count(), 1, "Martín sees Lucía");
  await write(lucia, "Is the mare still for sale?");
  await message(martin, "Is the mare still for sale?").waitFor();
  await status(lucia, "Is the mare still for sale?", "read");

  // Each window stays who it is, over a reload too.
  await lucia.reload();
  await ready(lucia);
  assert.equal(await lucia.getByRole("heading", { name: "Martín Sosa" }).count(), 1);
  await checkWidth(lucia);

  await lucia.setViewportSize({ width: 390, height: 780 });
  await lucia.getByRole("button", { name: "Back to conversations" }).click();
  await lucia.getByRole("link", { name: "Open Martín’s window" }).waitFor();
  await checkWidth(lucia);
  await checkAccessibility(lucia, "the demo's list on a phone");
  await picture(lucia, "demo-phone");
});

test("where accounts are off, both pages send people to the platform", async (t) => {
  const server = await Server.start(t, { ACCOUNTS: "off" });
  for (const path of ["", "admin"]) {
    const page = await open(t, server, undefined, { path });
    await page.getByRole("heading", { name: "Sign in at the platform" }).waitFor();
    assert.equal(await page.locator("form, input, button").count(), 0);
    await checkAccessibility(page, `no accounts: /${path}`);
  }
});
