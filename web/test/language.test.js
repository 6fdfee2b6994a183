import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { load } from "./lib/load.js";

const { english, englishRefusals } = await load("language/en.ts");
const { spanish, spanishRefusals } = await load("language/es.ts");

const admin = { english: (await load("admin/en.ts")).english, spanish: (await load("admin/es.ts")).spanish };

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("each text of the one language is in the other, with the same things put in", () => {
  const placed = (texts) => Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, text.match(/\{\w+\}/g)?.sort() ?? []]));
  assert.deepEqual(placed(spanish), placed(english));
  assert.deepEqual(placed(admin.spanish), placed(admin.english));
});

test("whatever the server refuses is said in both languages", () => {
  const [, union] = read("packages/events/index.d.ts").match(/export type Refusal =([^;]*);/);
  const refusals = [...union.matchAll(/"([^"]+)"/g)].map(([, message]) => message);
  assert.ok(refusals.length > 20);
  // What is said of the fields that the page has; the message about a phone number and a role can't come from it.
  const sources = ["http/accounts.rs", "contract/person.rs"].map((file) => read(`crates/horse-trust/src/${file}`)).join();
  const fields = [...sources.matchAll(/"((?:A valid email|Password must|Full name)[^"]*)"/g)];
  assert.ok(fields.length >= 4);
  for (const message of [...refusals, ...fields.map(([, found]) => found), "Too many attempts"]) {
    assert.ok(englishRefusals[message], `English: ${message}`);
    assert.ok(spanishRefusals[message], `Spanish: ${message}`);
  }
  assert.deepEqual(Object.keys(spanishRefusals).sort(), Object.keys(englishRefusals).sort());
});
