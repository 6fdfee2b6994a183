// Links in what people write.

export type Piece = { text: string; link?: string };

// A link ends at white space, quotes, angle brackets, full-width punctuation, and at every character without a shape of
// its own: one that reverses the direction of writing would make the link look like another.
const LINK =
  /(?<![a-z0-9_])https?:\/\/(?![/?#])[^\s<>"“”„«»‹›`\\{|}\p{Cc}\p{Cf}、。，；：！？（）【】「」『』]+/giu;

/** What ends a sentence, or opens something that comes after the link. */
const TRAILING = /[.,;:!?'’‘…–—*_~([،؛؟۔।]/u;

const OPENERS: Readonly<Record<string, string>> = { ")": "(", "]": "[" };

/** `found` up to the first bracket that was not opened in it: that bracket belongs to the sentence around the link. */
function untilUnopened(found: string): string {
  const open: Record<string, number> = { "(": 0, "[": 0 };
  for (let index = 0; index < found.length; index++) {
    const character = found[index]!;
    const opener = OPENERS[character];
    if (character in open) open[character]!++;
    else if (opener && --open[opener]! < 0) return found.slice(0, index);
  }
  return found;
}

/** `link` without punctuation at its end; a closing bracket that was opened in it stays. */
function withoutTrailing(link: string): string {
  let end = link.length;
  while (end > 0 && TRAILING.test(link[end - 1]!)) end--;
  return link.slice(0, end);
}

/**
 * Whether a click leads where the text says. In `https://bank.example@evil.example` the bank is a user name, and the
 * host is the other.
 */
function isHonest(link: string): boolean {
  if (/^https?:\/\/[^/?#]*@/i.test(link) || !URL.canParse(link)) return false;
  const { protocol, hostname, username } = new URL(link);
  return /^https?:$/.test(protocol) && hostname !== "" && username === "";
}

/** A text cut into plain pieces and links, which together are the text again. */
export function pieces(words: string): Piece[] {
  const result: Piece[] = [];
  const pattern = new RegExp(LINK);
  let end = 0;
  for (let match = pattern.exec(words); match; match = pattern.exec(words)) {
    const link = withoutTrailing(untilUnopened(match[0]));
    if (!isHonest(link)) continue;
    if (match.index > end) result.push({ text: words.slice(end, match.index) });
    result.push({ text: link, link });
    end = match.index + link.length;
    // What was cut off may hold the next one, as in `[one](https://…)[two](https://…)`.
    pattern.lastIndex = end;
  }
  if (end < words.length) result.push({ text: words.slice(end) });
  return result;
}
