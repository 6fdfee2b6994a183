// Conversations that the platform makes, and what it shows of horses in them.
import assert from "node:assert/strict";
import test from "node:test";

import { connect } from "../lib/client.js";
import { Server, eventually } from "../lib/server.js";

const KEY = "a-key-of-the-platform-in-the-tests";
const LUNA = { title: "Luna", image_url: "https://example.com/luna.jpg", url: "https://example.com/luna", price: "9 500 €", custom: { stable: 7 } };

async function start(t) {
  const server = await Server.start(t, { API_KEYS: KEY });
  const { ana, bruno } = await server.pair();
  const admin = (method, path, body) => server.request(method, `/api/admin/${path}`, { token: KEY, body });
  const listings = async (user) => {
    const { json } = await server.request("GET", "/api/chat/conversations", { token: user.token });
    return Object.fromEntries(json.data.map(({ _id, listing }) => [_id, listing]));
  };
  const make = (fields) => admin("PUT", "conversations", { participants: [ana.id, bruno.id], ...fields });
  return { server, ana, bruno, admin, listings, make };
}

test("the platform makes a conversation about a horse, which both see", async (t) => {
  const { server, ana, bruno, admin, listings, make } = await start(t);
  const [a, b] = [await connect(t, server, ana), await connect(t, server, bruno)];
  const made = await make({ horse_id: "luna", listing: LUNA });
  assert.equal(made.status, 201);
  const { _id, horse_id, listing, unread_count, participants } = made.json.data;
  assert.deepEqual([horse_id, listing, unread_count, participants.map((one) => one._id)], ["luna", LUNA, 0, [ana.id, bruno.id]]);
  for (const client of [a, b]) {
    const [event] = await client.received("conversation_updated");
    assert.deepEqual([event._id, event.listing], [_id, LUNA]);
  }
  for (const user of [ana, bruno]) assert.deepEqual((await listings(user))[_id], LUNA);

  const again = await admin("PUT", "conversations", { participants: [bruno.id, ana.id], horse_id: "luna" });
  assert.deepEqual([again.status, again.json.data._id, again.json.data.listing], [200, _id, LUNA], "what is not named stays");
  const changed = await make({ horse_id: "luna", listing: { title: "Luna", status: "sold" } });
  assert.deepEqual([changed.status, changed.json.data.listing], [200, { title: "Luna", status: "sold" }]);
  const removed = await admin("PATCH", `conversations/${_id}`, { listing: null });
  assert.deepEqual([removed.status, "listing" in removed.json.data], [200, false]);
  // Another node may learn a little later who is online.
  const apart = ({ participant_states, ...rest }) => [participant_states.length, rest];
  for (const answer of [await admin("GET", `conversations/${_id}`), await admin("PATCH", `conversations/${_id}`, {})]) {
    assert.deepEqual([answer.status, apart(answer.json.data)], [200, apart(removed.json.data)]);
  }
});

test("a listing changes in all conversations about its horse", async (t) => {
  const { server, ana, bruno, admin, listings, make } = await start(t);
  const { _id: luna } = (await make({ horse_id: "luna", listing: LUNA })).json.data;
  const { _id: other } = (await make({ horse_id: "sol" })).json.data;
  const cleo = (await admin("PUT", "conversations", { participants: [ana.id, "cleo"], horse_id: "luna" })).json.data._id;
  const b = await connect(t, server, bruno);
  const sold = { title: "Luna", status: "sold" };
  const changed = await admin("PATCH", "listings/luna", sold);
  assert.deepEqual([changed.status, changed.json], [200, { success: true, changed: 2 }]);
  // Those of the two before may come from another node only now.
  await eventually("the other is notified", () => b.named("conversation_updated").some(({ _id, listing }) => _id === luna && listing?.status === "sold"));
  const all = await listings(ana);
  assert.deepEqual([all[luna], all[cleo], all[other]], [sold, sold, undefined]);
  await admin("PATCH", `conversations/${luna}`, { listing: LUNA });
  assert.deepEqual((await listings(ana))[luna], LUNA, "the newer one counts");
  assert.deepEqual((await listings(ana))[cleo], sold);
  await admin("PATCH", "listings/luna", LUNA);
  assert.deepEqual((await listings(ana))[cleo], LUNA);
  assert.deepEqual((await admin("PATCH", "listings/nobody", LUNA)).json, { success: true, changed: 0 });
  const { json } = await server.request("GET", "/api/admin/audit", { token: KEY });
  const actions = json.data.map(({ action, target }) => `${action} ${target}`);
  assert.deepEqual(actions.slice(0, 4), ["listing.update nobody", "listing.update luna", `conversation.update ${luna}`, "listing.update luna"]);
});

test("a conversation with a listing is told as any other, and a client sets none", async (t) => {
  const { server, ana, bruno, make } = await start(t);
  const body = { recipient_id: bruno.id, horse_id: "luna", listing: LUNA };
  const opened = await server.request("POST", "/api/chat/conversations", { token: ana.token, body });
  assert.deepEqual([opened.status, "listing" in opened.json.data], [200, false]);
  const { json, status } = await make({ horse_id: "luna", listing: LUNA });
  assert.deepEqual([status, json.data._id], [200, opened.json.data._id]);
  const list = await server.request("GET", "/api/chat/conversations", { token: bruno.token });
  assert.ok(list.json.data.some(({ _id }) => _id === json.data._id), "the other sees it, too");
  const a = await connect(t, server, ana);
  await a.send(json.data._id, "Hello.");
  await eventually("the message is in the list", async () => {
    const { json: after } = await server.request("GET", "/api/chat/conversations", { token: bruno.token });
    return after.data.some(({ listing, unread_count }) => listing && unread_count === 1);
  });
});

test("what is no listing, or no two people, is refused by name", async (t) => {
  const { ana, bruno, admin, make } = await start(t);
  const errors = async (answer) => {
    const { status, json } = await answer;
    return [status, json.errors?.map(({ path }) => path)];
  };
  for (const participants of [undefined, null, [], [ana.id], [ana.id, ana.id], [ana.id, bruno.id, "x"], [ana.id, 7], [ana.id, "a b"], [ana.id, "system"], "x"]) {
    assert.deepEqual(await errors(admin("PUT", "conversations", { participants })), [422, ["participants"]], JSON.stringify(participants));
  }
  assert.deepEqual(await errors(make({ horse_id: "a b" })), [422, ["horse_id"]]);
  for (const listing of [7, "x", [], {}, { title: "" }, { title: "x".repeat(201) }, { title: 7 }]) {
    assert.deepEqual(await errors(make({ listing })), [422, ["listing"]], JSON.stringify(listing));
  }
  const { _id } = (await make({})).json.data;
  assert.deepEqual(await errors(admin("PATCH", `conversations/${_id}`, { listing: { ...LUNA, url: "javascript:alert(1)" } })), [422, ["listing"]]);
  assert.deepEqual(await errors(admin("PATCH", "listings/luna", { ...LUNA, image_url: "ftp://x" })), [422, ["image_url"]]);
  assert.deepEqual(await errors(admin("PATCH", "listings/luna", { status: "sold" })), [422, ["title"]]);
  assert.deepEqual(await errors(admin("PATCH", "listings/luna", { ...LUNA, custom: { big: "x".repeat(2048) } })), [422, ["custom"]]);
  assert.deepEqual(await errors(admin("PATCH", "listings/a%20b", LUNA)), [422, ["horse_id"]]);
  for (const method of ["GET", "PATCH"]) {
    assert.equal((await admin(method, "conversations/nobodys", method === "PATCH" ? { listing: null } : undefined)).status, 404);
  }
});
