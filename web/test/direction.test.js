import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./lib/load.js";

const { isolate } = await load("direction.ts");

test("a name from right to left is isolated, another left alone", () => {
  assert.equal(isolate("Óscar Gil (2)"), "Óscar Gil (2)");
  assert.equal(isolate("أحمد"), "\u2068أحمد\u2069");
  assert.equal(isolate("דוד 12"), "\u2068דוד 12\u2069");
  assert.equal(isolate("one\n\nأحمد"), "\u2068one\u2069\n\n\u2068أحمد\u2069");
});

test("nothing in a name ends its isolate or reaches beyond it", () => {
  assert.equal(isolate("\u202Eevil"), "\u2068evil\u2069");
  assert.equal(isolate("\u2069\u2067x"), "\u2068x\u2069");
});
