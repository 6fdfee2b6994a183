// Two people in two browser contexts.
import assert from "node:assert/strict";
import test from "node:test";

import { Server, eventually, token } from "../lib/server.js";
import {
  checkAccessibility, field, lookAway, lookBack, message, messages, open, openConversation, picture, ready, register, status, texts, write,
} from "./lib/browser.js";

const menuOf = async (page, text) => {
  await message(page, text).hover();
  await message(page, text).getByRole("button", { name: "Message actions" }).click();
};

test("a chat", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const one = await openConversation(t, server, ana, conversation);
  const other = await openConversation(t, server, bruno, conversation);

  await t.test("typing is shown and ends", async () => {
    await field(one).pressSequentially("Is the mare");
    await other.getByText("Ana is typing…").waitFor();
    await field(one).fill("");
    await other.getByText("Ana is typing…").waitFor({ state: "detached" });
  });

  await t.test("a message is shown at once and comes with its receipts", async () => {
    await lookAway(other);
    await write(one, "Is the mare still for sale?");
    await message(one, "Is the mare still for sale?").waitFor();
    await message(other, "Is the mare still for sale?").waitFor();
    await status(one, "Is the mare still for sale?", "delivered");
    await other.getByText("New", { exact: true }).waitFor();
    await eventually("the title counts", async () => (await other.title()).startsWith("(1)"));
    await lookBack(other);
    await status(one, "Is the mare still for sale?", "read");
    await eventually("the title no longer counts", async () => (await other.title()) === "Ana · Horse Trust");
  });

  await t.test("Shift+Enter breaks the line; text is never HTML; links can be clicked", async () => {
    const text = '<b>bold</b> <img src=x onerror=alert(1)> see https://horses.example/mare?id=7.';
    await field(other).fill(text);
    await field(other).press("Shift+Enter");
    await field(other).pressSequentially("second line");
    await field(other).press("Enter");
    await message(one, "second line").waitFor();
    assert.equal((await texts(one)).at(-1), `${text}\nsecond line`);
    assert.equal(await message(one, "second line").locator("b, img").count(), 0);
    const link = message(one, "second line").getByRole("link");
    assert.equal(await link.getAttribute("href"), "https://horses.example/mare?id=7");
    assert.match(await link.getAttribute("rel"), /noopener/);
  });

  await t.test("white space alone is not sent; too long a text is held back", async () => {
    await write(one, "   ");
    await field(one).fill("x".repeat(2003));
    await one.getByText("3 characters too many").waitFor();
    await checkAccessibility(one, "too long a text");
    await field(one).press("Enter");
    assert.equal((await field(one).inputValue()).length, 2003);
    await field(one).fill("");
    assert.equal(await messages(one).count(), 2);
  });

  await t.test("one's own message is edited and deleted", async () => {
    await write(one, "She is seven yeers old");
    await status(one, "She is seven yeers old", "read");
    await field(one).press("ArrowUp");
    await one.getByText("Editing your message").waitFor();
    await checkAccessibility(one, "editing");
    await picture(one, "editing");
    await field(one).fill("She is seven years old");
    await field(one).press("Enter");
    await message(other, "She is seven years old").getByText("edited").waitFor();
    assert.equal(await message(other, "yeers").count(), 0);

    await menuOf(one, "She is seven years old");
    await checkAccessibility(one, "a message's menu");
    await picture(one, "message-menu");
    await one.getByRole("menuitem", { name: "Delete" }).click();
    await checkAccessibility(one, "the question before a deletion");
    await picture(one, "delete-dialog");
    await one.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await message(other, "Message deleted").waitFor();
    await message(one, "Message deleted").waitFor();
    assert.equal(await message(other, "seven years").count(), 0);
    await one.locator(".row-preview", { hasText: "second line" }).waitFor();
  });

  await t.test("another's message is reported", async () => {
    await menuOf(one, "second line");
    await one.getByRole("menuitem", { name: "Report" }).click();
    await one.getByRole("button", { name: "Send report" }).click();
    await one.getByText("Give a reason, up to 1000 characters.").waitFor();
    await checkAccessibility(one, "a report without a reason");
    await one.getByLabel("Reason").fill("Asks for money up front");
    await picture(one, "report-dialog");
    await one.getByRole("button", { name: "Send report" }).click();
    await one.getByRole("dialog").waitFor({ state: "detached" });
    await one.locator(".toast").getByText("Thank you. We will look into it.").waitFor();
  });

  await t.test("what the platform says stands between the two, and is nobody's to report", async () => {
    const body = { text: "The mare was reserved.", custom: { unknown: [1] } };
    const path = `/api/admin/conversations/${conversation}/messages`;
    const { status: answer } = await server.request("POST", path, { token: token({ userId: "admin", role: "admin" }), body });
    assert.equal(answer, 201);
    for (const page of [one, other]) {
      const said = message(page, "The mare was reserved.");
      await said.getByText("Horse Trust", { exact: true }).waitFor();
      assert.match(await said.getAttribute("class"), /\bsystem\b/);
    }
    await menuOf(one, "The mare was reserved.");
    await one.getByRole("menuitem", { name: "Copy" }).waitFor();
    assert.equal(await one.getByRole("menuitem", { name: "Report" }).count(), 0);
    await checkAccessibility(one, "a message of the platform");
    await picture(one, "system-message");
    await one.keyboard.press("Escape");
  });

  await t.test("a message is replied to by the keyboard, and the quote follows it", async () => {
    await write(other, "Does she jump?");
    await menuOf(one, "Does she jump?");
    await one.getByRole("menuitem", { name: "Reply" }).press("Enter");
    const quoted = one.locator(".composer .reply-quote");
    await quoted.getByText("Does she jump?").waitFor();
    await checkAccessibility(one, "a reply");
    await field(one).press("Escape");
    await quoted.waitFor({ state: "detached" });
    await menuOf(one, "Does she jump?");
    await one.getByRole("menuitem", { name: "Reply" }).press("Enter");
    await quoted.waitFor();
    await write(one, "Up to a metre");
    await quoted.waitFor({ state: "detached" });
    for (const page of [one, other]) await message(page, "Up to a metre").locator(".reply-quote").getByText("Does she jump?").waitFor();
    await picture(one, "reply");
    await field(other).press("ArrowUp");
    await field(other).fill("Does she jump at all?");
    await field(other).press("Enter");
    for (const page of [one, other]) await message(page, "Up to a metre").locator(".reply-quote").getByText("Does she jump at all?").waitFor();
  });

  await t.test("a block stops both, also what was written before it was known, and can be undone", async () => {
    await other.context().setOffline(true);
    await other.getByText(/^You are offline/).waitFor();
    await write(other, "Why do you not answer?");
    await one.getByRole("button", { name: "Actions", exact: true }).click();
    await one.getByRole("menuitem", { name: "Block Bruno" }).click();
    await one.getByRole("dialog").getByRole("button", { name: "Block Bruno" }).click();
    await one.getByText("You blocked Bruno.").waitFor();
    await checkAccessibility(one, "a blocked person");
    await picture(one, "blocked");
    await other.context().setOffline(false);
    await message(other, "Why do you not answer?").getByText("This person does not take messages from you.").waitFor();
    await checkAccessibility(other, "a refused message");
    await picture(other, "refused");
    await one.getByRole("button", { name: "Unblock" }).click();
    await Promise.all([field(one).waitFor(), field(other).waitFor()]);
    await message(other, "Why do you not answer?").getByRole("button", { name: "Try again" }).click();
    await message(one, "Why do you not answer?").waitFor();
    await status(other, "Why do you not answer?", "read");
  });

  await t.test("a draft is kept for each conversation, over a reload", async () => {
    const carla = await server.register("Carla");
    await one.getByRole("button", { name: "New conversation" }).click();
    await checkAccessibility(one, "the dialog for a new conversation");
    await picture(one, "new-conversation");
    await one.getByLabel("User id").fill("f".repeat(24));
    await one.getByRole("button", { name: "Start conversation" }).click();
    await one.getByText("Nobody here has this id.").waitFor();
    await one.getByLabel("User id").fill(carla.id);
    await one.getByRole("button", { name: "Start conversation" }).click();
    await one.getByRole("heading", { name: "Carla" }).waitFor();
    await ready(one);
    await checkAccessibility(one, "an empty conversation");
    await picture(one, "conversation-empty");
    await field(one).fill("a draft for Carla");
    await one.getByRole("link", { name: /^Bruno/ }).click();
    await one.getByRole("heading", { name: "Bruno" }).waitFor();
    assert.equal(await field(one).inputValue(), "");
    await one.reload();
    await ready(one);
    await one.getByRole("link", { name: /^Carla/ }).click();
    await eventually("the draft is back", async () => (await field(one).inputValue()) === "a draft for Carla");
  });

  await t.test("a reload shows the same history", async () => {
    await other.reload();
    await ready(other);
    await message(other, "Why do you not answer?").waitFor();
    const path = `/api/chat/conversations/${conversation}/messages?after_seq=0&limit=100`;
    const history = (await server.request("GET", path, { token: bruno.token })).json.data;
    assert.deepEqual(await texts(other), history.map(({ text, deleted_at }) => (deleted_at ? "Message deleted" : text)));
  });
});

for (const [name, minutes] of Object.entries({ "ahead": 20, "behind": -20, "right": 0 })) {
  test(`Edit is offered for as long as the server lets, with a clock that is ${name}`, async (t) => {
    const server = await Server.start(t, { EDIT_WINDOW: "3s" });
    const { ana, conversation } = await server.pair();
    const page = await open(t, server, ana);
    const moved = minutes * 60_000;
    await page.addInitScript((difference) => {
      const { now } = Date;
      Date.now = () => now() + difference;
      const Real = Date;
      window.Date = class extends Real {
        constructor(...values) {
          super(...(values.length ? values : [Real.now()]));
        }
      };
    }, moved);
    await page.goto(`${server.url}/#/c/${conversation}`);
    await page.reload();
    await ready(page);
    const offers = async () => {
      await menuOf(page, "a message");
      await page.getByRole("menuitem", { name: "Copy text" }).waitFor();
      const count = await page.getByRole("menuitem", { name: "Edit" }).count();
      await page.keyboard.press("Escape");
      return count === 1;
    };
    await write(page, "a message");
    await status(page, "a message", "sent");
    assert.equal(await offers(), true, "it is new");
    await eventually("it is too old", async () => !(await offers()), 8000);
    const [{ _id: id }] = await server.history(ana.token, conversation);
    // The page ends the window when the server does, or a moment before.
    const late = { token: ana.token, body: { text: "late" } };
    await eventually("the server says so, too", async () => (await server.request("PATCH", `/api/chat/messages/${id}`, late)).status === 403);
    await field(page).press("ArrowUp");
    assert.equal(await page.getByText("Editing your message").count(), 0);
  });
}

test("the list", async (t) => {
  const server = await Server.start(t);
  const ana = await server.register("Ana");
  const people = [];
  for (const name of ["Bruno Paz", "Lucía Núñez", "Óscar Gil"]) {
    const person = await register(server, name);
    const body = { recipient_id: ana.id };
    person.conversation = (await server.request("POST", "/api/chat/conversations", { token: person.token, body })).json.data._id;
    person.say = (text) =>
      server.request("POST", `/api/chat/conversations/${person.conversation}/messages`, { token: person.token, body: { text } });
    people.push(person);
  }
  const [bruno, lucia, oscar] = people;
  await bruno.say("the first");
  await lucia.say("the second");
  const page = await open(t, server, ana);
  const rows = () => page.locator(".row-name").allInnerTexts();
  await eventually("the newest is first", async () => (await rows())[0] === "Lucía Núñez");

  await t.test("a message moves its conversation up and counts, in the title too", async () => {
    await oscar.say("the third");
    await eventually("Óscar is first", async () => (await rows())[0] === "Óscar Gil");
    await page.getByRole("link", { name: /Óscar Gil.*the third.*1 unread message/s }).waitFor();
    await eventually("three are unread", async () => (await page.title()) === "(3) Horse Trust");
    await bruno.say("the fourth");
    await page.getByRole("link", { name: /Bruno Paz.*2 unread messages/s }).waitFor();
    await eventually("four are unread", async () => (await page.title()) === "(4) Horse Trust");
    await checkAccessibility(page, "a list with unread messages");
    await picture(page, "list");
  });

  await t.test("somebody new appears in it", async () => {
    const dora = await server.register("Dora");
    const opened = await server.request("POST", "/api/chat/conversations", { token: dora.token, body: { recipient_id: ana.id } });
    const path = `/api/chat/conversations/${opened.json.data._id}/messages`;
    await server.request("POST", path, { token: dora.token, body: { text: "Hello from nowhere" } });
    await page.getByRole("link", { name: /Dora.*Hello from nowhere/s }).waitFor();
  });

  await t.test("it is searched by typing, without accents too", async () => {
    await page.getByRole("searchbox").fill("nunez");
    await eventually("only she is left", async () => (await rows()).join() === "Lucía Núñez");
    await page.getByRole("searchbox").fill("zzz");
    await page.getByText("No conversation matches “zzz”.").waitFor();
    await page.getByRole("searchbox").fill("");
  });

  await t.test("a browser's notification is shown to who looks elsewhere", async () => {
    await page.context().grantPermissions(["notifications"], { origin: server.url });
    await page.reload();
    await page.getByRole("link", { name: /Óscar Gil/ }).waitFor();
    await page.evaluate(() => {
      window.shown = [];
      window.Notification = class {
        static permission = "granted";
        constructor(title, { body }) {
          window.shown.push([title, body]);
        }
      };
    });
    await lookAway(page);
    await oscar.say("do you hear me?");
    await page.getByRole("link", { name: /Óscar Gil.*do you hear me/s }).waitFor();
    assert.deepEqual(await page.evaluate(() => window.shown), [["Óscar Gil", "do you hear me?"]]);
  });

  await t.test("who comes online is shown", async () => {
    await lookBack(page);
    await page.getByRole("link", { name: /Lucía Núñez/ }).click();
    await ready(page);
    const hers = await openConversation(t, server, lucia, lucia.conversation);
    await page.locator(".presence").getByText("Online").waitFor();
    await hers.context().close();
    await page.locator(".presence").getByText(/^Last seen today at/).waitFor();
  });
});
