// English or Spanish, as the browser asks for.
import { RequestRefused, Unreachable } from "../errors";
import { type Dictionary, english, englishRefusals } from "./en";
import { spanish, spanishRefusals } from "./es";

const first = navigator.languages.find((tag) => /^(en|es)\b/i.test(tag)) ?? "en";
export const language: "en" | "es" = first.toLowerCase().startsWith("es") ? "es" : "en";
/** For times and dates: the reader's own region, if it is of the language that is shown. */
export const locale = first;

export type { Dictionary };

const dictionary = language === "es" ? spanish : english;
const refusals = language === "es" ? spanishRefusals : englishRefusals;

/** All words. */
export const text = (): Dictionary => dictionary;

/** One text, with what is put in. */
export function say(key: keyof Dictionary, values: Readonly<Record<string, string | number>> = {}): string {
  return dictionary[key].replace(/\{(\w+)\}/g, (whole, name: string) => `${values[name] ?? whole}`);
}

/** What the server said, in the reader's language if it is known. */
export const refusal = (message: string): string => refusals[message] ?? message;

/** A time to wait, in seconds, as one says it. */
function waiting(seconds: number): string {
  const inMinutes = seconds > 120;
  const options = { style: "unit", unit: inMinutes ? "minute" : "second", unitDisplay: "long" } as const;
  return new Intl.NumberFormat(locale, options).format(inMinutes ? Math.ceil(seconds / 60) : seconds);
}

/** What went wrong. */
export function explain(error: unknown): string {
  if (error instanceof Unreachable) return dictionary.unreachable;
  if (!(error instanceof RequestRefused)) return dictionary.somethingWrong;
  if (error.retryAfter !== undefined) return say("tooManyWait", { time: waiting(error.retryAfter) });
  return refusal(error.message);
}
