// Requests and answers over HTTP, checked by the OpenAPI document.
import { Document, Ledger } from "./documents.js";

export class Routes extends Ledger {
  constructor() {
    const document = new Document("docs/api/openapi.yaml");
    const all = Object.entries(document.content.paths).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([method]) => ["get", "post", "put", "patch", "delete"].includes(method))
        .map(([method, operation]) => ({
          name: `${method.toUpperCase()} ${path}`,
          method,
          path,
          operation,
          pattern: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "([^/]+)")}$`),
          parameters: [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((one) => document.resolve(one)),
        })),
    );
    const answers = (name, [status, response]) => {
      const messages = document.named(jsonSchema(document.resolve(response))?.properties?.message);
      return messages.length ? messages.map((message) => `${name} ${status} ${message}`) : [`${name} ${status}`];
    };
    super(all.flatMap(({ name, operation }) => Object.entries(operation.responses).flatMap((entry) => answers(name, entry))));
    Object.assign(this, { document, all });
  }

  /** A request to `server`; what comes is checked. */
  async ask(server, method, path, options = {}) {
    const answer = await server.request(method, path, options);
    this.check(method, path, options.body, answer);
    return answer;
  }

  check(method, target, body, { status, json, text, headers }) {
    const url = new URL(target, "http://server");
    const route = this.all.find((one) => one.method === method.toLowerCase() && one.pattern.test(url.pathname));
    if (!route) return this.wrong(`${method} ${target} is not in the document`, status);
    const { name, path, operation } = route;
    const response = this.document.resolve(operation.responses[status]);
    if (!response) return this.wrong(`${name} answers ${status}, which is not in the document`, text);
    const schema = jsonSchema(response);
    this.saw(schema?.properties?.message ? `${name} ${status} ${json?.message}` : `${name} ${status}`);

    const keys = ["paths", path, route.method, "responses", String(status)];
    for (const header of Object.keys(response.headers ?? {})) {
      if (!headers.has(header)) this.wrong(`${name} ${status} has no ${header}`, text);
    }
    const type = headers.get("content-type")?.split(";")[0];
    if (!response.content) {
      if (text !== "") this.wrong(`${name} ${status} has a body`, text);
    } else if (!response.content[type]) {
      this.wrong(`${name} ${status} is of type ${type}`, text);
    } else {
      const value = type === "application/json" ? json : text;
      this.#check(`${name} ${status}`, [...keys, "content", type, "schema"], value);
    }
    if (status < 300) this.#checkRequest(route, url, body);
  }

  /** What was accepted is what the document says. */
  #checkRequest({ name, path, method, operation, parameters, pattern }, url, body) {
    const known = new Map(parameters.map((parameter) => [parameter.name, parameter]));
    for (const [key, value] of url.searchParams) {
      if (known.get(key)?.in !== "query") this.wrong(`${name} takes the query's ${key}, which is not in the document`, value);
    }
    if (pattern.exec(url.pathname).length - 1 !== parameters.filter((one) => one.in === "path").length) {
      this.wrong(`${name} does not name what is in its path`, path);
    }
    if (body === undefined) return;
    if (!operation.requestBody) return this.wrong(`${name} takes a body, which is not in the document`, body);
    this.#check(`body of ${name}`, ["paths", path, method, "requestBody", "content", "application/json", "schema"], body);
  }

  #check(what, keys, value) {
    const errors = this.document.errors(keys, value);
    if (errors) this.wrong(`${what}: ${errors}`, value);
  }
}

const jsonSchema = (response) => response.content?.["application/json"]?.schema;
