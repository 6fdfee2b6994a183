import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./lib/load.js";

const { ServerClock } = await load("state/clock.ts");

const at = (milliseconds) => new Date(Date.UTC(2026, 0, 1) + milliseconds).toISOString();

test("a message can be edited for as long as the server says, by the server's clock", () => {
  let now = 5000;
  const clock = new ServerClock(() => now);
  assert.equal(clock.canEdit(at(0)), false, "nothing is known yet");
  clock.note({ server_time: at(0), edit_window_ms: 2000 }, now);
  assert.equal(clock.editWindow, 2000);
  assert.equal(clock.canEdit(at(0)), true);
  now += 1999;
  assert.equal(clock.canEdit(at(0)), true);
  now += 1;
  assert.equal(clock.canEdit(at(0)), false);
  assert.equal(clock.canEdit(at(1500)), true, "one that came later");
});

test("an answer that took long makes the window shorter, not longer", () => {
  let now = 0;
  const clock = new ServerClock(() => now);
  const asked = now;
  now += 800;
  clock.note({ server_time: at(700), edit_window_ms: 1000 }, asked);
  assert.equal(clock.canEdit(at(600)), true);
  now += 100;
  assert.equal(clock.canEdit(at(600)), false);
});

test("an answer without times changes nothing", () => {
  const clock = new ServerClock(() => 0);
  clock.note({}, 0);
  clock.note({ server_time: "now", edit_window_ms: 1 }, 0);
  assert.equal(clock.canEdit(at(0)), false);
  assert.equal(clock.editWindow, Infinity, "so that nothing that may have been edited is passed over");
});
