// The logs in a browser: what is there, what comes, filters, pages, and that handlers' words stay words.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { createSecret, deploy, run } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { assertGoodEverywhere, closeBrowser, inSidebar, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** The messages on the page, the newest first. */
function messages(page: Page): Promise<string[]> {
  return page.locator("#entries .message").allTextContents();
}

const SPEAKING = `export default (c, ctx) => {
  const { say = "", level = "log", times = 1 } = ctx.query;
  for (let n = 0; n < times; n++) console[level](say + (times > 1 ? " " + n : ""));
  return c.text("said");
}`;

Deno.test("the page shows what was printed, follows what is, pauses and goes on without missing a line", async () => {
  await using server = await startApp();
  await createSecret(server, "TOKEN", "a-value-that-nobody-sees");
  await deploy(server, "speaking", SPEAKING);
  await deploy(
    server,
    "leaky",
    `export default async (c, ctx) => { console.warn(await ctx.getSecret("TOKEN")); return c.text(""); }`,
  );
  await run(server, "/speaking?say=before");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web");
  await inSidebar(page, "Logs").click();
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Logs");
  assert.deepEqual(await messages(page), ["before"]);
  await page.getByText("New entries appear automatically.").waitFor();

  await run(server, `/speaking?say=${encodeURIComponent("<img src=x onerror=alert(1)> & more")}&level=error`);
  await run(server, "/leaky");
  await page.getByText("[secret TOKEN]").waitFor();
  assert.deepEqual(await messages(page), ["[secret TOKEN]", "<img src=x onerror=alert(1)> & more", "before"]);
  const error = page.getByRole("listitem").filter({ hasText: "onerror" });
  assert.match((await error.textContent())!, /error.*speaking/s);
  assert.doesNotMatch(await page.content(), /nobody-sees/);

  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("Paused.").waitFor();
  await run(server, "/speaking?say=meanwhile");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByText("meanwhile").waitFor();
  assert.equal((await messages(page)).length, 4);

  // What was not printed says what it is, as it comes and when the page is opened anew.
  await deploy(server, "broken", `export default () => { throw new Error("no such table"); }`);
  await run(server, "/broken");
  const failure = page.getByRole("listitem").filter({ hasText: "no such table" });
  const live = (await failure.locator(".about").textContent())!;
  assert.match(live, /error.*failed/s);
  await page.reload();
  assert.match((await failure.locator(".about").textContent())!, /error.*broken.*failed/s);

  // By a link of an entry: what one call printed.
  await page.getByRole("listitem").filter({ hasText: "meanwhile" }).getByRole("link", { name: /This request/ }).click();
  await page.waitForURL(/requestId=/);
  assert.deepEqual(await messages(page), ["meanwhile"]);
});

Deno.test("filters narrow what is there and what comes, and a log can be deleted", async () => {
  await using server = await startApp();
  await deploy(server, "speaking", SPEAKING);
  await deploy(server, "other", SPEAKING);
  for (const level of ["log", "warn", "error"]) await run(server, `/speaking?say=disk+${level}&level=${level}`);
  await run(server, "/other?say=disk+of+another&level=error");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/logs");
  await page.getByLabel("Function").selectOption("speaking");
  await page.getByLabel("Level").selectOption("Warnings and errors");
  await page.getByLabel("Words").fill("DISK");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/search=DISK/);
  assert.deepEqual(await messages(page), ["disk error", "disk warn"]);
  await page.getByText("New entries appear automatically.").waitFor();
  await run(server, "/other?say=disk+again&level=error");
  await run(server, "/speaking?say=disk+again");
  await run(server, "/speaking?say=something+else&level=error");
  await run(server, "/speaking?say=disk+full&level=error");
  await page.getByText("disk full").waitFor();
  assert.deepEqual(await messages(page), ["disk full", "disk error", "disk warn"]);

  await page.getByLabel("Words").fill("...");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByRole("alert").waitFor();
  assert.match((await page.getByRole("alert").textContent())!, /Words must have a letter or digit in it/);
  await page.getByRole("link", { name: "Show all" }).click();
  await page.waitForURL((url) => url.search === "");

  await page.getByLabel("Function").selectOption("speaking");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByText("Delete this log").click();
  await page.getByRole("button", { name: "Delete all entries" }).click();
  await page.getByText("The log of speaking was deleted.").waitFor();
  await page.getByText("No matching entries.").waitFor();
  await page.getByRole("link", { name: "Show all" }).first().click();
  await page.waitForURL((url) => url.search === "");
  assert.deepEqual(await messages(page), ["disk again", "disk of another"]);
  const { body } = await server.api("GET", "/api/audit?action=logs.cleared");
  assert.equal(body.entries[0].subject.name, "speaking");
});

Deno.test("many entries are paged, also without scripts", async () => {
  await using server = await startApp();
  await deploy(server, "speaking", SPEAKING);
  await run(server, "/speaking?say=line&times=250");
  await using visit = await signIn(server, { javaScript: false });
  const { page } = visit;
  await page.goto("/web/logs");
  const seen: string[] = [];
  for (const expected of [100, 100, 50]) {
    const here = await messages(page);
    assert.equal(here.length, expected);
    seen.push(...here);
    if (expected === 100) await page.getByRole("link", { name: "More entries" }).click();
  }
  assert.deepEqual(seen, Array.from({ length: 250 }, (_, n) => `line ${249 - n}`));
});

Deno.test("the page is accessible, in light and dark, on a wide screen and a narrow one", async () => {
  await using server = await startApp();
  await deploy(server, "speaking", SPEAKING);
  for (const level of ["log", "warn", "error"]) await run(server, `/speaking?say=${"long".repeat(100)}&level=${level}`);
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/logs?functionId=1");
  await page.getByText("New entries appear automatically.").waitFor();
  await assertGoodEverywhere(page);
});
