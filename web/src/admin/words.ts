// The moderation page's own words; what it shares with the chat page comes from `language`.
import type { ComponentChildren } from "preact";
import { language } from "../language";
import { type Words, english } from "./en";
import { spanish } from "./es";

export const words: Words = language === "es" ? spanish : english;

/** One text, with what is put in. */
export function fill(key: keyof Words, values: Readonly<Record<string, string | number>>): string {
  return words[key].replace(/\{(\w+)\}/g, (whole, name: string) => `${values[name] ?? whole}`);
}

/** The parts of a text: every second is the value that is put in. */
export function parts(key: keyof Words, values: Readonly<Record<string, ComponentChildren>>): ComponentChildren[] {
  return words[key].split(/\{(\w+)\}/).map((part, index) => (index % 2 === 1 ? values[part] : part));
}
