// A long history: what it costs to scroll and to write in it, and that one stays where one was. Asserted is what does not
// depend on the machine, the number of elements and the work beside that of a short history; times are kept in the output.
import assert from "node:assert/strict";
import test from "node:test";

import { eventually } from "../lib/server.js";
import { field, keep, message, openConversation, picture, texts, write } from "./lib/browser.js";
import { TALK, withHistory } from "./lib/history.js";
import { countWork } from "./lib/work.js";

const SHORT = 200;
const LONG = 10_000;
/** Steps of the measured scrolling, each half a screen or so. */
const STEPS = 40;
const STEP = 300;
const ROUNDS = 3;
/** So many times the work for so many times the messages is too much; a page that draws them all does hundreds of times. */
const MOST_TIMES = 4;
const WORDS = "Typing is as quick as ever, whatever is above it";

function assertFew(name, { articles, elements }) {
  assert.ok(articles < 400, `${name}: ${articles} messages in the document`);
  assert.ok(elements < LONG, `${name}: ${elements} elements in the document`);
}

/** Two people with `count` messages, and the page of one of them, with all of them loaded. */
async function scrolledToTheFirst(t, count) {
  const all = Array.from({ length: count }, (_, number) => {
    const [who, words] = TALK[number % TALK.length];
    return [who, `${number + 1}. ${words}`];
  });
  const { server, ana, bruno, conversation } = await withHistory(t, all, { every: 600_000 });
  const page = await openConversation(t, server, ana, conversation);
  await message(page, `${count}. `).waitFor();
  const scroller = await page.locator(".scroller").boundingBox();
  await page.mouse.move(scroller.x + 200, scroller.y + 200);
  const work = await countWork(page);
  await eventually("the first message", async () => {
    for (let turn = 0; turn < 8; turn++) await page.mouse.wheel(0, -2500);
    return (await page.locator("article[data-seq='1']").count()) === 1;
  }, 240_000);
  const up = await work.take();
  assertFew("up", up);
  return { server, page, bruno, conversation, work, up };
}

/** Scrolls down to the newest message, and types a text: the work of both. */
async function scrollAndType({ page, work }) {
  const steps = Array.from({ length: STEPS + 1 }, (_, number) => (number - STEPS) * STEP);
  const scroll = (places) =>
    page.evaluate(async (all) => {
      const scroller = document.querySelector(".scroller");
      for (const place of all) {
        scroller.scrollTop = place;
        // Two frames: observers of what is near the screen run after the first.
        await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      }
    }, places);
  await scroll(Array(5).fill(steps[0]));
  await work.take();
  await scroll(steps);
  const scrolling = await work.take();
  await field(page).pressSequentially(WORDS);
  const typing = await work.take();
  await field(page).fill("");
  await work.take();
  return { scrolling, typing };
}

/** The least of each figure: what else the machine does can only add to it. */
function least(rounds) {
  const names = Object.keys(rounds[0]);
  return Object.fromEntries(names.map((name) => [name, Math.min(...rounds.map((figures) => figures[name]))]));
}

test("10 000 messages cost hardly more than 200", async (t) => {
  const short = await scrolledToTheFirst(t, SHORT);
  const long = await scrolledToTheFirst(t, LONG);
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push({ short: await scrollAndType(short), long: await scrollAndType(long) });

  // Through all of it, as with the bar of the scroller.
  await long.page.evaluate(async () => {
    const element = document.querySelector(".scroller");
    const height = element.scrollHeight;
    for (let step = 0; step <= 200; step++) {
      element.scrollTop = -height * (1 - step / 200);
      await new Promise(requestAnimationFrame);
    }
  });
  const through = await long.work.take();
  const all = { up: long.up, through };
  for (const action of ["scrolling", "typing"]) {
    const [few, many] = ["short", "long"].map((which) => least(rounds.map((round) => round[which][action])));
    Object.assign(all, { [`${action}, ${SHORT}`]: few, [action]: many });
    const [less, more] = [few, many].map(({ scriptMs, layoutMs }) => scriptMs + layoutMs);
    assert.ok(more < MOST_TIMES * less + 20, `${action}: ${more} ms of script and layout, and ${less} ms with ${SHORT} messages`);
    assert.ok(many.layouts < 2 * few.layouts, `${action}: ${many.layouts} layouts, and ${few.layouts} with ${SHORT} messages`);
    for (const round of rounds) assertFew(action, round.long[action]);
  }
  assertFew("through", through);
  t.diagnostic(JSON.stringify(all));
  keep("long-history", all);
  await picture(long.page, "long-history");
});

test("one reads on where one was while new messages come", async (t) => {
  const { server, page, bruno, conversation } = await scrolledToTheFirst(t, 2000);
  await page.evaluate(() => (document.querySelector(".scroller").scrollTop = -60_000));
  await eventually("messages are drawn", async () =>
    page.evaluate(() => {
      const box = document.querySelector(".scroller").getBoundingClientRect();
      return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)?.closest("article, .feed > div > *") !== null;
    }));
  const place = () =>
    page.evaluate(() => {
      const top = document.querySelector(".scroller").getBoundingClientRect().top;
      const article = [...document.querySelectorAll("article")].find((one) => one.getBoundingClientRect().bottom > top);
      return { seq: article.dataset.seq, top: article.getBoundingClientRect().top };
    });
  const before = await place();
  const other = await openConversation(t, server, bruno, conversation);
  for (let number = 0; number < 5; number++) await write(other, `new ${number}`);
  await page.locator(".to-end .badge").getByText("5").waitFor();
  const after = await place();
  // Heights are fractions of pixels, which the browser rounds.
  assert.ok(after.seq === before.seq && Math.abs(after.top - before.top) <= 1, JSON.stringify({ before, after }));
  await page.getByRole("button", { name: "To the newest message" }).click();
  await message(page, "new 4").waitFor();
  await write(page, "And now I write");
  await message(page, "And now I write").waitFor();
  assert.equal((await texts(page)).at(-1), "And now I write");
});

test("older messages are loaded as one scrolls up, and one stays where one was", async (t) => {
  const all = Array.from({ length: 400 }, (_, number) => [number % 2, `message ${number + 1}\n${"line\n".repeat(number % 4)}end`]);
  const { server, ana, conversation } = await withHistory(t, all, { every: 3_600_000 });
  const page = await openConversation(t, server, ana, conversation);
  await message(page, "message 400").waitFor();
  // Each message is seen once where it stands, though more is loaded above all the time.
  const seen = await page.evaluate(async () => {
    const scroller = document.querySelector(".scroller");
    const places = [];
    let jumps = 0;
    for (let turn = 0; turn < 1500 && !document.querySelector("article[data-seq='1']"); turn++) {
      const article = [...document.querySelectorAll("article")].find((one) => one.getBoundingClientRect().bottom > scroller.getBoundingClientRect().top);
      const before = article?.getBoundingClientRect().top;
      scroller.scrollTop -= 100;
      const moved = article ? article.getBoundingClientRect().top - before : 0;
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      if (article?.isConnected) {
        const after = article.getBoundingClientRect().top - before;
        if (Math.abs(after - moved) > 2) jumps++;
        places.push(article.dataset.seq);
      }
    }
    return { jumps, turns: places.length, first: document.querySelector("article[data-seq='1']") !== null };
  });
  assert.ok(seen.first, `the first message was reached in ${seen.turns} turns`);
  assert.equal(seen.jumps, 0, "nothing jumped");
  await page.getByText("The beginning of your conversation with Bruno Arrieta").waitFor({ state: "attached" });
});
