// Requests made from docs/api/openapi.yaml by a fuzzer: no answer is a failure, and each is one that the document allows.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { Server } from "../lib/server.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const CHECKS = [
  "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance",
];
const API_KEYS = "a-key-of-the-platform-in-the-fuzzed-tests";
/** Requests made up for each route and kind of token. */
const EXAMPLES = 25;
/** How long one run may take, in milliseconds. */
const LIMIT = 300_000;

/** Routes of a conversation are asked about one that exists, or the answers would all be 404. */
const settings = (conversation) => `
[[operations]]
include-path-regex = "^/api/(chat|admin)/conversations/"
parameters = { "path.id" = "${conversation}" }
`;

/** Runs the fuzzer over the chosen routes; answers its exit code and what it printed. */
async function fuzz(server, conversation, bearer, routes) {
  const config = join(server.folder, "schemathesis.toml");
  writeFileSync(config, settings(conversation));
  // One worker: threads of CPython 3.11 that parse Python at the same time confuse its recursion depth (gh-106905), and the fuzzer parses its own lambdas.
  const args = [
    "--config-file", config, "run", path("../../docs/api/openapi.yaml"), "--url", server.url, "--header", `Authorization: Bearer ${bearer}`,
    "--checks", CHECKS.join(","), "--phases", "examples,coverage,fuzzing", "--max-examples", `${EXAMPLES}`, "--workers", "1",
    "--request-timeout", "20", "--seed", "1", "--generation-database", "none", "--continue-on-failure", "--warnings", "off", "--no-color", ...routes,
  ];
  const child = spawn(path("../.venv-schemathesis/bin/schemathesis"), args, { cwd: server.folder, stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  return { code, output };
}

for (const [who, routes] of [
  // What ends a session would end the fuzzer's own. Files are no concern of a schema: routes.test.js has them.
  ["a user", ["--exclude-path-regex", "^/(docs|socket.io|assets)/|^/api/(admin|auth/logout)"]],
  ["the platform", ["--include-path-regex", "^/api/admin"]],
  ["nobody", ["--include-path-regex", "^/api/auth/logout"]],
]) {
  test(`the document's routes, asked by ${who}`, async (t) => {
    const server = await Server.start(t, { API_KEYS, LOG: "error" });
    const { ana, conversation } = await server.pair();
    const bearer = { "a user": ana.token, "the platform": API_KEYS, nobody: "none" }[who];
    const { code, output } = await fuzz(server, conversation, bearer, routes);
    assert.equal(code, 0, `${output.slice(-20_000)}\n${server.output.slice(-5_000)}`);
  });
}
