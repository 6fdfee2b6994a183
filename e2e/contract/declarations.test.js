// packages/events says what the documents say; a client written against it compiles, and chats.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { Server, token } from "../lib/server.js";
import { Document, read } from "./lib/documents.js";
import { Events } from "./lib/events.js";
import { Declarations, ofSchema } from "./lib/shapes.js";

const declarations = new Declarations();
const events = new Events();
const { channels, components } = events.document.content;

test("the declarations have the events of the document, with the same fields", () => {
  for (const [name, expected] of [["ServerToClientEvents", events.sent], ["ClientToServerEvents", events.received]]) {
    const declared = declarations.events(name);
    assert.deepEqual([...declared.keys()].sort(), expected.toSorted(), name);
    for (const [event, { payload, answer }] of declared) {
      assert.equal(payload, ofSchema(events.document, channels.events.messages[event].payload), event);
      const acknowledgement = channels.acknowledgements.messages[event]?.payload;
      const documented = acknowledgement && ofSchema(events.document, acknowledgement);
      assert.equal(answer, documented, `acknowledgement of ${event}`);
    }
  }
});

test("the declarations have the types of the documents, with the same fields", () => {
  assert.equal(declarations.shape("Auth"), ofSchema(events.document, components.schemas.Auth));
  assert.equal(declarations.shape("ConnectError"), ofSchema(events.document, channels.connection.messages.connect_error.payload));
  const openapi = new Document("docs/api/openapi.yaml");
  for (const name of ["Profile", "Message", "ParticipantState", "LastMessage", "Conversation"]) {
    assert.equal(declarations.shape(name), ofSchema(openapi, openapi.content.components.schemas[name]), name);
  }
});

test("the declarations have every refusal of the documents", () => {
  const documented = Object.values(channels.acknowledgements.messages).flatMap(({ payload }) => events.document.named(payload.properties.message));
  const declared = declarations.texts("Refusal");
  assert.deepEqual(documented.filter((text) => !declared.includes(text)), []);
  const { text } = new Document("docs/api/openapi.yaml");
  const ofRoutesAlone = declared.filter((refusal) => !documented.includes(refusal) && refusal !== "Unknown event");
  assert.deepEqual(ofRoutesAlone.filter((refusal) => !text.slice(0, text.indexOf("\n  schemas:")).includes(refusal)), []);
});

test("a client written against the declarations compiles, wrong uses do not, and it chats", async (t) => {
  const folder = fileURLToPath(new URL(".", import.meta.url));
  const compiled = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "--project", "."], { cwd: folder, encoding: "utf8" });
  assert.equal(compiled.status, 0, compiled.stdout + compiled.stderr);

  const server = await Server.start(t);
  const { ana, bruno, conversation } = await server.pair();
  const exp = Math.floor(Date.now() / 1000) + 30;
  const expiring = token({ userId: ana.id, role: "seller", exp });
  const { chat } = await import("./output/chat.js");
  const seen = await chat({ url: server.url, ana, bruno, conversation, expiring });
  // The platform alone brings these about; events.test.js has them.
  const never = Object.keys(seen).filter((name) => seen[name] === 0 && !["account_suspended", "user_updated"].includes(name));
  assert.deepEqual(never, []);
});

test("the README's client is the one that compiles", () => {
  const client = readFileSync(new URL("client/readme.ts", import.meta.url), "utf8");
  assert.ok(read("packages/events/README.md").includes(`\`\`\`ts\n${client}\`\`\``));
});
