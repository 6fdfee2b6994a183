// The page of examples/express: a buyer writes to the seller of a horse.
import test from "node:test";

import { Platform } from "../lib/platform.js";
import { checkAccessibility, checkWidth, open } from "./lib/browser.js";

async function signIn(page, email) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Signed in as").waitFor();
}

const send = async (page, text) => {
  await page.getByLabel("Message").fill(text);
  await page.getByRole("button", { name: "Send" }).click();
};

test("people chat in the example's page", async (t) => {
  const platform = await Platform.start(t);
  const [bruno, lucia] = [await open(t, platform), await open(t, platform, undefined, { viewport: { width: 320, height: 640 } })];
  await bruno.getByLabel("Password").fill("wrong");
  await bruno.getByRole("button", { name: "Sign in" }).click();
  await bruno.getByText("Wrong e-mail or password").waitFor();
  await bruno.getByLabel("Password").fill("correct horse");
  await Promise.all([signIn(bruno, "bruno@example.com"), signIn(lucia, "lucia@example.com")]);

  await bruno.getByRole("listitem").filter({ hasText: "Luna" }).getByRole("button", { name: "Write to the seller" }).click();
  await send(bruno, "Is she still for sale?");
  await bruno.getByText("You: Is she still for sale?").waitFor();
  await lucia.getByText("(1 new)").waitFor();
  await lucia.getByRole("button", { name: "Open" }).click();
  await lucia.getByText("Bruno Díaz: Is she still for sale?").waitFor();
  await send(lucia, "She is.");
  await bruno.getByText("Lucía Fernández: She is.").waitFor();
  for (const page of [bruno, lucia]) {
    await checkAccessibility(page, "the example's page");
    await checkWidth(page);
  }
});
