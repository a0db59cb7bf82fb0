// The logs in a browser: what is there, what comes, filters, pages, and that handlers' words stay words.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { createGroup, createKey, createSecret, deploy, run, set } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { assertGoodEverywhere, closeBrowser, inSidebar, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** The messages on the page, the newest first. */
function messages(page: Page): Promise<string[]> {
  return page.locator("#entries .text").allTextContents();
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
  await page.getByText("Live", { exact: true }).waitFor();

  await run(server, `/speaking?say=${encodeURIComponent("<img src=x onerror=alert(1)> & more")}&level=error`);
  await run(server, "/leaky");
  await page.getByText("[secret TOKEN]").waitFor();
  assert.deepEqual(await messages(page), ["[secret TOKEN]", "<img src=x onerror=alert(1)> & more", "before"]);
  const error = page.getByRole("listitem").filter({ hasText: "onerror" });
  assert.match((await error.textContent())!, /error.*speaking/s);
  assert.doesNotMatch(await page.content(), /nobody-sees/);

  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("Paused", { exact: true }).waitFor();
  await run(server, "/speaking?say=meanwhile");
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByText("meanwhile").waitFor();
  assert.equal((await messages(page)).length, 4);

  // What was not printed says what it is, as it comes and when the page is opened anew.
  await deploy(server, "broken", `export default () => { throw new Error("no such table"); }`);
  await run(server, "/broken");
  const failure = page.getByRole("listitem").filter({ hasText: "no such table" });
  const live = (await failure.locator("summary").textContent())!;
  assert.match(live, /error.*failed/s);
  await page.reload();
  assert.match((await failure.locator("summary").textContent())!, /error.*broken.*failed/s);
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
  // Each choice applies at once.
  await page.getByLabel("Function").selectOption("speaking");
  await page.waitForURL(/functionId=/);
  await page.getByLabel("Level").selectOption("Warnings and errors");
  await page.waitForURL(/level=warn/);
  await page.getByLabel("Search").fill("DISK");
  await page.getByLabel("Search").press("Enter");
  await page.waitForURL(/search=DISK/);
  assert.deepEqual(await messages(page), ["disk error", "disk warn"]);
  await page.getByText("Live", { exact: true }).waitFor();
  await run(server, "/other?say=disk+again&level=error");
  await run(server, "/speaking?say=disk+again");
  await run(server, "/speaking?say=something+else&level=error");
  await run(server, "/speaking?say=disk+full&level=error");
  await page.getByText("disk full").waitFor();
  assert.deepEqual(await messages(page), ["disk full", "disk error", "disk warn"]);
  assert.deepEqual(await page.locator("#entries mark").allTextContents(), ["disk", "disk", "disk"]);

  await page.getByLabel("Search").fill("...");
  await page.getByLabel("Search").press("Enter");
  await page.getByRole("alert").waitFor();
  assert.match((await page.getByRole("alert").textContent())!, /Search must have a letter or digit in it/);
  await page.getByRole("link", { name: "Show all" }).click();
  await page.waitForURL((url) => url.search === "");

  await page.getByLabel("Function").selectOption("speaking");
  await page.waitForURL(/functionId=/);
  await page.getByText("Delete this log").click();
  await page.getByRole("button", { name: "Delete all entries" }).click();
  await page.getByText("The log of speaking was deleted.").waitFor();
  await page.getByText("No entries in the last 24 hours.").waitFor();
  assert.equal(new URL(page.url()).pathname, "/web/functions/1/logs");
  await inSidebar(page, "Logs").click();
  await page.waitForURL("/web/logs");
  assert.deepEqual(await messages(page), ["disk again", "disk of another"]);
  const { body } = await server.api("GET", "/api/audit?action=logs.cleared");
  assert.equal(body.entries[0].subject.name, "speaking");
});

Deno.test("the log of a function is a tab of its page, where filters, pages and new entries stay its own", async () => {
  await using server = await startApp();
  await deploy(server, "speaking", SPEAKING);
  await deploy(server, "other", SPEAKING);
  await run(server, "/speaking?say=line&times=120");
  await run(server, "/speaking?say=bad&level=error");
  await run(server, "/other?say=of+another&level=error");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/functions/1");
  const tabs = page.getByRole("navigation", { name: "This function" });
  await tabs.getByRole("link", { name: "Logs" }).click();
  await page.waitForURL("/web/functions/1/logs");
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "speaking");
  assert.equal(await tabs.getByRole("link", { name: "Logs" }).getAttribute("aria-current"), "page");
  assert.equal((await messages(page)).length, 100);
  assert.equal(await page.getByLabel("Function", { exact: true }).count(), 0);
  await page.getByText("Live", { exact: true }).waitFor();
  await run(server, "/other?say=of+another+again&level=error");
  await run(server, "/speaking?say=the+newest&level=error");
  await page.getByText("the newest").waitFor();
  assert.deepEqual((await messages(page)).slice(0, 2), ["the newest", "bad"]);
  await page.getByRole("link", { name: "More entries" }).click();
  await page.waitForURL(/\/web\/functions\/1\/logs\?cursor=/);
  assert.equal((await messages(page)).length, 21);
  await page.getByLabel("Level").selectOption("Errors");
  await page.waitForURL(/level=error/);
  assert.equal(new URL(page.url()).pathname, "/web/functions/1/logs");
  assert.deepEqual(await messages(page), ["the newest", "bad"]);
  await page.getByRole("link", { name: "Show all" }).click();
  await page.waitForURL("/web/functions/1/logs");
  await page.getByText("Live", { exact: true }).waitFor();
  await assertGoodEverywhere(page);
  // What links to the general page with a function still lists its entries.
  await page.goto("/web/logs?functionId=2");
  assert.equal(await page.getByLabel("Function").inputValue(), "2");
  assert.deepEqual(await messages(page), ["of another again", "of another"]);
  assert.equal((await page.goto("/web/functions/3/logs"))!.status(), 404);
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

Deno.test("the fields of the filter apply by a button without scripts, also a custom time", async () => {
  await using server = await startApp();
  await deploy(server, "speaking", SPEAKING);
  await run(server, "/speaking?say=now&level=warn");
  await using visit = await signIn(server, { javaScript: false });
  const { page } = visit;
  await page.goto("/web/logs");
  await page.getByLabel("Level").selectOption("Errors");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(/level=error/);
  assert.deepEqual(await messages(page), []);
  await page.getByRole("link", { name: "Show all" }).first().click();
  await page.waitForURL(({ searchParams }) => searchParams.get("level") !== "error");
  await page.getByText("Custom time").click();
  await page.getByLabel("From (UTC)").fill("2026-01-31T12:00:05");
  await page.getByLabel("Until (UTC)").fill("2026-01-31T13:00:00");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.waitForURL(/range=custom/);
  assert.deepEqual(await messages(page), []);
  assert.equal(await page.getByLabel("From (UTC)").inputValue(), "2026-01-31T12:00:05");
  // Another level is of the same time.
  await page.getByLabel("Level").selectOption("Errors");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(({ searchParams }) => searchParams.get("level") === "error");
  assert.match(page.url(), /from=2026-01-31T12%3A00%3A05&to=2026-01-31T13%3A00/);
  await page.getByRole("link", { name: "Look at any time" }).click();
  await page.waitForURL(({ searchParams }) => !searchParams.get("from"));
  await page.getByLabel("Level").selectOption("All levels");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.waitForURL(({ searchParams }) => searchParams.get("level") !== "error");
  assert.deepEqual(await messages(page), ["now"]);
});

Deno.test("a bar of the histogram narrows the time to its own", async () => {
  await using server = await startApp();
  await deploy(server, "speaking", SPEAKING);
  await run(server, "/speaking?say=line&times=30&level=error");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/logs?range=7d&level=error");
  const bars = page.getByRole("list", { name: "Entries over time" }).getByRole("link");
  // Each time by less, to a second at last.
  for (let before = ""; page.url() !== before;) {
    before = page.url();
    await bars.filter({ hasText: /error/ }).last().click();
    await page.waitForURL(/range=custom/);
    await page.getByRole("list", { name: "Numbers of entries" }).getByText(/error/).waitFor();
    assert.ok((await messages(page)).length > 0);
    assert.equal(new URL(page.url()).searchParams.get("level"), "error");
  }
  const length = () => {
    const { searchParams } = new URL(page.url());
    return Date.parse(searchParams.get("to")!) - Date.parse(searchParams.get("from")!);
  };
  assert.equal(length(), 1_000);
  await page.getByRole("link", { name: "Zoom out" }).click();
  await page.waitForURL((url) => !url.href.includes("cursor"));
  await page.getByRole("list", { name: "Numbers of entries" }).getByText(/error/).waitFor();
  assert.ok(length() > 1_000);
});

Deno.test("bars are reached by the arrow keys, say what they count, and a time is chosen by dragging over them", async () => {
  await using server = await startApp();
  await deploy(server, "speaking", SPEAKING);
  await run(server, "/speaking?say=line&times=3&level=error");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/logs?range=15m");
  await page.getByText("Live", { exact: true }).waitFor();
  await run(server, "/speaking?say=later");
  await page.getByText("later").waitFor();
  await page.reload();
  const bars = page.getByRole("list", { name: "Entries over time" }).getByRole("link");
  assert.match((await bars.last().textContent())!, /^\d+ \w+ \d\d:\d\d to \d\d:\d\d(:\d\d)?: \d entr(y|ies)/);
  /** Whether the link of a bar has the focus and shows what it counts. */
  const isAt = (index: number) =>
    page.evaluate(`(() => {
      const bar = [...document.querySelectorAll(".bars a")].at(${index});
      return bar === document.activeElement && getComputedStyle(bar.querySelector(".bar-tip")).opacity === "1";
    })()`);
  assert.equal(await isAt(-1), false);
  await bars.last().focus();
  await page.keyboard.press("Home");
  assert.ok(await isAt(0));
  await page.keyboard.press("End");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Tab");
  assert.ok(await isAt(-1), "one stop for the Tab key");

  const box = (await page.locator(".histogram").boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 2, box.y + 20, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/range=custom/);
  const { searchParams } = new URL(page.url());
  const length = Date.parse(searchParams.get("to")!) - Date.parse(searchParams.get("from")!);
  assert.ok(length >= 7 * 60_000 && length <= 9 * 60_000, `${length}`);
  assert.equal((await messages(page)).length, 4);
});

Deno.test("a request is a timeline of its events from the oldest on, also when its id is searched for", async () => {
  await using server = await startApp();
  await createSecret(server, "TOKEN", "a-value-that-nobody-sees");
  await set(server, { "log.level": "debug" });
  await deploy(
    server,
    "telling",
    `export default async (c, ctx) => {
      console.log("first"); await ctx.getSecret("TOKEN"); console.warn("second");
      if (ctx.query.fail) throw new Error("no such table");
      return c.text("");
    }`,
  );
  const ids: string[] = [];
  for (const query of ["", "?fail=1"]) {
    ids.push((await run(server, `/telling${query}`)).headers.get("x-request-id")!);
  }
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/logs");
  await page.getByRole("listitem").filter({ hasText: "no such table" }).getByRole("link", { name: /Request/ }).click();
  await page.waitForURL(/requestId=/);
  const events = page.getByRole("list", { name: "Events, the oldest first" });
  const texts = () => events.locator(".said").allTextContents();
  assert.match((await texts()).at(-1)!, /^failed.*no such table/);
  const facts = page.locator(".facts");
  assert.match((await facts.textContent())!, /Functiontelling.*Outcomefailed.*Duration[\d.]+ (?:ms|s)/s);

  await page.getByRole("link", { name: "All logs" }).click();
  await page.getByLabel("Search").fill(ids[0]!);
  await page.getByLabel("Search").press("Enter");
  await page.waitForURL(/requestId=/);
  assert.deepEqual(await texts(), [
    "startedGET /run/telling",
    "first",
    "asked for a secretgetSecret: TOKEN (global)",
    "second",
    "endedStatus 200.",
  ]);
  assert.match((await facts.textContent())!, /Outcomestatus 200/);
  const offsets = (await events.locator(".offset").allTextContents()).map((text) =>
    parseFloat(text) * (text.endsWith(" s") ? 1_000 : 1)
  );
  assert.deepEqual(offsets, offsets.toSorted((a, b) => a - b));
  const waiting = page.waitForEvent("download");
  await page.getByRole("link", { name: "JSON lines" }).click();
  const lines = (await Deno.readTextFile((await (await waiting).path())!)).trimEnd().split("\n");
  assert.equal(lines.length, 5);
  assert.ok(lines.every((line) => JSON.parse(line).requestId === ids[0]));
  await assertGoodEverywhere(page);
  await page.goto("/web/logs?requestId=unknown");
  await page.getByText("There are no entries of the request").waitFor();
});

Deno.test("an entry is a line that unfolds, and 25 fit on a screen of 800 pixels", async () => {
  await using server = await startApp();
  const id = await deploy(server, "speaking", SPEAKING, { keys: [await createGroup(server, "callers")] });
  await createSecret(server, "ANY", "value");
  const { value } = await createKey(server, 2, "caller");
  await run(server, `/speaking?times=500&say=${encodeURIComponent("one line\nand another")}`, value);
  await using visit = await signIn(server, { height: 800 });
  const { page } = visit;
  await page.goto(`/web/logs?functionId=${id}`);
  await page.getByText("Live", { exact: true }).waitFor();
  await page.getByText("500 entries").first().waitFor();
  const shown = () =>
    page.evaluate(`[...document.querySelectorAll("#entries > li")]
      .filter((entry) => entry.getBoundingClientRect().bottom <= innerHeight).length`);
  assert.ok(await shown() as number >= 25, `${await shown()}`);
  const entry = page.locator("#entries > li").first();
  assert.equal(await entry.getByText("Only this function").isVisible(), false);
  await entry.locator("summary").click();
  assert.equal(await entry.getByText("Only this function").isVisible(), true);
  await visit.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await entry.getByRole("button", { name: "Copy as JSON" }).click();
  await page.getByText("Copied.").waitFor();
  const { at, requestId, ...copied } = JSON.parse(await page.evaluate("navigator.clipboard.readText()"));
  assert.deepEqual(copied, {
    ...{ level: "info", function: "speaking", message: "one line\nand another 499" },
    key: "callers/caller",
  });
  assert.deepEqual([at, requestId], [await entry.locator("time").getAttribute("datetime"), requestId]);
});

Deno.test("the page is accessible, in light and dark, on a wide screen and a narrow one", async () => {
  await using server = await startApp();
  await deploy(server, "speaking", SPEAKING);
  for (const level of ["log", "warn", "error"]) await run(server, `/speaking?say=${"long".repeat(100)}&level=${level}`);
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/logs?functionId=1");
  await page.getByText("Live", { exact: true }).waitFor();
  await assertGoodEverywhere(page);
});
