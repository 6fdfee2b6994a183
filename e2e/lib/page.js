// A page of documentation whose commands are run, and whose answers are compared with those that come.
import { spawn } from "node:child_process";

/** The fenced blocks of a page in Markdown: `{section, language, text}`. */
export function blocksOf(markdown) {
  const parts = markdown.matchAll(/^(?:#+ (?<heading>.*)|```(?<language>\w+)\n(?<text>[^]*?)^```)$/gm);
  let section = "";
  const blocks = [];
  for (const { groups } of parts) {
    if (groups.heading !== undefined) section = groups.heading;
    else blocks.push({ section, language: groups.language, text: groups.text.trimEnd() });
  }
  return blocks;
}

/** One bash for all commands of a page, so that what one sets the next one reads. */
export class Shell {
  constructor(t, folder, settings, preamble) {
    const { PATH, HOME } = process.env;
    this.process = spawn("bash", [], { cwd: folder, env: { PATH, HOME, ...settings }, stdio: ["pipe", "pipe", "pipe"] });
    this.output = "";
    this.waiting = () => {};
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.output += text;
        this.waiting();
      });
    }
    this.process.stdin.write(`exec 2>&1\n${preamble}\n`);
    t.after(() => this.process.kill());
  }

  /** Runs a command to its end; answers what it printed. */
  async run(command, limit = 60_000) {
    this.output = "";
    this.process.stdin.write(`${command}\nprintf '\\n<status %s>\\n' $?\n`);
    let timer;
    const [, printed, status] = await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${command}: not done within ${limit} ms; printed: ${this.output}`)), limit);
      this.waiting = () => {
        const done = this.output.match(/^([^]*)\n<status (\d+)>\n$/);
        if (done) resolve(done);
      };
    }).finally(() => clearTimeout(timer));
    if (status !== "0") throw new Error(`${command}: exit code ${status}; printed: ${printed}`);
    return printed.trim();
  }
}

const ID = /^[0-9a-f]{24}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** What stands on the page in place of what is another one at each run. */
export class Placeholders {
  #real = new Map();

  /** The text with the ids that came in place of those of the page. */
  fill(text) {
    return [...this.#real].reduce((filled, [written, real]) => filled.replaceAll(written, real), text);
  }

  /**
   * Where `came` is not what is written, or undefined. It may have more fields. An id that the server made and a time may be
   * any; a text that ends in "…" is the beginning of one.
   */
  difference(written, came, path = "") {
    if (typeof written === "string" && typeof came === "string") {
      if (written === came || this.#isPlaceholder(written, came)) return undefined;
    } else if (Array.isArray(written) && Array.isArray(came) && written.length === came.length) {
      return this.#firstDifference(written.keys(), written, came, path);
    } else if (isObject(written) && isObject(came)) {
      return this.#firstDifference(Object.keys(written), written, came, path);
    } else if (written === came) {
      return undefined;
    }
    return `${path || "the answer"} is ${JSON.stringify(came)}, and on the page ${JSON.stringify(written)}`;
  }

  #firstDifference(keys, written, came, path) {
    for (const key of keys) {
      const found = this.difference(written[key], came[key], `${path}.${key}`);
      if (found) return found;
    }
    return undefined;
  }

  #isPlaceholder(written, came) {
    if (written.endsWith("…")) return came.startsWith(written.slice(0, -1));
    if (TIME.test(written)) return TIME.test(came);
    if (!ID.test(written) || !ID.test(came)) return false;
    const real = this.#real.get(written) ?? came;
    this.#real.set(written, real);
    return real === came;
  }
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** The JSON values that follow one another in a text, each on a line or over several. */
export function jsonValues(text) {
  const values = [];
  let pending = "";
  for (const line of text.split("\n")) {
    pending += `${line}\n`;
    try {
      // curl writes no line break after an answer, so the next one can follow on the same line.
      values.push(...JSON.parse(`[${pending.replaceAll("}{", "},{")}]`));
      pending = "";
    } catch {
      // The value goes on in the next line.
    }
  }
  if (pending.trim()) throw new Error(`no JSON: ${pending}`);
  return values;
}
