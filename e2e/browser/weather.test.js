// Bad weather: the server dies, the token ends, the server refuses; nothing is lost, doubled, or out of order.
import assert from "node:assert/strict";
import test from "node:test";

import { Server, eventually, token } from "../lib/server.js";
import {
  allTexts, checkAccessibility, field, message, open, openConversation, picture, ready, status, texts, write,
} from "./lib/browser.js";
import { withHistory } from "./lib/history.js";

const noReload = (page) => page.evaluate(() => (window.sameDocument = true));
const isSameDocument = (page) => page.evaluate(() => window.sameDocument === true);

test("the server is killed and restarted while both write", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const one = await openConversation(t, server, ana, conversation);
  const other = await openConversation(t, server, bruno, conversation);
  await Promise.all([noReload(one), noReload(other)]);

  const rounds = 3;
  let number = 0;
  const expected = { ana: [], bruno: [] };
  const both = async (count) => {
    for (let index = 0; index < count; index++) {
      number++;
      expected.ana.push(`ana ${number}`);
      expected.bruno.push(`bruno ${number}`);
      await Promise.all([write(one, `ana ${number}`), write(other, `bruno ${number}`)]);
    }
  };
  for (let round = 0; round < rounds; round++) {
    const writing = both(6);
    await server.kill();
    await writing;
    await one.getByText(/^Reconnecting…/).waitFor();
    await both(4);
    if (round === 0) {
      await checkAccessibility(one, "reconnecting");
      await picture(one, "reconnecting");
    }
    await server.launch();
    await both(2);
    await Promise.all([one, other].map((page) => page.getByText("Back online").waitFor()));
    if (round === 0) await picture(one, "back-online");
  }

  const all = 2 * expected.ana.length;
  await eventually("all is stored", async () => (await server.history(ana.token, conversation)).length === all, 30_000);
  for (const page of [one, other]) {
    await eventually("all is shown as stored", async () => (await page.locator("[data-status=waiting]").count()) === 0, 30_000);
  }
  const history = (await server.history(ana.token, conversation)).map(({ text }) => text);
  for (const name of ["ana", "bruno"]) {
    assert.deepEqual(history.filter((text) => text.startsWith(name)), expected[name], `${name}'s, in their order, once each`);
  }
  for (const page of [one, other]) {
    assert.deepEqual(await allTexts(page), history);
    assert.ok(await isSameDocument(page), "without a reload");
  }
});

test("what was written without a connection is sent after a reload, once", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const page = await openConversation(t, server, ana, conversation);
  await page.context().setOffline(true);
  await page.getByText(/^You are offline/).waitFor();
  await write(page, "first, offline");
  await write(page, "second, offline");
  await status(page, "second, offline", "waiting");
  await checkAccessibility(page, "offline");
  await picture(page, "offline");
  await server.kill();
  await page.context().setOffline(false);
  const answer = await server.launch().then(() => page.reload());
  assert.equal(answer.status() === 200 || answer.status() === 304, true);
  await ready(page);
  await status(page, "second, offline", "sent");
  assert.deepEqual((await server.history(bruno.token, conversation)).map(({ text }) => text), ["first, offline", "second, offline"]);
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes("outbox"))), []);
});

test("without a connection nobody is shown as online", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const page = await openConversation(t, server, ana, conversation);
  const other = await openConversation(t, server, bruno, conversation);
  const isOnline = async () => (await page.locator(".presence").getByText("Online").count()) + (await page.locator(".avatar-online").count());
  await eventually("he is online", async () => (await isOnline()) === 3);
  await page.context().setOffline(true);
  await eventually("that is not known", async () => (await isOnline()) === 0, 2000);
  await page.getByText(/^You are offline/).waitFor();
  assert.equal(await isOnline(), 0);
  await page.context().setOffline(false);
  await eventually("he is online again", async () => (await isOnline()) === 3);

  await server.kill();
  await eventually("that is not known", async () => (await isOnline()) === 0, 2000);
  await server.launch();
  await eventually("he is online again", async () => (await isOnline()) === 3);
  await other.context().close();
  await page.locator(".presence").getByText(/^Last seen/).waitFor({ timeout: 20_000 });
});

test("what was missed appears in order, edits and deletions too", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const path = `/api/chat/conversations/${conversation}/messages`;
  const say = async (text) => (await server.request("POST", path, { token: bruno.token, body: { text } })).json.data;
  const edited = await say("the price is 9000");
  const deleted = await say("call me at 555");
  const page = await openConversation(t, server, ana, conversation);
  await noReload(page);
  await page.context().setOffline(true);
  await page.getByText(/^You are offline/).waitFor();
  for (let index = 0; index < 130; index++) await say(`missed ${index}`);
  await server.request("PATCH", `/api/chat/messages/${edited._id}`, { token: bruno.token, body: { text: "the price is 8000" } });
  await server.request("DELETE", `/api/chat/messages/${deleted._id}`, { token: bruno.token });
  await page.context().setOffline(false);
  await page.getByText("missed 129", { exact: true }).first().waitFor();
  await page.locator(".feed").focus();
  await eventually("the first is shown, changed", async () => {
    await page.keyboard.press("PageUp");
    return (await message(page, "the price is 8000").count()) === 1;
  });
  await message(page, "Message deleted").waitFor({ state: "attached" });
  const numbers = (await texts(page)).filter((text) => text.startsWith("missed")).map((text) => Number(text.slice(7)));
  assert.ok(numbers.length > 10);
  assert.deepEqual(numbers, numbers.map((_, index) => numbers[0] + index), "in order, without a gap");
  assert.ok(await isSameDocument(page));
});

test("more was missed than is replayed", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const path = `/api/chat/conversations/${conversation}/messages`;
  const say = (text) => server.request("POST", path, { token: bruno.token, body: { text } });
  await say("before");
  const page = await openConversation(t, server, ana, conversation);
  await page.context().setOffline(true);
  await page.getByText(/^You are offline/).waitFor();
  for (let index = 0; index < 1100; index += 50) {
    const batch = Array.from({ length: 50 }, (_, offset) => say(`missed ${index + offset}`));
    await Promise.all(batch);
  }
  await say("the last");
  await page.context().setOffline(false);
  await message(page, "the last").waitFor();
  await write(page, "here again");
  await status(page, "here again", "sent");
  const history = await server.history(ana.token, conversation);
  assert.equal(history.length, 1103);
  const shown = await texts(page);
  assert.deepEqual(shown.slice(-20), history.slice(-20).map(({ text }) => text));
});

test("an expired token leads to sign-in and back to the same conversation", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  const end = Math.floor(Date.now() / 1000) + 6;
  const short = { ...ana, token: token({ userId: ana.id, role: "seller", exp: end }) };
  const page = await openConversation(t, server, short, conversation);
  await field(page).fill("a thought that I do not want to lose");
  await page.getByText("Your session has ended.", { exact: false }).waitFor({ timeout: 20_000 });
  await checkAccessibility(page, "the sign-in after an expired token");
  await picture(page, "expired");
  await page.getByRole("textbox", { name: "Password" }).fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await ready(page);
  assert.match(page.url(), new RegExp(`#/c/${conversation}$`));
  assert.equal(await field(page).inputValue(), "a thought that I do not want to lose");
  await field(page).press("Enter");
  await status(page, "a thought that I do not want to lose", "sent");
});

test("a token is renewed before it ends, without losing the connection", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  // The server says so a minute before the end.
  const short = { ...ana, token: token({ userId: ana.id, role: "seller", exp: Math.floor(Date.now() / 1000) + 62 }) };
  const page = await openConversation(t, server, short, conversation);
  await page.getByText("Your session is about to end.").waitFor({ timeout: 20_000 });
  await checkAccessibility(page, "a token that is about to end");
  await page.getByRole("status").getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Your session ends in a minute.", { exact: false }).waitFor();
  await page.getByRole("textbox", { name: "Password" }).fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await ready(page);
  await write(page, "still here");
  await status(page, "still here", "sent");
});

test("a refused message keeps its text", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  const page = await openConversation(t, server, ana, conversation);
  // The disk is full: the store refuses.
  server.limitFiles(1);
  await write(page, "words that are worth keeping");
  await message(page, "words that are worth keeping").getByText("Not sent. The server could not store it.").waitFor();
  await page.reload();
  await message(page, "words that are worth keeping").getByText("Not sent. The server could not store it.").waitFor();
  await message(page, "words that are worth keeping").getByRole("button", { name: "Back into the field" }).click();
  assert.equal(await field(page).inputValue(), "words that are worth keeping");
  server.limitFiles("unlimited");
  await field(page).press("Enter");
  await status(page, "words that are worth keeping", "sent");
});

test("who writes faster than the server lets is slowed down, and loses nothing", async (t) => {
  const server = await Server.start(t, { MESSAGE_RATE: "2" });
  const { ana, conversation } = await server.pair();
  const page = await openConversation(t, server, ana, conversation);
  const all = Array.from({ length: 16 }, (_, index) => `quick ${index}`);
  for (const text of all) await write(page, text);
  await eventually("all is sent", async () => (await page.locator("[data-status=waiting]").count()) === 0, 30_000);
  assert.deepEqual((await server.history(ana.token, conversation)).map(({ text }) => text), all);
});

test("a history that the server can't give can be asked for again", async (t) => {
  const all = Array.from({ length: 150 }, (_, number) => [number % 2, `message ${number + 1}`]);
  const { server, ana, bruno, conversation } = await withHistory(t, all);
  const page = await open(t, server, ana);
  await page.addInitScript(() => {
    window.isRefusing = true;
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (packet) {
      const [, id] = `${packet}`.match(/^42(\d+)\["fetch_messages"/) ?? [];
      if (!id || !window.isRefusing) return send.call(this, packet);
      const data = `43${id}[{"success":false,"message":"Server error"}]`;
      setTimeout(() => this.onmessage(new MessageEvent("message", { data })));
    };
  });
  const refuse = (isRefusing) => page.evaluate((value) => (window.isRefusing = value), isRefusing);
  await page.reload();
  await page.getByRole("link", { name: /^Bruno/ }).click();
  await page.getByRole("heading", { name: "The messages could not be loaded." }).waitFor();
  await checkAccessibility(page, "a history that could not be loaded");
  await picture(page, "history-failed");
  await refuse(false);
  await page.getByRole("button", { name: "Try again" }).click();
  await message(page, "message 150").waitFor();

  await refuse(true);
  await eventually("older messages could not be loaded", async () => {
    await page.evaluate(() => (document.querySelector(".scroller").scrollTop = -100_000));
    return page.getByText("Older messages could not be loaded.").isVisible();
  });
  await checkAccessibility(page, "older messages that could not be loaded");
  await refuse(false);
  await page.getByRole("button", { name: "Try again" }).click();
  const other = await openConversation(t, server, bruno, conversation);
  await write(other, "and one more");
  await eventually("all are there", async () => (await allTexts(page)).length === 151);
});
