// The documents are valid, and say the same as docs/protocol.md and each other.
import assert from "node:assert/strict";
import test from "node:test";
import specifications from "@asyncapi/specs";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv from "ajv";
import addFormats from "ajv-formats";

import { Document, read } from "./lib/documents.js";
import { Events } from "./lib/events.js";
import { Routes } from "./lib/routes.js";

const asyncapi = new Document("docs/api/asyncapi.yaml");
const openapi = new Document("docs/api/openapi.yaml");
const protocol = read("docs/protocol.md");

test("the AsyncAPI document is valid", () => {
  const ajv = addFormats(new Ajv({ strict: false, allErrors: true }));
  const isValid = ajv.compile(specifications.schemasWithoutId["3.0.0"]);
  assert.ok(isValid(asyncapi.content), ajv.errorsText(isValid.errors));
});

test("every reference leads somewhere", () => {
  for (const document of [asyncapi, openapi]) {
    const references = document.text.match(/#\/[^'"\s]+/g);
    assert.ok(references.length > 50);
    assert.deepEqual(references.filter(($ref) => document.resolve({ $ref }) === undefined), []);
  }
});

test("the OpenAPI document is valid", async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(openapi.content));
  assert.ok(valid, JSON.stringify(errors));
});

test("the examples are as the schemas say", () => {
  let count = 0;
  for (const [channel, { messages }] of Object.entries(asyncapi.content.channels)) {
    for (const [name, { examples = [] }] of Object.entries(messages)) {
      for (const { payload } of examples) {
        assert.equal(asyncapi.errors(["channels", channel, "messages", name, "payload"], payload), "", name);
        count++;
      }
    }
  }
  const look = (keys, node) => {
    if (node === null || typeof node !== "object") return;
    for (const example of "example" in node ? [node.example] : Array.isArray(node.examples) ? node.examples : []) {
      const schema = node.schema ? [...keys, "schema"] : keys;
      assert.equal(openapi.errors(schema, example), "", keys.join(" "));
      count++;
    }
    for (const [key, value] of Object.entries(node)) look([...keys, key], value);
  };
  look([], openapi.content);
  assert.ok(count > 10, `${count} examples`);
});

test("what both documents name is the same in both", () => {
  const schemas = openapi.content.components.schemas;
  const shared = Object.entries(asyncapi.content.components.schemas).filter(([name]) => name in schemas);
  assert.ok(shared.length > 5);
  for (const [name, schema] of shared) {
    assert.deepEqual(schema, schemas[name], name);
  }
});

test("docs/protocol.md names every event, and no route that the document has not, nor the other way round", () => {
  const { sent, received } = new Events();
  assert.deepEqual([...sent, ...received].filter((name) => !protocol.includes(`\`${name}\``)), []);
  const { all } = new Routes();
  const inProtocol = [...protocol.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/[^`\s]*)`/g)].map(([, method, path]) => ({ method, path }));
  const is = ({ method, path }) => (route) => route.method.toUpperCase() === method && route.pattern.test(path);
  assert.deepEqual(inProtocol.filter((one) => !all.some(is(one))), [], "not in the document");
  const api = all.filter(({ path }) => path.startsWith("/api/"));
  const missing = api.filter((route) => !inProtocol.some((one) => is(one)(route)));
  assert.deepEqual(missing.map(({ name }) => name), [], "not in docs/protocol.md");
});
