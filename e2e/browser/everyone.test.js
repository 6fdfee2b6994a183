// For everyone: the keyboard alone, screen readers, contrast, dark and light, narrow and wide, English and Spanish.
import assert from "node:assert/strict";
import test from "node:test";

import { Server, eventually } from "../lib/server.js";
import { checkAccessibility, checkWidth, field, message, messages, open, openConversation, picture, ready, register, status, write } from "./lib/browser.js";
import { CHARLA, TALK, withHistory } from "./lib/history.js";

const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    return element.getAttribute("aria-label") ?? element.labels?.[0]?.textContent ?? element.textContent;
  });

/** Presses Tab until what has the focus is called `name`. */
async function tabTo(page, name, key = "Tab") {
  const seen = [];
  for (let count = 0; count < 30; count++) {
    await page.keyboard.press(key);
    seen.push(await focused(page));
    if (name.test(seen.at(-1))) return;
  }
  assert.fail(`no ${name}; the focus was on ${seen.join(" | ")}`);
}

test("the whole flow by keyboard", async (t) => {
  const server = await Server.start(t);
  const bruno = await server.register("Bruno");
  const page = await open(t, server);

  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await tabTo(page, /^Create account$/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Create your account" }).waitFor();
  await eventually("the first field has the focus", async () => /Full name/.test(await focused(page)));
  await page.keyboard.type("Ana Belmonte");
  await tabTo(page, /E-mail/);
  await page.keyboard.type("ana@example.com");
  await tabTo(page, /^Password/);
  await page.keyboard.type("correct horse");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "No conversations yet" }).waitFor();

  await tabTo(page, /^New conversation$/);
  await page.keyboard.press("Enter");
  const inDialog = () => eventually("the dialog's field has the focus", async () => /User id/.test(await focused(page)));
  await inDialog();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.match(await focused(page), /^New conversation$/, "the focus returns");
  await page.keyboard.press("Enter");
  await inDialog();
  await page.keyboard.type(bruno.id);
  await page.keyboard.press("Enter");
  await ready(page);

  await eventually("the field has the focus", async () => /Write a message/.test(await focused(page)));
  await page.keyboard.type("Written without a mouse");
  await page.keyboard.press("Enter");
  await status(page, "Written without a mouse", "sent");
  await page.keyboard.type("and this is deleted again");
  await page.keyboard.press("Enter");
  await status(page, "and this is deleted again", "sent");

  // To the messages, from one to the next, and into a message's menu.
  await tabTo(page, /^Messages with Bruno$/, "Shift+Tab");
  await page.keyboard.press("ArrowUp");
  assert.match(await focused(page), /and this is deleted again/);
  await page.keyboard.press("ArrowUp");
  assert.match(await focused(page), /Written without a mouse/);
  await page.keyboard.press("ArrowDown");
  await picture(page, "keyboard-focus");
  await page.keyboard.press("Enter");
  await eventually("the menu has the focus", async () => /^Reply$/.test(await focused(page)));
  await page.keyboard.press("Escape");
  await eventually("the message has the focus again", async () => /and this is deleted again/.test(await focused(page)));
  await page.keyboard.press("Enter");
  await eventually("the menu has the focus", async () => /^Reply$/.test(await focused(page)));
  await page.keyboard.press("End");
  assert.match(await focused(page), /^Delete$/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await tabTo(page, /^Delete$/);
  await page.keyboard.press("Enter");
  await message(page, "Message deleted").waitFor();

  await tabTo(page, /Account: Ana/, "Shift+Tab");
  await page.keyboard.press("Enter");
  await eventually("the menu has the focus", async () => /notifications/.test(await focused(page)));
  await page.keyboard.press("ArrowDown");
  await eventually("the next item has the focus", async () => /Sign out/.test(await focused(page)));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
});

test("messages are announced to screen readers", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const page = await openConversation(t, server, ana, conversation);
  const body = { text: "Can you hear me?" };
  await server.request("POST", `/api/chat/conversations/${conversation}/messages`, { token: bruno.token, body });
  await page.getByRole("log").getByText("Bruno: Can you hear me?").waitFor({ state: "attached" });
  const article = message(page, "Can you hear me?");
  assert.match(await article.getAttribute("aria-label"), /^Bruno, .*: Can you hear me\?$/);
  assert.equal(await article.getAttribute("aria-posinset"), "1");
});

// Hours apart, so that there are several days.
const PAST = { every: 3 * 3_600_000, last: 7 * 60_000 };

for (const [name, options] of Object.entries({
  light: {},
  dark: { colorScheme: "dark" },
  wide: { viewport: { width: 1920, height: 1000 } },
  "320": { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true },
  "320-dark": { viewport: { width: 320, height: 640 }, colorScheme: "dark" },
  "large-text": { viewport: { width: 590, height: 390 }, deviceScaleFactor: 2 },
})) {
  test(`how it looks: ${name}`, async (t) => {
    const { server, ana, bruno, conversation } = await withHistory(t, TALK, { ...PAST, unread: 1 });
    const carla = await register(server, "Carla Ibáñez de la Torre y Rodríguez");
    const body = { recipient_id: ana.id };
    const theirs = (await server.request("POST", "/api/chat/conversations", { token: carla.token, body })).json.data._id;
    const path = `/api/chat/conversations/${theirs}/messages`;
    await server.request("POST", path, { token: carla.token, body: { text: "Do you still look for a gelding? I may have one for you in spring." } });

    const page = await open(t, server, ana, options);
    await page.getByRole("link", { name: /Bruno Arrieta/ }).waitFor();
    await checkAccessibility(page, `the list, ${name}`);
    await checkWidth(page);
    await picture(page, `list-${name}`);
    await page.getByRole("link", { name: /Bruno Arrieta/ }).click();
    await ready(page);
    const other = await openConversation(t, server, bruno, conversation);
    await write(other, "I have put water and a box ready for yours, too.");
    await message(page, "I have put water").waitFor();
    await write(page, "You are too kind!");
    await status(page, "You are too kind!", "read");
    await field(other).pressSequentially("Until S");
    await page.getByText("Bruno Arrieta is typing…").waitFor();
    await checkAccessibility(page, `a conversation, ${name}`);
    await checkWidth(page);
    await picture(page, `conversation-${name}`);

    const backButton = page.getByRole("button", { name: "Back to conversations" });
    if (options.viewport?.width > 719 || !options.viewport) return assert.equal(await backButton.isVisible(), false);
    await backButton.click();
    await eventually("the focus is where one comes from", async () => /Bruno Arrieta/.test(await focused(page)));
  });
}

test("in Spanish", async (t) => {
  const { server, ana, bruno, conversation } = await withHistory(t, CHARLA, PAST);
  const spanish = { locale: "es-ES" };
  const visitor = await open(t, server, undefined, spanish);
  await visitor.getByRole("heading", { name: "Hola de nuevo" }).waitFor();
  await visitor.getByLabel("Correo electrónico").fill("nadie@example.com");
  await visitor.getByRole("textbox", { name: "Contraseña" }).fill("equivocada");
  await visitor.getByRole("button", { name: "Iniciar sesión" }).click();
  await visitor.getByText("El correo y la contraseña no coinciden con ninguna cuenta.").waitFor();
  assert.equal(await visitor.evaluate(() => document.documentElement.lang), "es");
  await checkAccessibility(visitor, "the Spanish sign-in");
  await picture(visitor, "spanish-sign-in");

  const page = await openConversation(t, server, ana, conversation, spanish);
  const other = await openConversation(t, server, bruno, conversation, spanish);
  await page.locator(".presence").getByText("En línea").waitFor();
  await page.locator(".day").getByText(/^(Lunes|Martes|Miércoles|Jueves|Viernes|Sábado|Domingo|Ayer)/).first().waitFor();
  await field(other).pressSequentially("Hasta el s");
  await page.getByText("Bruno Arrieta está escribiendo…").waitFor();
  await checkAccessibility(page, "a Spanish conversation");
  await picture(page, "spanish-conversation");
  const text = await page.evaluate(() => document.body.innerText);
  assert.doesNotMatch(text, /Today|Yesterday|Online|Write a message|is typing/);
});

test("without motion nothing moves", async (t) => {
  const { server, ana, conversation } = await withHistory(t, TALK, PAST);
  const page = await openConversation(t, server, ana, conversation, { reducedMotion: "reduce" });
  await page.context().setOffline(true);
  await page.getByText(/^You are offline/).waitFor();
  const moving = await page.evaluate(() => document.getAnimations().filter((one) => one.effect.getComputedTiming().duration > 1).length);
  assert.equal(moving, 0);
});

test("a conversation that is not mine", async (t) => {
  const server = await Server.start(t);
  const { conversation } = await server.pair();
  const stranger = await server.register("Stranger");
  const page = await open(t, server, stranger, { path: `#/c/${conversation}` });
  await page.getByRole("heading", { name: "This conversation is not yours, or not any more" }).waitFor();
  assert.equal(await messages(page).count(), 0);
  await checkAccessibility(page, "a stranger's conversation");
  await picture(page, "not-found");
});
