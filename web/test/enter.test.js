import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./lib/load.js";

const { EnterKey } = await load("enter.ts");
const press = { key: "Enter", shiftKey: false, isComposing: false, keyCode: 13 };
const lineBreak = { inputType: "insertLineBreak", isComposing: false };

test("Enter sends, Shift+Enter breaks the line", () => {
  const enter = new EnterKey();
  assert.equal(enter.onKeyDown(press), true);
  assert.equal(enter.onKeyDown({ ...press, shiftKey: true }), false);
  assert.equal(enter.onBeforeInput(lineBreak), false);
});

test("the Enter that chooses a word does not send, in Chromium, Firefox and Safari", () => {
  const enter = new EnterKey();
  assert.equal(enter.onKeyDown({ ...press, isComposing: true, keyCode: 229 }), false);
  assert.equal(enter.onKeyDown({ ...press, isComposing: true }), false);
  // Safari: after `compositionend`.
  assert.equal(enter.onKeyDown({ ...press, keyCode: 229 }), false);
  assert.equal(enter.onBeforeInput({ inputType: "insertFromComposition", isComposing: false }), false);
  enter.onKeyUp();
  assert.equal(enter.onKeyDown(press), true, "the next one does");
});

test("on Android, where every key is 229, the line break that comes of Enter sends", () => {
  const enter = new EnterKey();
  const key = { key: "Unidentified", shiftKey: false, isComposing: true, keyCode: 229 };
  assert.equal(enter.onKeyDown(key), false);
  assert.equal(enter.onBeforeInput({ inputType: "insertCompositionText", isComposing: true }), false);
  enter.onKeyUp();
  assert.equal(enter.onKeyDown({ ...key, isComposing: false }), false);
  assert.equal(enter.onBeforeInput(lineBreak), true);
  enter.onKeyUp();
  assert.equal(enter.onBeforeInput(lineBreak), false, "a line break of no key, as dictated");
});
