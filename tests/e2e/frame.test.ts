// The frame of every page: how it fits, that it can be used without a mouse, and what it tells the browser.

import assert from "node:assert/strict";
import { startServer } from "../http/server.ts";
import { assertAccessible, assertFits, closeBrowser, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

Deno.test("the overview is accessible, in light and dark, on a wide screen and a narrow one", async () => {
  await using server = await startServer();
  for (const options of [{}, { dark: true }, { width: 360, height: 640 }, { width: 360, height: 640, dark: true }]) {
    await using visit = await signIn(server, options);
    await visit.page.goto("/web");
    assert.equal(await visit.page.getByRole("heading", { level: 1 }).textContent(), "Overview");
    await assertAccessible(visit.page);
    await assertFits(visit.page);
  }
});

Deno.test("the first press of Tab leads to the content", async () => {
  await using server = await startServer();
  await using visit = await signIn(server);
  await visit.page.goto("/web");
  await visit.page.keyboard.press("Tab");
  await visit.page.keyboard.press("Enter");
  assert.equal(await visit.page.evaluate("document.activeElement.id"), "main");
});
