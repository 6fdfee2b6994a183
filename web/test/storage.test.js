import assert from "node:assert/strict";
import test from "node:test";

import { Area } from "./lib/browser.js";
import { load } from "./lib/load.js";

const { Kept } = await load("state/storage.ts");

test("what is kept is there for the next page", () => {
  const area = new Area();
  new Kept(() => area).write("a.1", { b: 1 });
  const next = new Kept(() => area);
  assert.deepEqual(next.read("a.1"), { b: 1 });
  assert.deepEqual(next.names("a."), ["a.1"]);
  next.write("a.1", undefined);
  assert.equal(next.read("a.1"), undefined);
  area["horse-trust.bad"] = "{";
  assert.equal(next.read("bad"), undefined);
});

test("a browser that keeps nothing is the page's own memory", () => {
  const kept = new Kept(() => {
    throw new DOMException("Access is denied for this document.", "SecurityError");
  });
  assert.equal(kept.read("a"), undefined);
  assert.deepEqual(kept.names(""), []);
  kept.write("a", 1);
  assert.equal(kept.read("a"), 1);
  assert.deepEqual(kept.names("a"), ["a"]);
  kept.write("a", undefined);
  assert.equal(kept.read("a"), undefined);
  // `localStorage` is null in some embedded browsers.
  const none = new Kept(() => null);
  none.write("a", 1);
  assert.equal(none.read("a"), 1);
});

test("with a full disk the newest is read, and nothing old comes back", () => {
  const area = new Area();
  const kept = new Kept(() => area);
  kept.write("draft", "old");
  area.room = 0;
  kept.write("draft", "new");
  assert.equal(kept.read("draft"), "new");
  assert.equal(new Kept(() => area).read("draft"), undefined);
  area.room = Infinity;
  kept.write("draft", "newest");
  assert.equal(new Kept(() => area).read("draft"), "newest");
});
