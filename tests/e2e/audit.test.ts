// The audit page in a browser: what it tells, how it is filtered, paged and taken away, and that it shows no value.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { createSecret, save } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { assertAccessible, assertGoodEverywhere, closeBrowser, inSidebar, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** The sentences on the page, the newest first. */
async function told(page: Page): Promise<string[]> {
  return (await page.locator(".audit .sentence").allTextContents()).map((text) => text.replace(/\s+/g, " ").trim());
}

Deno.test("the page tells who did what, and narrows to a person, a thing, an action and days", async () => {
  await using server = await startApp();
  const id = await createSecret(server, "DATABASE_URL", "a-value-that-nobody-sees");
  await server.api("PUT", `/api/secrets/${id}`, {
    comment: "<b>Production</b>",
    value: "another-value-that-nobody-sees",
  });
  await server.api("GET", `/api/secrets/${id}?includeValues=true`);
  await save(server, "hello.ts", "export default () => new Response()");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web");
  await inSidebar(page, "Audit").click();
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Audit");
  const all = await told(page);
  assert.deepEqual(all.filter((text) => text.startsWith("API key")), [
    "API key bootstrap created the file hello.ts",
    "API key bootstrap viewed the value of the secret DATABASE_URL",
    "API key bootstrap changed the secret DATABASE_URL",
    "API key bootstrap created the secret DATABASE_URL",
  ]);
  assert.equal(all.at(-1), "The server started this audit");
  assert.ok(all.some((text) => text.includes("ada@example.com")), all.join("\n"));

  const entry = page.getByRole("listitem").filter({ hasText: "changed the secret" });
  await entry.getByText("Details").click();
  assert.match((await entry.getByRole("row", { name: /^comment/ }).textContent())!, /\(empty\)<b>Production<\/b>/);
  assert.match((await entry.getByRole("row", { name: /^value/ }).textContent())!, /changed/);
  assert.ok(await entry.getByText("127.0.0.1").isVisible());
  assert.doesNotMatch(await page.content(), /nobody-sees/);

  await entry.getByRole("link", { name: "DATABASE_URL" }).click();
  assert.deepEqual([(await told(page)).length, await page.getByLabel("About").inputValue()], [3, `secret:${id}`]);
  await page.getByLabel("What", { exact: true }).selectOption("Secret revealed");
  await page.getByRole("button", { name: "Filter" }).click();
  assert.deepEqual(await told(page), ["API key bootstrap viewed the value of the secret DATABASE_URL"]);
  const today = new Date().toISOString().slice(0, 10);
  await page.getByLabel("From").fill(today);
  await page.getByLabel("To").fill(today);
  await page.getByLabel("To").press("Enter");
  await page.waitForURL(/to=/);
  assert.equal((await told(page)).length, 1, "the last day counts, too");
  await page.getByLabel("Who").fill("nobody@example.com");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByText("No matching entries.").waitFor();
  await assertAccessible(page);
  await page.getByRole("link", { name: "Show all" }).first().click();
  assert.equal((await told(page)).length, all.length);

  await page.goto("/web/audit?action=secret.eaten&from=yesterday");
  await page.getByRole("alert").waitFor();
  assert.match((await page.getByRole("alert").textContent())!, /What must be one of .*From must be a time/);
});

Deno.test("many entries are paged, also without scripts, and all of them are exported", async () => {
  await using server = await startApp();
  await Promise.all(Array.from({ length: 120 }, (_, n) => createSecret(server, `S${n}`, "v")));
  await using visit = await signIn(server, { javaScript: false });
  const { page } = visit;
  await page.goto("/web/audit?action=secret.created");
  const seen = new Set<string>();
  for (const expected of [50, 50, 20]) {
    const here = await told(page);
    assert.equal(here.length, expected);
    here.forEach((text) => seen.add(text));
    if (expected < 50) continue;
    // The whole page, not what has come of it so far.
    await Promise.all([page.waitForEvent("load"), page.getByRole("link", { name: "More entries" }).click()]);
  }
  assert.deepEqual([seen.size, await page.getByRole("link", { name: "More entries" }).count()], [120, 0]);
  assert.equal(await page.getByLabel("What", { exact: true }).inputValue(), "secret.created", "the filter stays");

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Export JSON" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "audit.jsonl");
  const lines = (await Deno.readTextFile((await download.path())!)).trimEnd().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line).action), Array(120).fill("secret.created"));

  const [whole] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "all entries" }).click(),
  ]);
  const all = (await Deno.readTextFile((await whole.path())!)).trimEnd().split("\n");
  assert.equal(JSON.parse(all.at(-1)!).head.count, all.length - 1);
  assert.ok(all.length > 121);
});

Deno.test("the page is accessible, in light and dark, on a wide screen and a narrow one", async () => {
  await using server = await startApp();
  await createSecret(server, "A_NAME_THAT_IS_".repeat(16), "v");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/audit");
  for (const details of await page.locator(".audit summary").all()) await details.click();
  await assertGoodEverywhere(page);
});
