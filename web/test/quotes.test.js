// What a reply quotes follows the message that it replies to.
import assert from "node:assert/strict";
import test from "node:test";

import "./lib/browser.js";
import { loadState } from "./lib/load.js";

const { timelines } = await loadState();

test("a quote says what its message now says", () => {
  const conversation_id = "c";
  const message = (seq, text, fields) => ({ _id: `m${seq}`, conversation_id, seq, text, sender_id: { _id: "ana", full_name: "Ana" }, ...fields });
  const asked = message(1, "x".repeat(300));
  const quote = timelines.quote(asked);
  assert.deepEqual(quote, { _id: "m1", seq: 1, sender_id: "ana", text: "x".repeat(200) });
  const timeline = timelines.timeline(conversation_id);
  timeline.value = { phase: "ready", blocks: new Map(), first: 1, last: 0, older: "none" };
  // The last lies in another block.
  for (const seq of [1, 2, 3, 20]) {
    timeline.value = { ...timeline.peek(), last: seq - 1 };
    timelines.receive(seq === 1 ? asked : message(seq, "", seq === 3 ? {} : { reply_to: quote }));
  }
  const quoted = () => [...timeline.peek().blocks.values()].flat().map(({ reply_to }) => reply_to?.text);
  const third = timeline.peek().blocks.get(0)[2];
  timelines.change(conversation_id, 1, (known) => ({ ...known, text: "y" }));
  assert.deepEqual(quoted(), [undefined, "y", undefined, "y"]);
  assert.equal(timeline.peek().blocks.get(0)[2], third, "others stay as they are");
  timelines.change(conversation_id, 1, (known) => ({ ...known, text: "", deleted_at: "now" }));
  assert.deepEqual(quoted(), [undefined, "", undefined, ""]);
});
