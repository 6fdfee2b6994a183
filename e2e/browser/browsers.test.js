// Browsers that refuse storage, input methods, screen readers, and scripts from right to left.
import assert from "node:assert/strict";
import test from "node:test";

import { Server, eventually } from "../lib/server.js";
import {
  checkAccessibility, field, lookAway, message, messages, open, openConversation, openWithoutStorage, picture, ready, register, status, texts,
  write,
} from "./lib/browser.js";

/** Somebody who writes over HTTP. */
const writer = (server, person, conversation) => (text) =>
  server.request("POST", `/api/chat/conversations/${conversation}/messages`, { token: person.token, body: { text } });

async function signIn(page, person) {
  await page.getByLabel("E-mail").fill(person.email);
  await page.getByRole("textbox", { name: "Password" }).fill("correct horse");
  await page.getByRole("button", { name: "Sign in" }).click();
}

test("with cookies and storage blocked the page works, and forgets on a reload", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const page = await openWithoutStorage(t, server);
  const name = await page.evaluate(() => {
    try {
      return String(localStorage);
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(name, "SecurityError", "this browser refuses");
  await signIn(page, ana);
  await page.getByRole("link", { name: /^Bruno/ }).click();
  await ready(page);
  await write(page, "without a memory");
  await status(page, "without a memory", "sent");
  await writer(server, bruno, conversation)("I hear you");
  await message(page, "I hear you").waitFor();
  await field(page).fill("a draft");
  await page.getByRole("button", { name: /^Account/ }).click();
  await page.getByRole("menuitem", { name: "Sign out", exact: true }).click();
  await signIn(page, ana);
  await eventually("the draft is there", async () => (await field(page).inputValue()) === "a draft");
  await page.reload();
  await page.getByRole("heading", { name: "Welcome back" }).waitFor();
});

for (const [name, refuse] of Object.entries({
  "a full disk": () => {
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  },
  "a browser without any storage": () => {
    for (const area of ["localStorage", "sessionStorage"]) Object.defineProperty(window, area, { value: null });
    for (const missing of ["indexedDB", "caches", "BroadcastChannel", "Notification"]) delete window[missing];
    Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
  },
})) {
  test(`${name} costs the memory, not the page`, async (t) => {
    const server = await Server.start(t);
    const { ana } = await server.pair();
    const page = await open(t, server);
    await page.addInitScript(refuse);
    await page.reload();
    await signIn(page, ana);
    await page.getByRole("link", { name: /^Bruno/ }).click();
    await ready(page);
    await page.context().setOffline(true);
    await page.getByText(/^You are offline/).waitFor();
    await write(page, "kept in the page");
    await status(page, "kept in the page", "waiting");
    await page.context().setOffline(false);
    await status(page, "kept in the page", "sent");
  });
}

test("only a real Enter sends", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  const page = await openConversation(t, server, ana, conversation);
  /** What a browser says of a key, without doing what the key does. */
  const press = (init) =>
    field(page).evaluate((element, given) => {
      const event = new KeyboardEvent("keydown", { bubbles: true, cancelable: true, key: "Enter", ...given });
      element.dispatchEvent(event);
      return event.defaultPrevented;
    }, init);

  await t.test("not the one that chooses a word in Safari, after the composition's end", async () => {
    await field(page).fill("にほ");
    await field(page).evaluate((element) => {
      element.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
      element.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: "にほ" }));
    });
    assert.equal(await press({ keyCode: 229, isComposing: false }), false);
    assert.equal(await press({ keyCode: 13, isComposing: true }), false);
    assert.equal(await press({ keyCode: 229, isComposing: true }), false);
    assert.equal(await field(page).inputValue(), "にほ");
    assert.equal(await messages(page).count(), 0);
    await field(page).press("Enter");
    await message(page, "にほ").waitFor();
  });

  await t.test("not while Chromium composes", async () => {
    const devtools = await page.context().newCDPSession(page);
    await field(page).focus();
    await devtools.send("Input.imeSetComposition", { text: "馬", selectionStart: 1, selectionEnd: 1 });
    await devtools.send("Input.dispatchKeyEvent", { type: "rawKeyDown", key: "Process", code: "Enter", windowsVirtualKeyCode: 229 });
    await devtools.send("Input.insertText", { text: "馬です" });
    assert.equal(await field(page).inputValue(), "馬です");
    assert.equal(await messages(page).count(), 1);
    await field(page).press("Enter");
    await message(page, "馬です").waitFor();
  });

  await t.test("the line break of a keyboard on Android does", async () => {
    await field(page).fill("from a phone");
    await press({ key: "Unidentified", keyCode: 229 });
    const isTaken = await field(page).evaluate((element) => {
      const event = new InputEvent("beforeinput", { bubbles: true, cancelable: true, inputType: "insertLineBreak" });
      element.dispatchEvent(event);
      return event.defaultPrevented;
    });
    assert.equal(isTaken, true);
    await message(page, "from a phone").waitFor();
    assert.deepEqual(await texts(page), ["にほ", "馬です", "from a phone"]);
  });

  await t.test("nor do the arrows that move among its words go elsewhere", async () => {
    const search = page.getByRole("searchbox");
    await search.focus();
    const stays = (init) =>
      search.evaluate((element, given) => {
        element.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, key: "ArrowDown", ...given }));
        return document.activeElement === element;
      }, init);
    assert.equal(await stays({ isComposing: true, keyCode: 229 }), true);
    assert.equal(await stays({ keyCode: 229 }), true);
    assert.equal(await stays({ keyCode: 40 }), false);
  });

  await t.test("Shift and Enter break the line", async () => {
    await field(page).fill("one");
    await field(page).press("Shift+Enter");
    await field(page).pressSequentially("two");
    assert.equal(await field(page).inputValue(), "one\ntwo");
  });
});

test("each message is announced to screen readers, also the same one three times", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const page = await openConversation(t, server, ana, conversation);
  await page.evaluate(() => {
    window.spoken = [];
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) for (const node of addedNodes) window.spoken.push(node.textContent);
    }).observe(document.querySelector("[role=log]"), { childList: true, characterData: true, subtree: true });
  });
  const say = writer(server, bruno, conversation);
  for (let count = 0; count < 3; count++) await say("ok");
  await eventually("all three are there", async () => (await messages(page).count()) === 3);
  assert.deepEqual(await page.evaluate(() => window.spoken), ["Bruno: ok", "Bruno: ok", "Bruno: ok"]);
  for (let count = 0; count < 30; count++) await say(`number ${count}`);
  await page.getByRole("log").getByText("Bruno: number 29").waitFor({ state: "attached" });
  const { spoken, kept } = await page.evaluate(() => ({
    spoken: window.spoken,
    kept: document.querySelector("[role=log]").childElementCount,
  }));
  assert.equal(spoken.length, 33);
  assert.ok(kept <= 20, `${kept} are kept`);
  const log = page.getByRole("log");
  assert.equal(await log.getAttribute("aria-live"), "polite");
  assert.equal(await log.getAttribute("aria-relevant"), "additions");
});

test("a link in brackets ends before them, and one that pretends is none", async (t) => {
  const server = await Server.start(t);
  const { ana, conversation } = await server.pair();
  const page = await openConversation(t, server, ana, conversation);
  await write(page, "(https://x.example/Horse_(breed))");
  await message(page, "(breed)").waitFor();
  const link = message(page, "(breed)").getByRole("link");
  assert.equal(await link.getAttribute("href"), "https://x.example/Horse_(breed)");
  await write(page, "sign in at https://horse-trust.example@evil.example or javascript:alert(1)");
  await message(page, "evil.example").waitFor();
  assert.equal(await message(page, "evil.example").getByRole("link").count(), 0);
});

test("names and texts from right to left turn nothing beside them", async (t) => {
  const server = await Server.start(t);
  const ana = await server.register("Ana");
  const name = "أحمد (بائع)";
  const ahmad = await register(server, name);
  const opened = await server.request("POST", "/api/chat/conversations", { token: ahmad.token, body: { recipient_id: ana.id } });
  const conversation = opened.json.data._id;
  const say = writer(server, ahmad, conversation);
  await say("السعر 9500 يورو!");
  const page = await open(t, server, ana);
  const row = page.locator("a.row");
  await row.waitFor();

  /** From left to right as they are seen, the boxes of what an element holds. */
  const places = (selector, ...parts) =>
    page.locator(selector).evaluate((element, wanted) => {
      const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
      const found = [];
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        for (const part of wanted) {
          const start = node.data.indexOf(part);
          if (start < 0) continue;
          const range = document.createRange();
          range.setStart(node, start);
          range.setEnd(node, start + part.length);
          found.push([range.getBoundingClientRect().left, part]);
        }
      }
      return found.sort(([one], [other]) => one - other).map(([, part]) => part);
    }, parts);

  await t.test("in the list", async () => {
    for (const selector of [".row-name", ".row-preview bdi"]) {
      const { unicodeBidi, direction } = await page.locator(selector).evaluate((element) => {
        const { unicodeBidi, direction } = getComputedStyle(element);
        return { unicodeBidi, direction };
      });
      assert.equal(unicodeBidi, "isolate", selector);
      assert.equal(direction, "rtl", selector);
    }
    assert.deepEqual(await places(".row-preview", "!", "9500", "السعر"), ["!", "9500", "السعر"]);
    const [left, expected] = await page.evaluate(() =>
      [".row-name", ".row-preview bdi"].map((selector) => document.querySelector(selector).getBoundingClientRect().left));
    assert.equal(left, expected, "both begin where a row's text does");
    await checkAccessibility(page, "a list with Arabic");
    await picture(page, "right-to-left-list");
  });

  await t.test("in the conversation, while typing, and in what one has sent", async () => {
    await row.click();
    await ready(page);
    assert.equal(await page.locator("h1[dir=auto]").innerText(), name);
    const his = await openConversation(t, server, { ...ahmad, name }, conversation);
    await field(his).pressSequentially("x");
    await page.locator(".typing-line bdi").waitFor();
    assert.deepEqual(await places(".typing-line", "أحمد", "is typing"), ["أحمد", "is typing"]);
    await picture(page, "right-to-left-conversation");
    await field(his).fill("");
    await write(page, "شكرا https://x.example/a(b)?q=1");
    await row.getByText("You:").waitFor();
    assert.deepEqual(await places(".row-preview", "You", "شكرا"), ["You", "شكرا"]);
    // Stored: until then its element may be replaced while it is looked at.
    await message(page, "شكرا").and(page.locator("[data-seq]")).waitFor();
    const link = message(page, "شكرا").getByRole("link");
    assert.equal(await link.evaluate((element) => getComputedStyle(element).direction), "ltr");
    await checkAccessibility(page, "a conversation with Arabic");
    await his.context().close();
  });

  await t.test("in the title and in notifications", async () => {
    assert.equal(await page.title(), `\u2068${name}\u2069 · Horse Trust`);
    await page.context().grantPermissions(["notifications"], { origin: server.url });
    await page.reload();
    await ready(page);
    await page.evaluate(() => {
      window.shown = [];
      window.Notification = class {
        static permission = "granted";
        constructor(title, { body, tag, renotify }) {
          window.shown.push({ title, body, tag, renotify });
        }
      };
    });
    await lookAway(page);
    await say("نعم");
    await say("لا");
    await eventually("both are shown", async () => (await page.evaluate(() => window.shown.length)) === 2);
    const shown = (body) => ({ title: `\u2068${name}\u2069`, body: `\u2068${body}\u2069`, tag: conversation, renotify: true });
    assert.deepEqual(await page.evaluate(() => window.shown), [shown("نعم"), shown("لا")]);
    await eventually("two are unread", async () => (await page.title()) === `(2) \u2068${name}\u2069 · Horse Trust`);
  });
});

test("each message of a conversation is a notification with a sound, in one of several windows", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const page = await openConversation(t, server, ana, conversation);
  await page.context().grantPermissions(["notifications"], { origin: server.url });
  const second = await page.context().newPage();
  const record = () => {
    window.shown = [];
    window.Notification = class {
      static permission = "granted";
      constructor(title, { body, tag, renotify }) {
        window.shown.push([body, tag, renotify]);
      }
    };
    document.hasFocus = () => false;
  };
  for (const window of [page, second]) await window.addInitScript(record);
  await page.reload();
  await second.goto(page.url());
  await Promise.all([ready(page), ready(second)]);
  const say = writer(server, bruno, conversation);
  const shown = async () => (await Promise.all([page, second].map((window) => window.evaluate(() => window.shown)))).flat();
  for (const text of ["first", "second"]) {
    await say(text);
    await Promise.all([page, second].map((window) => message(window, text).waitFor()));
  }
  const expected = ["first", "second"].map((text) => [text, conversation, true]);
  assert.deepEqual((await shown()).sort(), expected);

  // The other window goes on when the one that notified is closed.
  const notifier = (await page.evaluate(() => window.shown.length)) > 0 ? page : second;
  await notifier.close();
  const left = notifier === page ? second : page;
  await eventually("the other notifies", async () => {
    await say("third");
    return left.evaluate(() => window.shown.some(([text]) => text === "third"));
  });
});
