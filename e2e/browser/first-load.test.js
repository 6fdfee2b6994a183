// What a visitor has to wait for: how much is loaded, and in how many requests. How long that took here is kept in the output.
import assert from "node:assert/strict";
import test from "node:test";

import { Server } from "../lib/server.js";
import { keep, open } from "./lib/browser.js";

/** The page, its script, its style, the icon, and whether this is a demo. */
const MAX_REQUESTS = 5;
const MAX_COMPRESSED = 120_000;

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
  assert.ok(loaded.length <= MAX_REQUESTS, JSON.stringify(loaded));
  t.diagnostic(`${compressed} bytes in ${loaded.length} requests, usable after ${Math.round(usable)} ms`);

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
