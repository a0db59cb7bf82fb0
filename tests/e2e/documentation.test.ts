// Each document as a page: accessible, and no wider than a narrow window.

import { Documents } from "../../src/control/web/pages/docs/documents.ts";
import { startApp } from "./app.ts";
import { assertAccessible, assertFits, closeBrowser, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

Deno.test("every document is accessible and fits", async () => {
  await using server = await startApp();
  await using visit = await signIn(server, { width: 360, height: 640 });
  const { page } = visit;
  for (const name of (await new Documents().all()).keys()) {
    await page.goto(`/web/docs/${name}`);
    await assertAccessible(page);
    await assertFits(page);
  }
});
