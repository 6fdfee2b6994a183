import assert from "node:assert/strict";
import test from "node:test";

import "./lib/browser.js";
import { loadState } from "./lib/load.js";

const { drafts, outbox, session } = await loadState();
// Nobody answers.
globalThis.fetch = () => new Promise(() => {});
session.session.value = { token: "", user: { id: "me", email: "", full_name: "" } };
const refused = { client_id: "c-1", conversation_id: "a", text: "hello", at: 1, refusal: "Error sending message" };

test("a refused message that is sent again as it was keeps its client_id, over a reload, once", () => {
  drafts.takeBack("a", refused, outbox.canKeepId(refused));
  assert.equal(drafts.draft("a").peek(), "hello");
  assert.equal(drafts.takeReturnedId("a", "hello"), "c-1");
  assert.equal(drafts.takeReturnedId("a", "hello"), undefined, "the next one is another message");
});

test("changed it is another message", () => {
  drafts.setDraft("a", "");
  drafts.takeBack("a", refused, true);
  assert.equal(drafts.takeReturnedId("a", "hello!"), undefined);
  drafts.setDraft("a", "there");
  drafts.takeBack("a", refused, true);
  assert.equal(drafts.draft("a").peek(), "hello\nthere");
  assert.equal(drafts.takeReturnedId("a", "hello\nthere"), undefined);
});

test("a client_id that is another message's is not tried again", () => {
  const taken = { ...refused, refusal: "client_id was used for another message" };
  drafts.takeBack("b", taken, outbox.canKeepId(taken));
  assert.equal(drafts.takeReturnedId("b", "hello"), undefined);
});
