// Names and texts in scripts that run from right to left, beside others. In the document `<bdi>` and `dir="auto"` keep
// them from turning their neighbours; these are for places that take plain text alone.

/** Hebrew, Arabic, Syriac, Thaana, N'Ko and what else runs from right to left; and characters that set a direction. */
const RIGHT_TO_LEFT =
  /[\u0590-\u08FF\u200E\u200F\u202A-\u202E\u2066-\u2069\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u;
/** What overrides a direction, or opens or closes an isolate. */
const CONTROLS = /[\u202A-\u202E\u2066-\u2069]/g;

const FIRST_STRONG_ISOLATE = "\u2068";
const POP_ISOLATE = "\u2069";

/**
 * `words` so that what stands beside them keeps its order, in a window's title or a notification. Text from left to
 * right needs nothing. Own controls are taken out: one that is not closed, or closes too much, would end the isolate.
 */
export function isolate(words: string): string {
  if (!RIGHT_TO_LEFT.test(words)) return words;
  const lines = words.replace(CONTROLS, "").split("\n");
  // An isolate ends with its paragraph.
  return lines.map((line) => line && FIRST_STRONG_ISOLATE + line + POP_ISOLATE).join("\n");
}
