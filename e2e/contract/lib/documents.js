// The documents, and their schemas as strict validators: what a document does not name is a mistake here, although
// clients have to pass over it.
import { readFileSync } from "node:fs";
import addFormats from "ajv-formats";
import Ajv from "ajv/dist/2020.js";
import { parse } from "yaml";

const ROOT = new URL("../../../", import.meta.url);

export const read = (path) => readFileSync(new URL(path, ROOT), "utf8");

/** Every object that says nothing of other properties has none. */
function closed(node) {
  if (Array.isArray(node)) return node.map(closed);
  if (node === null || typeof node !== "object") return node;
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
  if (node.type === "object" && node.properties) copy.additionalProperties ??= false;
  return copy;
}

const escape = (key) => encodeURIComponent(key.replaceAll("~", "~0").replaceAll("/", "~1"));

export class Document {
  #ajv = addFormats(new Ajv({ allErrors: true, strictTypes: false, validateSchema: false })).addVocabulary(["example"]);
  #validators = new Map();

  constructor(path) {
    this.text = read(path);
    this.content = parse(this.text);
    this.#ajv.addVocabulary(Object.keys(this.content)).addSchema(closed(this.content), "document");
  }

  /** What `node` refers to, or `node` itself. */
  resolve(node) {
    while (node?.$ref) node = this.#at(node.$ref);
    return node;
  }

  #at(reference) {
    const keys = reference.slice(2).split("/");
    return keys.reduce((node, key) => node[decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~")], this.content);
  }

  /** Where the node is to which `keys` lead, also through references. */
  #pointer(keys) {
    let pointer = "#";
    let node = this.content;
    for (const key of keys) {
      while (node.$ref) {
        pointer = node.$ref;
        node = this.#at(pointer);
      }
      pointer += `/${escape(key)}`;
      node = node[key];
    }
    return pointer;
  }

  /** What is wrong with `value` by the schema to which `keys` lead; empty if nothing. */
  errors(keys, value) {
    const pointer = this.#pointer(keys);
    const validate = this.#validators.get(pointer) ?? this.#ajv.compile({ $ref: `document${pointer}` });
    this.#validators.set(pointer, validate);
    return validate(value) ? "" : this.#ajv.errorsText(validate.errors, { dataVar: "" });
  }

  /** The values that a schema of a text names. */
  named(schema) {
    const { enum: values, const: value, anyOf = [] } = this.resolve(schema) ?? {};
    return values ?? (value === undefined ? anyOf.flatMap((part) => this.named(part)) : [value]);
  }
}

/** What was expected, what came of it, and what else was wrong. */
export class Ledger {
  #unseen;
  #violations = new Set();

  constructor(expected) {
    this.#unseen = new Set(expected);
  }

  saw(what) {
    this.#unseen.delete(what);
  }

  wrong(what, value) {
    this.#violations.add(`${what}: ${JSON.stringify(value)?.slice(0, 400)}`);
  }

  /** Everything that is not as the document says. `exempt` are patterns of what no test can bring about. */
  findings(exempt = []) {
    const unseen = [...this.#unseen].filter((what) => !exempt.some((pattern) => pattern.test(what)));
    return [...this.#violations, ...unseen.map((what) => `never seen: ${what}`)];
  }
}
