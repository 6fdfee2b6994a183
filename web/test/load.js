// Modules of the page without a browser: those that are logic alone.
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

/** The exports of a module of `src/`. */
export async function load(name) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const { module } = await runnerImport(`${root}src/${name}`, { root, configFile: false, logLevel: "error" });
  return module;
}
