// The metrics page in a browser: what was called is in its charts and its table, with and without scripts.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { createGroup, createKey, createSecret, deploy, run } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { assertGoodEverywhere, closeBrowser, inSidebar, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** The sum of a column of the table of numbers. */
function sum(page: Page, column: string): Promise<number> {
  return page.evaluate(`(() => {
    const table = document.getElementById("numbers");
    const index = [...table.tHead.rows[0].cells].findIndex((head) => head.dataset.column === ${JSON.stringify(column)});
    return [...table.tBodies[0].rows].reduce((sum, row) => sum + Number(row.cells[index].textContent), 0);
  })()`);
}

/** Whether something in the given chart is painted in a colour of its lines. */
function isDrawn(page: Page, chart: string): Promise<boolean> {
  return page.evaluate(`(() => {
    const canvas = document.querySelector('[data-chart="${chart}"] canvas');
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const wanted = getComputedStyle(document.documentElement).getPropertyValue("--chart-1").trim();
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(wanted.slice(at, at + 2), 16));
    for (let at = 0; at < data.length; at += 4) {
      if (data[at] === r && data[at + 1] === g && data[at + 2] === b && data[at + 3] === 255) return true;
    }
    return false;
  })()`);
}

Deno.test("the page shows what was called, of all functions and of one, in charts and without scripts", async (t) => {
  await using server = await startApp();
  await createSecret(server, "TOKEN", "a-value-of-a-token");
  await deploy(
    server,
    "orders",
    `export default async (c, ctx) => c.text(String((await ctx.getSecret("TOKEN")).length))`,
  );
  const keys = [await createGroup(server, "callers")];
  const { value } = await createKey(server, keys[0]!, "acme");
  await deploy(server, "broken", "export default () => { throw new Error('no') }", { keys });
  await server.api("POST", "/api/deployments", { message: "ship orders", files: { "more.ts": null } });
  for (let n = 0; n < 3; n++) await run(server, "/orders");
  await run(server, "/broken", value);

  await t.step("with charts, accessible, and fitting everywhere with the numbers shown", async () => {
    await using visit = await signIn(server);
    const { page } = visit;
    await page.goto("/web");
    await inSidebar(page, "Metrics").click();
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Metrics");
    await page.locator("canvas").nth(3).waitFor();
    for (const chart of ["calls errors", "p50 p95 p99", "starts", "reads"]) {
      assert.ok(await isDrawn(page, chart), chart);
    }
    assert.deepEqual([await sum(page, "calls"), await sum(page, "errors"), await sum(page, "reads")], [4, 1, 3]);
    await page.getByText("Show the numbers by minute").click();
    await assertGoodEverywhere(page);
    const row = page.getByRole("row", { name: /^orders/ });
    assert.deepEqual((await row.getByRole("cell").allTextContents()).slice(0, 3), ["3", "0", "0"]);

    await row.getByRole("link", { name: "orders" }).click();
    await page.waitForURL("/web/functions/1/metrics?range=hour");
    // The address from before there was such a tab.
    await page.goto("/web/metrics?function=1&range=hour");
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Metrics of orders");
    assert.deepEqual([await sum(page, "calls"), await sum(page, "errors")], [3, 0]);
    // The choice applies at once.
    await page.getByLabel("Time").selectOption("Last 90 days");
    await page.waitForURL(/range=ninety-days/);
    assert.deepEqual(await sum(page, "calls"), 3);
    assert.equal(await page.locator("#numbers tbody tr").count(), 90);
    assert.equal(await page.getByLabel("Function").inputValue(), "1");

    await page.getByLabel("Function").selectOption("All functions");
    await page.waitForURL(/function=&/);
    await page.getByRole("row", { name: /^callers\/acme/ }).getByRole("link").click();
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Metrics of callers/acme");
    assert.deepEqual([await sum(page, "calls"), await sum(page, "errors")], [1, 1]);
  });

  await t.step("the totals are above the charts, with those before, and what changed is marked", async () => {
    await using visit = await signIn(server);
    const { page } = visit;
    await page.goto("/web/metrics");
    const totals = await page.locator("#metrics .tiles > li").allTextContents();
    assert.match(totals[0]!, /^Calls\s*4\s*$/);
    assert.equal(await page.getByText("Nothing was called in the hour before").count(), 1);
    assert.match(totals[1]!, /^Error rate\s*25 %\s*1 error/);
    assert.match(totals[2]!, /^p50\s*[\d.]+ ms/);
    const change = page.locator("#changes").getByRole("link", { name: "Deployment 1: ship orders" });
    const mark = page.locator("[data-chart^=calls] .change-mark");
    assert.equal(await mark.getAttribute("href"), await change.getAttribute("href"));
    await change.click();
    assert.equal(new URL(page.url()).pathname, "/web/deployments/1");
  });

  await t.step("the tables are sorted by a click on a heading, and a legend hides its line", async () => {
    await using visit = await signIn(server);
    const { page } = visit;
    await page.goto("/web/metrics");
    const table = page.getByRole("region", { name: "Calls by function" });
    const names = () => table.getByRole("rowheader").allTextContents();
    assert.deepEqual(await names(), ["orders", "broken"]);
    for (const expected of [["broken", "orders"], ["orders", "broken"]]) {
      await table.getByRole("link", { name: "Errors" }).click();
      await page.waitForURL(expected[0] === "broken" ? /sort=errors&order=desc/ : /sort=errors&order=asc/);
      assert.deepEqual(await names(), expected);
    }
    assert.equal(await table.getByRole("columnheader", { name: "Errors" }).getAttribute("aria-sort"), "ascending");
    await table.getByRole("link", { name: "Function" }).click();
    await page.waitForURL(/sort=name&order=asc/);
    assert.deepEqual(await names(), ["broken", "orders"]);

    assert.ok(await isDrawn(page, "calls errors"));
    const legend = page.locator("[data-chart^=calls]").getByRole("button", { name: "Calls" });
    await legend.click();
    assert.equal(await legend.getAttribute("aria-pressed"), "false");
    while (await isDrawn(page, "calls errors"));
    await legend.click();
    while (!await isDrawn(page, "calls errors"));
    const { x, y, width, height } = (await page.locator("[data-chart^=calls] .u-over").boundingBox())!;
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.locator("[data-chart^=calls] .at").filter({ hasText: /\d\d:\d\d/ }).waitFor();
    assert.match((await legend.textContent())!, /Calls\s+0/);
  });

  await t.step("of a function as a tab of its page, with times to choose from", async () => {
    await using visit = await signIn(server);
    const { page } = visit;
    await page.goto("/web/functions/1");
    const tabs = page.getByRole("navigation", { name: "This function" });
    await tabs.getByRole("link", { name: "Metrics" }).click();
    await page.waitForURL("/web/functions/1/metrics");
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "orders");
    assert.equal(await tabs.getByRole("link", { name: "Metrics" }).getAttribute("aria-current"), "page");
    await page.locator("canvas").nth(2).waitFor();
    assert.deepEqual([await sum(page, "calls"), await sum(page, "errors")], [3, 0]);
    await page.getByRole("navigation", { name: "Time" }).getByRole("link", { name: "Last 90 days" }).click();
    await page.waitForURL("/web/functions/1/metrics?range=ninety-days");
    assert.equal(await sum(page, "calls"), 3);
    await assertGoodEverywhere(page);
    assert.equal((await page.goto("/web/functions/7/metrics"))!.status(), 404);
  });

  await t.step("the numbers are refreshed without a reload, until that is paused", async () => {
    await using visit = await signIn(server);
    const { page } = visit;
    await page.clock.install();
    await page.goto("/web/metrics");
    await page.getByText("Refreshes automatically").waitFor();
    await page.getByText("Show the numbers by minute").click();
    await page.evaluate("document.activeElement.blur()");
    const before = await sum(page, "calls");
    await run(server, "/orders");
    await page.clock.fastForward(31_000);
    while (await sum(page, "calls") === before);
    assert.equal(await sum(page, "calls"), before + 1);
    assert.ok(await page.locator("#numbers").isVisible(), "what was open stays open");
    assert.ok(await isDrawn(page, "calls errors"));
    const pause = page.getByRole("button", { name: "Pause" });
    await pause.click();
    await page.getByText("Paused", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("Refreshes automatically").waitFor();
  });

  await t.step("without scripts the numbers are there and no empty chart is", async () => {
    await using visit = await signIn(server, { javaScript: false });
    const { page } = visit;
    await page.goto("/web/metrics");
    assert.equal(await page.locator("figure:visible").count(), 0);
    await page.getByText("Show the numbers by minute").click();
    assert.equal(await page.getByRole("region", { name: "The numbers that the charts show" }).isVisible(), true);
  });
});

Deno.test("a server that was never called says so, and an unknown function is not found", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/metrics?range=nonsense");
  assert.equal(await page.getByText("There were no calls in this time.").count(), 1);
  assert.equal(await page.locator("figure").count(), 0, "no empty chart");
  assert.equal((await page.goto("/web/metrics?function=7"))!.status(), 404);
});
