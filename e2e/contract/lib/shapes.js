// Types and schemas in one notation, so that they can be compared: the names of fields, which are optional ("?"),
// and of which kind each value is.
import { fileURLToPath } from "node:url";
import ts from "typescript";

const FILE = fileURLToPath(new URL("../../../packages/events/index.d.ts", import.meta.url));
const sorted = (parts) => [...new Set(parts)].sort().join(" | ");
const object = (fields) => `{ ${Object.keys(fields).sort().map((name) => `${name}: ${fields[name]}`).join(", ")} }`;

/** The shape of what a schema allows. */
export const ofSchema = (document, schema) => sorted(alternatives(document, schema));

function alternatives(document, reference) {
  const schema = document.resolve(reference);
  const parts = schema.oneOf ?? schema.anyOf;
  if (parts) return parts.flatMap((part) => alternatives(document, part));
  if ("const" in schema || schema.enum) return (schema.enum ?? [schema.const]).map(ofValue);
  return [schema.type].flat().flatMap((type) => {
    switch (type) {
      case "boolean":
        return ["false", "true"];
      case "integer":
        return ["number"];
      case "array":
        return [`[${ofSchema(document, schema.items)}]`];
      case "object": {
        const name = (key) => (schema.required?.includes(key) ? key : `${key}?`);
        // An object of anybody's own has no fields that are known.
        const fields = Object.entries(schema.properties ?? {}).map(([key, value]) => [name(key), ofSchema(document, value)]);
        return [object(Object.fromEntries(fields))];
      }
      default:
        return [type];
    }
  });
}

const ofValue = (value) => (typeof value === "boolean" ? String(value) : value === null ? "null" : typeof value);

/** The declarations of packages/events. */
export class Declarations {
  #program = ts.createProgram([FILE], { strict: true, noLib: false, types: [] });
  #checker = this.#program.getTypeChecker();
  #source = this.#program.getSourceFile(FILE);
  #types = new Map(
    this.#checker
      .getExportsOfModule(this.#checker.getSymbolAtLocation(this.#source))
      .map((symbol) => [symbol.name, this.#checker.getDeclaredTypeOfSymbol(symbol)]),
  );

  /** The shape of the exported type with this name. */
  shape(name) {
    return this.#ofType(this.#types.get(name));
  }

  /** The texts of a union of texts. */
  texts(name) {
    return this.#types.get(name).types.map((type) => type.value);
  }

  /** The events of an interface: the shape of each one's payload, and of its acknowledgement if it has one. */
  events(name) {
    const properties = this.#checker.getPropertiesOfType(this.#types.get(name));
    return new Map(properties.map((property) => {
      const [payload, acknowledge] = this.#parameters(this.#typeOf(property));
      const answer = acknowledge && this.#parameters(this.#checker.getNonNullableType(acknowledge))[0];
      return [property.name, { payload: this.#ofType(payload), answer: answer && this.#ofType(answer) }];
    }));
  }

  #typeOf(symbol) {
    return this.#checker.getTypeOfSymbolAtLocation(symbol, this.#source);
  }

  #parameters(type) {
    const [signature] = this.#checker.getSignaturesOfType(type, ts.SignatureKind.Call);
    return signature.parameters.map((parameter) => this.#typeOf(parameter));
  }

  #ofType(type) {
    const parts = type.isUnion() ? type.types : [type];
    const shapes = [];
    // Alternatives that exclude each other's fields are one object to a schema that says so in another way.
    const merged = {};
    for (const part of parts.filter((part) => !(part.flags & ts.TypeFlags.Undefined))) {
      const shape = this.#ofPart(part);
      if (typeof shape === "string") shapes.push(shape);
      else if (shape.excludes) Object.assign(merged, shape.fields);
      else shapes.push(object(shape.fields));
    }
    if (Object.keys(merged).length > 0) shapes.push(object(merged));
    return sorted(shapes);
  }

  #ofPart(type) {
    const is = (flags) => (type.flags & flags) !== 0;
    if (is(ts.TypeFlags.StringLike)) return "string";
    if (is(ts.TypeFlags.NumberLike)) return "number";
    if (is(ts.TypeFlags.BooleanLike)) return this.#checker.typeToString(type);
    if (is(ts.TypeFlags.Null)) return "null";
    // `string & {}`.
    if (type.isIntersection() && type.types.some((part) => part.flags & ts.TypeFlags.StringLike)) return "string";
    if (this.#checker.isArrayType(type) || this.#checker.isTupleType(type)) {
      return `[${sorted(this.#checker.getTypeArguments(type).map((part) => this.#ofType(part)))}]`;
    }
    const fields = {};
    let excludes = false;
    for (const property of this.#checker.getPropertiesOfType(type)) {
      const shape = this.#ofType(this.#typeOf(property));
      if (shape === "") excludes = true;
      else fields[property.flags & ts.SymbolFlags.Optional ? `${property.name}?` : property.name] = shape;
    }
    return { fields, excludes };
  }
}
