// Whatever a client sends, the others notice nothing.
import assert from "node:assert/strict";
import { connect } from "node:net";
import test from "node:test";

import { Client, within } from "../lib/client.js";
import { SLOWNESS, Server, eventually } from "../lib/server.js";

test("two people chat while others misbehave", async (t) => {
  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const [a, b] = await Promise.all([ana, bruno].map((user) => Client.connect(t, server, user)));
  await b.ask("join_conversation", conversation);
  let sent = 0;
  const chat = async () => {
    assert.equal((await a.send(conversation, `${sent}`)).success, true);
    await b.received("new_message", ++sent);
  };
  const eve = await server.register("Eve");
  const hostile = () => Client.connect(t, server, eve, { transports: ["websocket"], reconnection: false });

  const closes = async (what, act) => {
    const client = await hostile();
    const closed = client.disconnected();
    act(client.socket.io.engine, client.socket);
    await closed.catch((error) => Promise.reject(new Error(`${what}: ${error.message}`)));
    await chat();
  };
  await closes("10 MB", (engine, socket) => socket.emit("send_message", { conversation_id: conversation, text: "x".repeat(10e6) }));
  await closes("over 100 kB", (engine, socket) => socket.emit("typing", "x".repeat(100_001)));
  await closes("JSON nested 50 000 deep", (engine) => engine.write(`2["send_message",${"[".repeat(49_000)}${"]".repeat(49_000)}]`));
  await closes("no packet", (engine) => engine.write("nonsense"));
  await closes("a reserved event", (engine) => engine.write('2["disconnect"]'));
  await closes("an attachment of nothing", (engine) => engine.write(Buffer.from([1, 2, 3])));

  await closes("an attachment that does not come", (engine) => {
    engine.write('51-["send_message",{"_placeholder":true,"num":0}]');
    engine.write('2["typing","x"]');
  });
  await closes("eleven attachments", (engine) => engine.write(`511-["send_message"${',{"_placeholder":true,"num":0}'.repeat(11)}]`));
  await closes("an event in another namespace", (engine) => engine.write('2/admin,["typing","x"]'));

  await t.test("polling: bodies that are too long, too many or no packets; two polls at once", async () => {
    const open = async () => {
      const { text } = await server.request("GET", "/socket.io/?EIO=4&transport=polling");
      return `/socket.io/?EIO=4&transport=polling&sid=${JSON.parse(text.slice(1)).sid}`;
    };
    const status = async (...request) => (await server.request(...request)).status;
    // The server may close the connection before it has taken all of it, which is as good an answer.
    assert.equal(await status("POST", await open(), { raw: `4${"x".repeat(10e6)}` }).catch(() => 413), 413);
    assert.equal(await status("POST", await open(), { raw: "nonsense" }), 400);
    assert.equal(await status("POST", await open(), { raw: "\x1e".repeat(50_000) }), 400);
    const path = await open();
    const polls = await Promise.all([status("GET", path), status("GET", path)]);
    assert.ok(polls.includes(400), `${polls}`);
    await eventually("the session is closed", async () => (await status("GET", path)) === 400);
    await chat();
  });

  await t.test("polling: thousands of refused CONNECT packets in a body end the session", async () => {
    const { text } = await server.request("GET", "/socket.io/?EIO=4&transport=polling");
    const path = `/socket.io/?EIO=4&transport=polling&sid=${JSON.parse(text.slice(1)).sid}`;
    const connects = (count) => ({ raw: Array(count).fill("40").join("\x1e") });
    assert.equal((await server.request("POST", path, connects(16))).status, 200);
    const answers = (await server.request("GET", path)).text.split("\x1e");
    assert.deepEqual(answers.map((packet) => packet.slice(0, 2)), Array(16).fill("44"));
    await server.request("POST", path, connects(4096));
    await eventually("the session is closed", async () => (await server.request("GET", path)).status === 400);
    await chat();
  });

  await t.test("a slice of history that is too much for an answer comes in parts", async () => {
    // In JSON each is six bytes: a hundred such messages are more than may wait for a client.
    const texts = Array.from({ length: 100 }, (_, n) => `${n}${"\u0001".repeat(1990)}`);
    for (const words of texts) assert.equal((await a.send(conversation, words)).success, true);
    sent += texts.length;
    const got = [];
    for (let before; ; ) {
      const { data, has_more } = await b.ask("fetch_messages", { conversation_id: conversation, limit: 100, before_seq: before });
      got.unshift(...data);
      before = data[0].seq;
      if (got.length >= 100 || !has_more) break;
      assert.ok(data.length < 100, "not all at once");
    }
    assert.deepEqual(got.slice(-100).map((message) => message.text), texts);
    await chat();
  });

  await t.test("binary events are refused and unknown ones answered", async () => {
    const client = await hostile();
    const refusal = { success: false, message: "Invalid message" };
    assert.deepEqual(await client.ask("send_message", Buffer.from("x")), refusal);
    assert.deepEqual(await client.ask("send_message", { conversation_id: conversation, text: Buffer.from("x") }), refusal);
    assert.equal((await client.ask("no_such_event", 1)).success, false);
    await chat();
  });

  await t.test("a flood of typing delays nobody for long", async () => {
    const client = await hostile();
    for (let n = 0; n < 20_000; n++) client.socket.emit("typing", "unknown");
    const begin = performance.now();
    await chat();
    assert.ok(performance.now() - begin < 2_000 * SLOWNESS, `a message took ${performance.now() - begin} ms`);
    await client.settle();
  });

  await t.test("raw bytes that are no HTTP", async () => {
    for (const bytes of ["\0".repeat(1000), "GET / HTTP/9\r\n\r\n", "x".repeat(100_000)]) {
      const socket = connect(server.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(bytes);
      await within("the connection ends", new Promise((resolve) => socket.once("close", resolve).resume()));
    }
    await chat();
  });
});
