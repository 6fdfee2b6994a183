// How times and names are shown.
import { locale, say, text } from "./language";

const clock = new Intl.DateTimeFormat(locale, { timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "long" });
const shortDate = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const shortDateWithYear = new Intl.DateTimeFormat(locale, { dateStyle: "short" });
const longDate = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" });
const longDateWithYear = new Intl.DateTimeFormat(locale, { dateStyle: "long" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "short" });

/** The day of a time in the reader's zone, as a number that grows by one a day. */
export function dayOf(time: Date): number {
  return Math.round(Date.UTC(time.getFullYear(), time.getMonth(), time.getDate()) / 86_400_000);
}

const daysAgo = (time: Date) => dayOf(new Date()) - dayOf(time);
const isThisYear = (time: Date) => time.getFullYear() === new Date().getFullYear();
const capital = (words: string) => words.charAt(0).toLocaleUpperCase(locale) + words.slice(1);

export const time = (iso: string) => clock.format(new Date(iso));
export const fullTime = (iso: string) => full.format(new Date(iso));

/** A day as a divider names it. */
export function day(iso: string): string {
  const date = new Date(iso);
  const ago = daysAgo(date);
  if (ago === 0) return text().today;
  if (ago === 1) return text().yesterday;
  return capital((isThisYear(date) ? longDate : longDateWithYear).format(date));
}

/** A time as a list has room for. */
export function shortTime(iso: string): string {
  const date = new Date(iso);
  const ago = daysAgo(date);
  if (ago <= 0) return clock.format(date);
  if (ago === 1) return text().yesterday;
  if (ago < 7) return capital(weekday.format(date));
  return (isThisYear(date) ? shortDate : shortDateWithYear).format(date);
}

/** When somebody was last seen. */
export function lastSeen(iso: string): string {
  const date = new Date(iso);
  const ago = daysAgo(date);
  const named = ago <= 0 ? text().today : ago === 1 ? text().yesterday : "";
  const dayName = named ? named.toLocaleLowerCase(locale) : (isThisYear(date) ? shortDate : shortDateWithYear).format(date);
  return say("lastSeen", { when: say("at", { day: dayName, time: clock.format(date) }) });
}

/** One or two letters that stand for a name. */
export function initials(name: string): string {
  // Of "Ana (seller)" the bracket is no initial.
  const letters = name.split(/\s+/).flatMap((word) => word.match(/[\p{L}\p{N}]/u) ?? []);
  const shown = letters.length > 1 ? [letters[0]!, letters.at(-1)!] : letters;
  return shown.map((letter) => letter.toLocaleUpperCase(locale)).join("") || "?";
}

/** One of `count` colours, always the same for an id. */
export function hueOf(id: string, count: number): number {
  let sum = 7;
  for (const character of id) sum = (sum * 31 + character.codePointAt(0)!) % 65_521;
  return sum % count;
}
