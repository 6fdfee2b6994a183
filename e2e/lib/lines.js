// JSON lines, read by hand: JSON.parse takes a key that is there twice without a word.

/** The path of a key that an object of `text` has twice, or undefined. Throws if `text` is no JSON. */
export function duplicateKey(text) {
  JSON.parse(text);
  // Of each open object the keys so far, of each open array null.
  const open = [];
  const path = [];
  let found;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(null);
    else if (token === "}" || token === "]") {
      open.pop();
      path.length = open.length;
    } else if (token.endsWith(":")) {
      const keys = open.at(-1);
      const key = JSON.parse(token.slice(0, -1).trim());
      path[open.length - 1] = key;
      if (keys.has(key)) found ??= path.slice(0, open.length).join(".");
      keys.add(key);
    }
  }
  return found;
}
