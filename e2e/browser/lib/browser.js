// Chromium, and people who sit before it.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { temporaryFolder } from "../../lib/server.js";

/** Where screenshots and measurements are put. */
export const OUTPUT = fileURLToPath(new URL("../../output/browser/", import.meta.url));
mkdirSync(OUTPUT, { recursive: true });

/** Keeps figures of a test. */
export function keep(name, figures) {
  writeFileSync(`${OUTPUT}${name}.json`, `${JSON.stringify(figures, undefined, 2)}\n`);
}

/** How long anything may take on a busy machine, in milliseconds. */
const LIMIT = 30_000;

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let launched;

/** How Chromium is started. */
const LAUNCH = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // A page that `serveInstead` hands out has no address, and might not open a WebSocket to this machine.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
    // Windows of people who look elsewhere go on as those of people who look.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
  ],
};

/** The browser, one a test file; ended with the test that asked first. */
export async function browser(t) {
  if (!launched?.isConnected()) {
    launched = await chromium.launch(LAUNCH);
    t.after(() => launched.close());
  }
  return launched;
}

const PHONE_LESS = { viewport: { width: 1180, height: 780 }, locale: "en-GB", timezoneId: "Europe/Madrid" };

/** A browser context of its own, signed in as `user` if one is given; keeps what the page complains of. */
export async function open(t, server, user, { path = "", ...options } = {}) {
  const session = user && JSON.stringify({
    token: user.token,
    user: { id: user.id, email: user.email, full_name: user.name, role: "seller" },
  });
  const localStorage = session ? [{ name: "horse-trust.session", value: session }] : [];
  const context = await (await browser(t)).newContext({
    ...PHONE_LESS,
    storageState: { cookies: [], origins: [{ origin: server.url, localStorage }] },
    ...options,
  });
  context.setDefaultTimeout(LIMIT);
  t.after(() => context.close());
  if (process.env.HORSE_TRUST_PAGE) await serveInstead(context, server, process.env.HORSE_TRUST_PAGE);
  const page = await context.newPage();
  watch(t, page);
  await page.goto(`${server.url}/${path}`);
  return page;
}

/** Fails the test if the page complains. */
function watch(t, page) {
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(error.stack ?? error.message));
  page.on("console", (message) => {
    // A refused request is an answer, and a server that is gone is what some tests are about.
    const isExpected = /Failed to load resource|net::ERR_|WebSocket connection/.test(message.text());
    if (message.type() === "error" && !isExpected) page.complaints.push(message.text());
  });
  t.after(() => assert.deepEqual(page.complaints, [], "the page complained"));
}

/** A browser of its own in which somebody has blocked cookies, and with them all storage. */
export async function openWithoutStorage(t, server) {
  const folder = temporaryFolder(t);
  mkdirSync(`${folder}/Default`);
  const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
  writeFileSync(`${folder}/Default/Preferences`, JSON.stringify(preferences));
  const context = await chromium.launchPersistentContext(folder, { ...LAUNCH, ...PHONE_LESS });
  context.setDefaultTimeout(LIMIT);
  t.after(() => context.close());
  if (process.env.HORSE_TRUST_PAGE) await serveInstead(context, server, process.env.HORSE_TRUST_PAGE);
  const page = await context.newPage();
  watch(t, page);
  await page.goto(server.url);
  return page;
}

/** While one works on the page: files of `folder` (web/dist) in place of the binary's, without building that anew. */
async function serveInstead(context, server, folder) {
  await context.route(new RegExp(`^${server.url}/(assets/.*)?$`), async (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname !== "/") return route.fulfill({ path: `${folder}${pathname}` });
    const response = await route.fetch();
    return route.fulfill({ response, path: `${folder}/index.html` });
  });
}

/** Registers somebody with a name of several words, whatever their letters. */
export async function register(server, name) {
  const email = `${Math.random().toString(36).slice(2)}@example.com`;
  const body = { email, password: "correct horse", full_name: name };
  const { json } = await server.request("POST", "/api/auth/register", { body });
  return { id: json.user.id, token: json.token, email, name };
}

/** Opens the conversation and waits until its messages are there. */
export async function openConversation(t, server, user, conversation, options) {
  const page = await open(t, server, user, { path: `#/c/${conversation}`, ...options });
  await ready(page);
  return page;
}

export const field = (page) => page.getByRole("textbox", { name: /Write a message|Escribe un mensaje/ });
export const messages = (page) => page.locator("article");
export const message = (page, text) => page.locator("article", { hasText: text });

export async function ready(page) {
  await page.locator(".feed[aria-busy=false]").waitFor({ state: "attached" });
  await field(page).waitFor();
}

/** Writes and sends as a person does. */
export async function write(page, text) {
  await field(page).fill(text);
  await field(page).press("Enter");
}

/** The texts of all messages on the page, in their order. */
export const texts = (page) => page.locator("article .bubble > p").allInnerTexts();

/** The same of the whole history, by scrolling through it: what is far from the screen is not in the document. */
export const allTexts = (page) =>
  page.evaluate(async () => {
    const scroller = document.querySelector(".scroller");
    const found = new Map();
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    scroller.scrollTop = 0;
    for (let turn = 0; !found.has(1); turn++) {
      if (turn > 500) throw new Error(`the first message was not reached; found ${found.size}`);
      await frame();
      for (const article of document.querySelectorAll("article[data-seq]")) {
        found.set(Number(article.dataset.seq), article.querySelector(".bubble > p").innerText);
      }
      scroller.scrollTop -= scroller.clientHeight / 2;
    }
    return [...found].sort(([one], [other]) => one - other).map(([, text]) => text);
  });

/** Waits until a message has a state: waiting, sent, delivered, read, refused. */
export const status = (page, text, state) =>
  message(page, text).locator(`[data-status=${state}]`).waitFor({ state: "attached" });

/** The window loses the focus, as far as the page knows. */
export async function lookAway(page) {
  await page.evaluate(() => {
    document.hasFocus = () => false;
    dispatchEvent(new Event("blur"));
  });
}

export async function lookBack(page) {
  await page.evaluate(() => {
    delete document.hasFocus;
    dispatchEvent(new Event("focus"));
  });
}

/** What axe finds; has to be nothing. */
export async function checkAccessibility(page, state) {
  // Animations that fade in have other contrasts on their way.
  await page.evaluate(() => {
    const passing = document.getAnimations().filter((one) => one.effect.getTiming().iterations === 1);
    // One that is cut short is over too.
    return Promise.allSettled(passing.map((one) => one.finished));
  });
  await page.evaluate(`window.axe === undefined && (() => { ${AXE} })()`);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((node) => `${node.html}\n    ${node.failureSummary}`).join("\n  ")}`);
  assert.deepEqual(found, [], `axe on ${state}`);
}

/** Keeps a picture of the page; what is looked at. */
export async function picture(page, name) {
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: `${OUTPUT}${name}.png`, caret: "initial" });
}

/** Nothing is wider than the window. */
export async function checkWidth(page) {
  const [content, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= width, `${content} pixels in a window of ${width}`);
}
