// Modules of the page without a browser.
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const root = fileURLToPath(new URL("../..", import.meta.url));

async function importFile(file, resolve = {}) {
  const { module } = await runnerImport(`${root}${file}`, { root, configFile: false, logLevel: "error", resolve });
  return module;
}

/** The exports of a module of `src/`. */
export const load = (name) => importFile(`src/${name}`);

/** The page's whole state, over the socket of fake-socket.ts. */
export const loadState = () => importFile("test/lib/state.ts", { alias: { "socket.io-client": `${root}test/lib/fake-socket.ts` } });
