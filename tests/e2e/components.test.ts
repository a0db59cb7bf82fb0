// The page with every component in every state: that it is accessible and fits, and looks as it did.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { assertGoodEverywhere, closeBrowser, openBrowser, signIn, type VisitOptions } from "./browser.ts";
import { assertLooksAsBefore, hasFontsOfPictures } from "./pictures.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

const PATH = "/web/_ui";
const LOOKS: Readonly<Record<string, VisitOptions>> = {
  light: { width: 1280, height: 900 },
  dark: { width: 1280, height: 900, dark: true },
  narrow: { width: 360, height: 740 },
};

Deno.test("every component is accessible and fits, in light and dark, wide and narrow", async () => {
  await using server = await startApp({ env: { DEV_PAGES: "true" } });
  await using visit = await signIn(server);
  await visit.page.goto(PATH);
  await assertGoodEverywhere(visit.page);
});

Deno.test({
  name: "the components look as in the stored pictures",
  ignore: !await hasFontsOfPictures(),
  fn: async () => {
    await using server = await startApp({ env: { DEV_PAGES: "true" } });
    for (const [look, options] of Object.entries(LOOKS)) {
      await using visit = await signIn(server, options);
      const { page } = visit;
      await page.goto(PATH);
      // Whatever has the focus looks different.
      await page.evaluate("document.activeElement.blur()");
      await assertLooksAsBefore(page, page.locator(".components"), `components-${look}`);
    }
  },
});

Deno.test("a menu is opened and closed by keyboard and mouse, with and without scripts", async () => {
  await using server = await startApp({ env: { DEV_PAGES: "true" } });
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto(PATH);
  const button = page.getByLabel("Actions", { exact: true });
  const entry = page.getByRole("link", { name: "Rename" }).first();
  await button.focus();
  await page.keyboard.press("Enter");
  await entry.waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Escape");
  await entry.waitFor({ state: "hidden" });
  assert.equal(await page.evaluate("document.activeElement.ariaLabel"), "Actions");
  await button.click();
  await entry.waitFor();
  const colors = await page.evaluate(
    `[...document.querySelectorAll("details[open] .menu-items > a")].map((entry) => getComputedStyle(entry).color)`,
  ) as string[];
  assert.equal(new Set(colors).size, 2, "what destroys looks different");
  await page.getByRole("heading", { level: 1 }).click();
  await entry.waitFor({ state: "hidden" });

  await using plain = await signIn(server, { javaScript: false });
  await plain.page.goto(PATH);
  await plain.page.getByLabel("Actions", { exact: true }).click();
  await plain.page.getByRole("link", { name: "Rename" }).first().waitFor();
});

Deno.test("without DEV_PAGES there is no such page", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  assert.equal((await visit.page.goto(PATH))!.status(), 404);
});
