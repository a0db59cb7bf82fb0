// Each page of the documentation: accessible, no wider than a narrow window, with the ways to the others.

import assert from "node:assert/strict";
import { addressOf, Documents } from "../../src/control/web/pages/docs/documents.ts";
import { startApp } from "./app.ts";
import { assertAccessible, assertFits, assertGoodEverywhere, closeBrowser, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** Accessibility is checked on the first page of each document and on its longest one, as the others have the same parts. */
Deno.test("every page of the documentation fits, and is accessible", async () => {
  await using server = await startApp();
  await using visit = await signIn(server, { width: 360, height: 640 });
  const { page } = visit;
  for (const document of (await new Documents().all()).values()) {
    const [first, ...sections] = document.parts;
    const longest = sections.toSorted((a, b) => b.markdown.length - a.markdown.length)[0];
    for (const part of document.parts) {
      await page.goto(addressOf(document, part.id));
      await assertFits(page);
      if (part === first || part === longest) await assertAccessible(page);
    }
  }
});

Deno.test("a long document is read by its contents and from page to page, and old addresses lead to its sections", async (t) => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  const contents = page.getByRole("navigation", { name: "Contents" });

  await t.step("the contents mark the page, and what is read of it", async () => {
    await page.goto("/web/docs/writing-functions");
    await contents.getByRole("link", { name: "Imports", exact: true }).click();
    await page.waitForURL("/web/docs/writing-functions/imports");
    assert.equal(await contents.locator("[aria-current=page]").textContent(), "Imports");
    await contents.getByRole("link", { name: "Projects", exact: true }).click();
    await contents.locator("[aria-current=true]").getByText("Projects").waitFor();
    await assertGoodEverywhere(page);
  });

  await t.step("the next page", async () => {
    await page.getByRole("navigation", { name: "Previous and next" }).getByRole("link", { name: "Next" }).click();
    await page.getByRole("heading", { level: 1, name: "Editing while it runs" }).waitFor();
  });

  await t.step("an address with the heading of a section leads to its page", async () => {
    await page.goto("/web/docs/api-reference#get-apilogs");
    await page.waitForURL("/web/docs/api-reference/logs#get-apilogs");
  });

  await t.step("an example is copied", async () => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const example = await page.locator(".prose pre code").first().textContent();
    await page.getByRole("button", { name: "Copy example 1", exact: true }).click();
    await page.getByText("Copied.").waitFor();
    assert.equal(await page.evaluate("navigator.clipboard.readText()"), example);
  });

  await t.step("words in the text are found", async () => {
    await page.goto("/web/docs");
    await assertGoodEverywhere(page);
    await page.getByRole("searchbox", { name: "Search the documentation" }).fill("pgbouncer");
    await page.keyboard.press("Enter");
    await page.getByRole("list", { name: "Results" }).getByRole("link").first().waitFor();
    await assertGoodEverywhere(page);
  });
});
