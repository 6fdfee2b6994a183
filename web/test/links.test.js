import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./lib/load.js";

const { pieces } = await load("links.ts");
const links = (words) => pieces(words).flatMap(({ link }) => link ?? []);

test("a link ends where its writer ended it", () => {
  const cases = {
    "(https://x.example/Horse_(breed))": ["https://x.example/Horse_(breed)"],
    "https://x.example/Horse_(breed)": ["https://x.example/Horse_(breed)"],
    "(see https://x.example/a(b)c_(d).)": ["https://x.example/a(b)c_(d)"],
    "((https://x.example/a))": ["https://x.example/a"],
    "[https://x.example/a[1]]": ["https://x.example/a[1]"],
    "([https://x.example/a]).": ["https://x.example/a"],
    "{https://x.example/a}": ["https://x.example/a"],
    "<https://x.example/a>": ["https://x.example/a"],
    "'https://x.example/a'": ["https://x.example/a"],
    '"https://x.example/a".': ["https://x.example/a"],
    "«https://x.example/a»": ["https://x.example/a"],
    "“https://x.example/a”—so": ["https://x.example/a"],
    "https://x.example/a?!": ["https://x.example/a"],
    "https://x.example/a...": ["https://x.example/a"],
    "https://x.example/a…": ["https://x.example/a"],
    "**https://x.example/a**": ["https://x.example/a"],
    "https://x.example/a :)": ["https://x.example/a"],
    "https://x.example/:)": ["https://x.example/"],
    "https://x.example/a, https://y.example/b; and": ["https://x.example/a", "https://y.example/b"],
    "[one](https://x.example/a)[two](https://y.example/b)": ["https://x.example/a", "https://y.example/b"],
    "看https://x.example/马，谢谢": ["https://x.example/马"],
    "انظر https://x.example/a، شكرا": ["https://x.example/a"],
    "https://x.example/a?q=(1)&r=[2]#b.c": ["https://x.example/a?q=(1)&r=[2]#b.c"],
    "http://127.0.0.1:3000/": ["http://127.0.0.1:3000/"],
    "HTTPS://X.example/A": ["HTTPS://X.example/A"],
    "https://x.example/@somebody": ["https://x.example/@somebody"],
    "https://münchen.example/ß": ["https://münchen.example/ß"],
    "https://x.example\nhttps://y.example": ["https://x.example", "https://y.example"],
  };
  for (const [words, expected] of Object.entries(cases)) assert.deepEqual(links(words), expected, words);
});

test("what leads elsewhere than it says, or nowhere, is no link", () => {
  for (const words of [
    "https://horse-trust.example@evil.example",
    "https://horse-trust.example:80@evil.example/login",
    "https://horse-trust.example%2F@evil.example",
    "https://@evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "https://",
    "https:///",
    "https://.",
    "https://)",
    "xhttps://x.example",
    "https://[half",
    "https://x.example:99999",
  ]) {
    assert.deepEqual(links(words), [], words);
  }
});

test("a link holds no character that hides where it leads", () => {
  assert.deepEqual(links("https://x.example/\u202Egnp.exe"), ["https://x.example/"]);
  assert.deepEqual(links("https://x.example\u200B@evil.example"), ["https://x.example"]);
  assert.deepEqual(links("https://x.example\\@evil.example"), ["https://x.example"]);
});

test("the pieces of any text are the text, and all links are http or https", () => {
  const parts = ["https://", "HTTP://", "x.example", "/a", "(", ")", "[", "]", ".", ",", "@", " ", "\n", "?q=1", "\u202E", "é", "🐎", "'", '"', "javascript:"];
  let seed = 7;
  const random = (below) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let turn = 0; turn < 5000; turn++) {
    const words = Array.from({ length: random(30) }, () => parts[random(parts.length)]).join("");
    const found = pieces(words);
    assert.equal(found.map(({ text }) => text).join(""), words);
    for (const { link, text } of found) {
      assert.notEqual(text, "");
      if (link === undefined) continue;
      assert.match(link, /^https?:\/\/[^/?#@]+([/?#]|$)/i);
      assert.ok(URL.canParse(link), link);
    }
  }
});

test("a long text of links is cut in a moment", () => {
  assert.equal(links("[a](https://x.example)".repeat(90)).length, 90);
  assert.deepEqual(links("https://".repeat(250)).length <= 1, true);
});
