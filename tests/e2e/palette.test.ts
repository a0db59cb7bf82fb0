// The command palette, the page that searches without scripts, and the shortcuts of single keys.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { createGroup, createKey, createSecret, deploy } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import {
  assertAccessible,
  assertFits,
  assertGoodEverywhere,
  closeBrowser,
  openAccountMenu,
  openBrowser,
  signIn,
} from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

const field = (page: Page) => page.getByRole("combobox", { name: "Search everything" });
const options = (page: Page) => page.locator(".palette [role=option]");
const chosen = (page: Page) => page.locator("[role=option][aria-selected=true]");

/** Waits until the results are those of what is typed. */
const settled = (page: Page) => page.locator("#palette-results:not([aria-busy])").waitFor();

/** The chosen option is the one that the field names to screen readers. */
async function assertChosen(page: Page, name: string): Promise<void> {
  await chosen(page).getByText(name, { exact: true }).waitFor();
  assert.equal(await field(page).getAttribute("aria-activedescendant"), await chosen(page).getAttribute("id"));
}

Deno.test("the palette opens by the keyboard, finds, leads there, and gives the focus back", async () => {
  await using server = await startApp();
  const id = await deploy(server, "orders", "export default (c) => c.text('7');");
  await createSecret(server, "DATABASE_URL", "very secret", { scope: "global" });
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets");
  await page.getByLabel("Search names").focus();
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog", { name: "Search" }).waitFor();
  await options(page).first().waitFor();
  await assertGoodEverywhere(page);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.equal(await page.evaluate("document.activeElement.labels[0].textContent"), "Search names");

  await page.keyboard.press("Control+k");
  await page.keyboard.type("dburl");
  await assertChosen(page, "DATABASE_URL");
  assert.ok(!(await page.content()).includes("very secret"));
  await page.keyboard.press("Enter");
  await page.waitForURL("/web/secrets/names/DATABASE_URL");

  await page.keyboard.press("Control+k");
  await page.keyboard.type("log");
  await settled(page);
  await page.getByRole("option", { name: "Logs Page" }).waitFor();
  const names = await page.locator(".result-name").allTextContents();
  await assertChosen(page, names[0]!);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await assertChosen(page, names[1]!);
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  await assertChosen(page, names.at(-1)!);
  assert.equal(await page.getByRole("dialog").getByRole("status").textContent(), `${names.length} results`);

  await field(page).fill("orders");
  await assertChosen(page, "orders");
  await chosen(page).click();
  await page.waitForURL(`/web/functions/${id}`);

  await page.keyboard.press("Control+k");
  await page.keyboard.type("nothing has such a name");
  await page.getByText("Nothing fits.").waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
});

Deno.test("results of what is not typed any more are not shown, and Enter does not follow them", async () => {
  await using server = await startApp();
  await createSecret(server, "DATABASE_URL", "very secret", { scope: "global" });
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web");
  const held = Promise.withResolvers<void>();
  // The answers to less than the whole text come when the whole text's results are awaited.
  await page.route(/\/web\/search\?q=(d|db|dbu|dbur)?$/, async (route) => {
    const response = await route.fetch();
    await held.promise;
    await route.fulfill({ response }).catch(() => {});
  });
  const typed = Promise.withResolvers<void>();
  await page.route(/\/web\/search\?q=dburl$/, async (route) => {
    await typed.promise;
    await route.continue();
  });
  await page.keyboard.press("Control+k");
  const first = page.waitForRequest(/\?q=d$/);
  await page.keyboard.type("d");
  await first;
  const second = page.waitForRequest(/\?q=dburl$/);
  await page.keyboard.type("burl");
  await page.keyboard.press("Enter");
  held.resolve();
  await second;
  assert.equal(await options(page).count(), 0);
  assert.ok(await page.locator("#palette-results[aria-busy]").count());
  typed.resolve();
  await page.waitForURL("/web/secrets/names/DATABASE_URL");
});

Deno.test("names in the palette are text, and a session that ended is said", async () => {
  await using server = await startApp();
  const attack = `<img src=x onerror=alert(1) data-gained>`;
  const groupId = await createGroup(server, "callers");
  await createKey(server, groupId, attack);
  await using visit = await signIn(server);
  const { page, context } = visit;
  await page.goto("/web");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("data-gained");
  await assertChosen(page, attack);
  assert.equal(await page.locator("[data-gained]").count(), 0);
  await context.clearCookies();
  await field(page).fill("callers");
  await page.getByRole("dialog").getByText("Your session has ended.").first().waitFor();
  await assertAccessible(page);
});

Deno.test("at 360 px the palette opens by a button, and fits", async () => {
  await using server = await startApp();
  await using visit = await signIn(server, { width: 360, height: 640 });
  const { page } = visit;
  await page.goto("/web/audit");
  await page.getByRole("banner").getByRole("link", { name: "Search" }).click();
  await options(page).first().waitFor();
  await assertFits(page);
  await assertAccessible(page);
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
});

Deno.test("without scripts, Search leads to a page with a form", async () => {
  await using server = await startApp();
  await createSecret(server, "DATABASE_URL", "very secret", { scope: "global" });
  await using visit = await signIn(server, { javaScript: false });
  const { page } = visit;
  await page.goto("/web");
  await page.getByRole("link", { name: "Search" }).first().click();
  await page.waitForURL("/web/search");
  await page.getByLabel("Search everything").fill("database");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("link", { name: "DATABASE_URL Secret" }).click();
  await page.waitForURL("/web/secrets/names/DATABASE_URL");
});

Deno.test("single keys lead to sections, to the filter and to a new entry, but not while something is typed", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  const keys = page.keyboard;
  await page.goto("/web");
  for (const [key, path] of [["s", "secrets"], ["f", "functions"], ["k", "keys"], ["l", "logs"], ["m", "metrics"]]) {
    await keys.press("g");
    await keys.press(key!);
    await page.waitForURL(`/web/${path}`);
  }
  await page.goto("/web/secrets");
  await keys.press("/");
  assert.equal(await page.evaluate("document.activeElement.labels[0].textContent"), "Search names");
  await keys.type("gc?/");
  assert.equal(await page.getByLabel("Search names").inputValue(), "gc?/");
  await page.locator("#main").focus();
  await keys.press("c");
  await page.waitForURL("/web/secrets/new");
  await page.locator("#main").focus();
  await keys.press("c");
  await keys.press("x");
  await keys.press("g");
  await keys.press("o");
  await page.waitForURL("/web");

  await keys.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await assertGoodEverywhere(page);
  await keys.press("g");
  await keys.press("s");
  await keys.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.equal(new URL(page.url()).pathname, "/web");
});

Deno.test("single keys can be turned off in the account menu; Ctrl+K stays", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets");
  await openAccountMenu(page);
  await page.getByRole("group", { name: "Shortcuts" }).getByRole("button", { name: "Off" }).click();
  await page.locator("html[data-keys=off]").waitFor();
  await page.waitForFunction(`fetch("/web").then((a) => a.text()).then((t) => t.includes('data-keys="off"'))`);
  await page.goto("/web/secrets");
  await page.keyboard.press("c");
  await page.keyboard.press("?");
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog", { name: "Search" }).waitFor();
  assert.equal(await page.getByRole("dialog", { name: "Keyboard shortcuts" }).count(), 0);
  assert.equal(new URL(page.url()).pathname, "/web/secrets");
});

Deno.test("the help of the shortcuts opens from the account menu, which says it without scripts, too", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web");
  await openAccountMenu(page);
  await page.getByRole("link", { name: "Keyboard shortcuts" }).click();
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).getByRole("button", { name: "Close" }).click();
  await page.goto("/web/docs/admin-pages#keyboard");
  await page.locator("#keyboard").waitFor();
});
