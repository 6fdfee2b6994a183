// How much is loaded, how soon it can be used, and how a long history scrolls: measured, and kept in the output.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import test from "node:test";

import { Server, eventually } from "../lib/server.js";
import { OUTPUT, field, message, open, openConversation, picture, texts, write } from "./lib/browser.js";
import { TALK, withHistory } from "./lib/history.js";

const MAX_COMPRESSED = 120_000;
const MAX_USABLE = 1000;

function keep(name, figures) {
  writeFileSync(`${OUTPUT}${name}.json`, `${JSON.stringify(figures, undefined, 2)}\n`);
}

test("the first load", { skip: process.env.HORSE_TRUST_PAGE && "of the binary's page" }, async (t) => {
  const server = await Server.start(t);
  const page = await open(t, server);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  const usable = await page.evaluate(() => performance.now());
  const loaded = await page.evaluate(() =>
    [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].map((entry) => ({
      name: new URL(entry.name).pathname, compressed: entry.transferSize, size: entry.decodedBodySize,
    })),
  );
  const compressed = loaded.reduce((sum, entry) => sum + entry.compressed, 0);
  const firstPaint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  keep("first-load", { compressed, usable: Math.round(usable), firstPaint: Math.round(firstPaint), loaded });
  assert.ok(compressed < MAX_COMPRESSED, `${compressed} bytes`);
  assert.ok(usable < MAX_USABLE, `usable after ${usable} ms`);

  await t.test("assets are kept, the page is asked for anew and not sent again", async () => {
    const index = await fetch(server.url);
    const tag = index.headers.get("etag");
    assert.equal(index.headers.get("cache-control"), "no-cache");
    assert.equal((await fetch(server.url, { headers: { "if-none-match": tag } })).status, 304);
    const script = loaded.find(({ name }) => name.endsWith(".js")).name;
    const asset = await fetch(server.url + script);
    assert.equal(asset.headers.get("cache-control"), "public, max-age=31536000, immutable");
    assert.equal((await fetch(`${server.url}/assets/nothing.js`)).status, 404);
    const policy = index.headers.get("content-security-policy");
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.doesNotMatch(policy, /unsafe/);
  });
});

test("10 000 messages scroll without a stall", async (t) => {
  const count = 10_000;
  const all = Array.from({ length: count }, (_, number) => {
    const [who, words] = TALK[number % TALK.length];
    return [who, `${number + 1}. ${words}`];
  });
  const { server, ana, bruno, conversation } = await withHistory(t, all, { every: 600_000 });
  const page = await openConversation(t, server, ana, conversation);
  await page.getByText(`${count}. `).first().waitFor();
  await page.evaluate(() => {
    const watch = (window.watch = { gaps: [], tasks: [], before: performance.now(), most: 0 });
    new PerformanceObserver((list) => watch.tasks.push(...list.getEntries().map((entry) => Math.round(entry.duration)))).observe({ type: "longtask" });
    requestAnimationFrame(function frame(now) {
      watch.gaps.push(now - watch.before);
      watch.before = now;
      watch.most = Math.max(watch.most, document.querySelectorAll("article").length);
      requestAnimationFrame(frame);
    });
  });
  const figures = async () => {
    const { gaps, tasks, most } = await page.evaluate(() => window.watch);
    await page.evaluate(() => Object.assign(window.watch, { gaps: [], tasks: [] }));
    gaps.sort((one, other) => one - other);
    const at = (share) => Math.round(gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * share))]);
    return { frames: gaps.length, median: at(0.5), p99: at(0.99), longest: at(1), longTasks: tasks.length, longestTask: Math.max(0, ...tasks), articles: most };
  };
  await figures();

  const scroller = await page.locator(".scroller").boundingBox();
  await page.mouse.move(scroller.x + 200, scroller.y + 200);
  const begin = performance.now();
  await eventually("the first message", async () => {
    for (let turn = 0; turn < 8; turn++) await page.mouse.wheel(0, -2500);
    return (await page.locator("article[data-seq='1']").count()) === 1;
  }, 120_000);
  const up = { ...(await figures()), milliseconds: Math.round(performance.now() - begin) };

  // And through all of it, as with the bar of the scroller.
  await page.evaluate(async () => {
    const element = document.querySelector(".scroller");
    const height = element.scrollHeight;
    for (let step = 0; step <= 200; step++) {
      element.scrollTop = -height * (1 - step / 200);
      await new Promise(requestAnimationFrame);
    }
  });
  const through = await figures();

  // Up in the history: what comes moves nothing.
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
  assert.ok(after.seq === before.seq && Math.abs(after.top - before.top) <= 1, `one reads on where one was: ${JSON.stringify({ before, after })}`);
  await page.getByRole("button", { name: "To the newest message" }).click();
  await message(page, "new 4").waitFor();

  await field(page).pressSequentially("Typing is as quick as ever");
  const typing = await figures();
  await page.getByRole("button", { name: "Send" }).click();
  await message(page, "Typing is as quick as ever").waitFor();
  await picture(page, "long-history");
  keep("long-history", { up, through, typing });
  assert.equal((await texts(page)).at(-1), "Typing is as quick as ever");
  // On two idle cores no task takes 100 ms, and the median frame 17; what runs beside it makes both longer.
  for (const [name, { longestTask, median, articles }] of Object.entries({ up, through, typing })) {
    assert.ok(longestTask < 250, `${name}: a task of ${longestTask} ms`);
    assert.ok(median < 50, `${name}: half of the frames took over ${median} ms`);
    assert.ok(articles < 400, `${name}: ${articles} messages in the document`);
  }
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
