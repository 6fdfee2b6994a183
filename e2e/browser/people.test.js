// Who the others are: their pictures, finding them, and what is left of somebody who signed out.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";

import { Server, eventually, run, temporaryFolder, token } from "../lib/server.js";
import { checkAccessibility, field, message, open, openConversation, ready, register, write } from "./lib/browser.js";

/** A red dot. */
const DOT = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==", "base64");

test("profile pictures are shown, and initials where there is none or it does not load", async (t) => {
  const folder = temporaryFolder(t);
  const ids = ["1", "2", "3", "4"].map((digit) => digit.padStart(24, "0"));
  const pictures = { 1: "https://pictures.example/bruno.png", 2: "https://pictures.example/gone.png" };
  const users = ["Ana Gil", "Bruno Paz", "Lucía Núñez", "Óscar Sol"].map((full_name, n) => ({
    _id: { $oid: ids[n] }, email: `user${n}@example.com`, password_hash: "x", role: "seller", full_name, is_active: true,
    created_at: { $date: "2025-01-01T00:00:00.000Z" }, ...(pictures[n] && { profile_picture_url: pictures[n] }),
  }));
  const conversations = [1, 2, 3].map((n) => ({
    _id: { $oid: `${n}`.padStart(24, "c") }, participants: [{ $oid: ids[0] }, { $oid: ids[n] }],
    created_at: { $date: "2025-01-01T00:00:00.000Z" }, updated_at: { $date: "2025-01-01T00:00:00.000Z" },
  }));
  for (const [name, lines] of Object.entries({ users, conversations })) {
    writeFileSync(join(folder, name), lines.map((line) => JSON.stringify(line)).join("\n"));
  }
  const imported = run(folder, ["import", "--users", "users", "--conversations", "conversations"], { JWT_SECRET: "x" });
  assert.equal(imported.status, 0, imported.stderr);
  const server = await Server.start(t, {}, { folder });
  const ana = { id: ids[0], email: "user0@example.com", name: "Ana Gil", token: token({ userId: ids[0], role: "seller", exp: Math.floor(Date.now() / 1000) + 3600 }) };

  const page = await open(t, server, ana);
  await page.context().route("https://pictures.example/**", (route) =>
    route.request().url().endsWith("bruno.png") ? route.fulfill({ contentType: "image/png", body: DOT }) : route.fulfill({ status: 404 }));
  await page.reload();
  const avatar = (name) => page.getByRole("link", { name: new RegExp(name) }).locator(".avatar");
  await eventually("Bruno's picture has loaded", () => avatar("Bruno Paz").locator("img").evaluateAll(([image]) => image?.complete && image.naturalWidth === 1));
  await eventually("Lucía's did not", async () => (await avatar("Lucía Núñez").innerText()) === "LN");
  assert.equal(await avatar("Lucía Núñez").locator("img").count(), 0);
  assert.equal(await avatar("Óscar Sol").innerText(), "ÓS");
  await page.getByRole("link", { name: /Bruno Paz/ }).click();
  await ready(page);
  assert.equal(await page.locator("header .avatar img").getAttribute("src"), pictures[1]);
  await checkAccessibility(page, "pictures");
});

test("a conversation is begun with an id", async (t) => {
  const server = await Server.start(t);
  const ana = await server.register("Ana");
  const [bruno, lucia] = [await register(server, "Bruno Paz"), await register(server, "Lucía Núñez")];
  const page = await open(t, server, ana);
  await page.getByRole("heading", { name: "No conversations yet" }).waitFor();
  const begin = async (whom) => {
    await page.getByRole("button", { name: "New conversation" }).first().click();
    await page.getByLabel("User id").fill(whom);
    await page.getByRole("dialog").getByRole("button", { name: "Start conversation" }).click();
  };

  await begin("f".repeat(24));
  await page.getByText("Nobody here has this id.").waitFor();
  await page.getByLabel("User id").fill(ana.id);
  await page.getByRole("dialog").getByRole("button", { name: "Start conversation" }).click();
  await page.getByText("This is you. Whom do you want to write to?").waitFor();
  await page.getByLabel("User id").fill(`  ${bruno.id} `);
  await page.getByRole("dialog").getByRole("button", { name: "Start conversation" }).click();
  await page.getByRole("heading", { name: "Bruno Paz" }).waitFor();
  await ready(page);
  await write(page, "Hello by your id");
  await begin(lucia.id);
  await page.getByRole("heading", { name: "Lucía Núñez" }).waitFor();

  const his = await open(t, server, bruno);
  await his.getByRole("link", { name: /Ana.*Hello by your id/s }).click();
  await message(his, "Hello by your id").waitFor();
  // Begun twice, it is the same one.
  await begin(bruno.id);
  await message(page, "Hello by your id").waitFor();
  assert.equal(await page.locator(".row-name").count(), 2);
});

test("nobody sees a conversation in which nothing was written; the first message brings it", async (t) => {
  const server = await Server.start(t);
  const [ana, bruno] = await Promise.all(["Ana", "Bruno"].map((name) => server.register(name)));
  const hers = await open(t, server, ana);
  const his = await open(t, server, bruno);
  const isEmpty = () => his.getByRole("heading", { name: "No conversations yet" }).waitFor();
  await isEmpty();
  await hers.getByRole("button", { name: "New conversation" }).first().click();
  await hers.getByLabel("User id").fill(bruno.id);
  await hers.getByRole("dialog").getByRole("button", { name: "Start conversation" }).click();
  await ready(hers);
  // Her own list has it, and says that it is empty.
  await hers.getByRole("link", { name: /Bruno.*No messages yet/s }).waitFor();
  await field(hers).pressSequentially("Are y");
  await hers.reload();
  await ready(hers);
  await hers.getByRole("link", { name: /Bruno/ }).waitFor();
  await isEmpty();
  await his.reload();
  await isEmpty();
  assert.equal(await his.locator("a.row, .typing-line").count(), 0);
  // Not even by its address.
  await his.goto(hers.url());
  await his.getByRole("heading", { name: "This conversation is not yours, or not any more" }).waitFor();
  const list = await his.context().newPage();
  await list.goto(server.url);
  await list.getByRole("heading", { name: "No conversations yet" }).waitFor();

  await write(hers, "Are you there?");
  await list.getByRole("link", { name: /Ana.*Are you there\?/s }).waitFor();
  await list.getByRole("log").getByText("Ana: Are you there?").waitFor({ state: "attached" });
  await ready(his);
  await message(his, "Are you there?").waitFor();
  // From now on they are no strangers.
  await hers.locator(".presence").getByText("Online").waitFor();
  await write(his, "I am");
  await message(hers, "I am").waitFor();
  await eventually("all is read", async () => (await list.title()) === "Horse Trust");
});

test("a block closes the other's field at once, and its end opens it, over reloads and in all windows", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const horse = (await server.request("POST", "/api/chat/conversations", {
    token: ana.token, body: { recipient_id: bruno.id, horse_id: "a".repeat(24) },
  })).json.data._id;
  for (const id of [conversation, horse]) {
    await server.request("POST", `/api/chat/conversations/${id}/messages`, { token: ana.token, body: { text: `about ${id}` } });
  }
  const hers = await openConversation(t, server, ana, conversation);
  const his = await openConversation(t, server, bruno, conversation);
  const aboutTheHorse = await openConversation(t, server, bruno, horse);
  const block = async () => {
    await hers.getByRole("button", { name: "Actions", exact: true }).click();
    await hers.getByRole("menuitem", { name: "Block Bruno" }).click();
    await hers.getByRole("dialog").getByRole("button", { name: "Block Bruno" }).click();
  };
  const unblock = () => hers.getByRole("button", { name: "Unblock" }).click();
  const isClosed = (page) => page.getByText("You can’t write in this conversation.").waitFor();

  await field(his).fill("a draft that stays");
  await block();
  await Promise.all([isClosed(his), isClosed(aboutTheHorse)]);
  await checkAccessibility(his, "blocked by the other");
  await unblock();
  await Promise.all([field(his).waitFor(), field(aboutTheHorse).waitFor()]);
  assert.equal(await field(his).inputValue(), "a draft that stays");
  await his.locator(".presence").getByText("Online").waitFor();

  await block();
  await isClosed(his);
  await his.reload();
  await isClosed(his);
  await unblock();
  await field(his).waitFor();
  await field(his).press("Enter");
  await message(hers, "a draft that stays").waitFor();
});

test("who signs out leaves nothing of the session to who comes next", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const carla = await register(server, "Carla Ruiz");
  const page = await openConversation(t, server, ana, conversation);
  await write(page, "Between the two of us");
  await message(page, "Between the two of us").waitFor();
  const sessions = async () => Number((await server.request("GET", "/metrics")).text.match(/^horse_trust_sessions\{transport="websocket"\} (\d+)/m)?.[1] ?? 0);
  await eventually("she is connected", async () => (await sessions()) === 1);

  await page.getByRole("button", { name: /^Account/ }).click();
  await page.getByRole("menuitem", { name: "Sign out", exact: true }).click();
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
  await eventually("her connection ends", async () => (await sessions()) === 0);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, document.body.innerText]));
  for (const secret of [ana.token, ana.id, ana.email, "Between the two of us", bruno.id, "Bruno"]) {
    assert.ok(!kept.includes(secret), `${secret} is still there: ${kept}`);
  }

  // Her address is still that of her conversation.
  await page.getByLabel("E-mail").fill(carla.email);
  await page.getByRole("textbox", { name: "Password" }).fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: /^Account/ }).waitFor();
  await eventually("she is connected", async () => (await sessions()) === 1);
  await page.getByRole("heading", { name: "No conversations yet" }).waitFor();
  assert.equal(await page.locator("article, .row-name").count(), 0);
  assert.equal(await field(page).count(), 0);
  await page.goBack().catch(() => {});
  assert.equal(await page.getByText("Between the two of us").count(), 0);
});
