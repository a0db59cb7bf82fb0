// A real browser for the tests of the admin pages: Debian's Chromium, driven by Playwright.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import AxeSource from "axe-core/axe.min.js" with { type: "text" };
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from "playwright-core";
import { ADMIN, setUp, Visitor } from "../http/admin.ts";
import type { Server } from "../http/server.ts";

export { ADMIN };

/** WCAG 2.2 AA and what axe calls best practice. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
/** The rules among them whose outcome hangs on the colours, and on the room that there is. */
const RULES_OF_LOOKS = ["color-contrast", "target-size", "scrollable-region-focusable"];
const NARROW = { width: 360, height: 640 };
interface AxeResults {
  violations: { id: string; nodes: { html: string }[] }[];
}

/** The whole browser, as an admin has it. */
const CHROMIUM = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
/** The same engine without the window around its pages, which nobody sees here: half the work. */
const HEADLESS_SHELL = "/usr/bin/chromium-headless-shell";

export interface Visit extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Requests that went anywhere but to the server, and errors and policy violations on the pages' consoles. */
  readonly offences: string[];
}

export interface VisitOptions {
  width?: number;
  height?: number;
  dark?: boolean;
  javaScript?: boolean;
  /** Such as "Asia/Tokyo". */
  timeZone?: string;
}

let browser: Browser | undefined;

/** One browser for a test file: `Deno.test.beforeAll(openBrowser)`, so that no test is taken for its owner. */
export async function openBrowser(): Promise<void> {
  await launch(Deno.env.has("CHROMIUM") || !existsSync(HEADLESS_SHELL) ? CHROMIUM : HEADLESS_SHELL);
}

/** The same with the whole browser, for what more than its engine has a part in. */
export async function openWholeBrowser(): Promise<void> {
  await launch(CHROMIUM);
}

async function launch(executablePath: string): Promise<void> {
  browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      // So that a hostile page gets as far as it can.
      "--disable-popup-blocking",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Beside it: `Deno.test.afterAll(closeBrowser)`. */
export async function closeBrowser(): Promise<void> {
  await browser?.close();
}

/** The servers whose first user has been created, or is. */
const setUps = new WeakMap<Server, Promise<unknown>>();

/**
 * A fresh browser profile, signed in as `ADMIN` with a session of its own, and on no page yet. The forms for that are
 * filled in where they are tested; here they are sent by HTTP, as they are needed everywhere.
 */
export async function signIn(server: Server, options: VisitOptions = {}): Promise<Visit> {
  let visitor: Visitor;
  const earlier = setUps.get(server);
  if (earlier) {
    await earlier;
    visitor = new Visitor(server.url);
    assert.equal((await visitor.signIn()).status, 303);
  } else {
    const made = setUp(server);
    setUps.set(server, made);
    visitor = await made;
  }
  const signedIn = await visit(server, options);
  // Not the greeting that is told on the next page.
  const kept = [...visitor.cookies].filter(([name]) => !name.startsWith("crude_notice"));
  const cookies = kept.map(([name, value]) => ({ name, value, url: server.url }));
  await signedIn.context.addCookies(cookies.map((cookie) => ({ ...cookie, httpOnly: true, sameSite: "Lax" })));
  return signedIn;
}

/** A fresh browser profile, in which the first user has been created by the link and the form for it. */
export async function setUpByHand(server: Server, options: VisitOptions = {}): Promise<Visit> {
  setUps.set(server, Promise.resolve());
  const newcomer = await visit(server, options);
  const { page } = newcomer;
  await page.goto(await setupLink(server));
  await page.getByLabel("Name").fill(ADMIN.name);
  await page.getByLabel("E-mail").fill(ADMIN.email);
  await page.getByLabel("Password", { exact: true }).fill(ADMIN.password);
  await page.getByLabel("Password again").fill(ADMIN.password);
  await page.getByRole("button", { name: "Create user" }).click();
  await page.waitForURL("/web");
  return newcomer;
}

/** The one-time link that the server has printed. */
export async function setupLink(server: Server): Promise<string> {
  return (await server.logged(/^Create the first user: (\S+)$/m))[1]!;
}

/**
 * A refused form is a page with a status of its own, which the browser reports as an error. A page with unsaved values
 * asks before it is left only if somebody used it, which a script that goes back and forward did not.
 */
const EXPECTED_ERROR = /^(?:Failed to load resource|Blocked attempt to show a 'beforeunload' confirmation panel)/;

/** A fresh browser profile of somebody who is not signed in. Disposing of it asserts that there were no offences. */
export async function visit(
  server: Server,
  { width = 1280, height = 900, dark = false, javaScript = true, timeZone }: VisitOptions = {},
): Promise<Visit> {
  const context = await browser!.newContext({
    baseURL: server.url,
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    javaScriptEnabled: javaScript,
    // Or axe would see colours on their way from one scheme to the other.
    reducedMotion: "reduce",
    locale: "en-GB",
    ...(timeZone && { timezoneId: timeZone }),
  });
  const page = await context.newPage();
  const offences: string[] = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["data:", "blob:", "about:"].includes(url.protocol) && url.origin !== server.url) offences.push(request.url());
  });
  page.on("console", (message) => {
    if (message.type() === "error" && !EXPECTED_ERROR.test(message.text())) {
      offences.push(message.text());
    }
  });
  page.on("pageerror", (error) => offences.push(error.message));
  return {
    page,
    context,
    offences,
    async [Symbol.asyncDispose]() {
      await context.close();
      assert.deepEqual(offences, []);
    },
  };
}

/** A link of the sidebar; a tab or the way to the page may have the same name. */
export function inSidebar(page: Page, name: string): Locator {
  return page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name, exact: true });
}

/** Opens the menu of the account, at the foot of the sidebar. */
export async function openAccountMenu(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Account menu of" }).click();
}

/** Asserts that axe finds no violation of WCAG 2.2 AA on the page as it is now, or in these parts of it. */
export async function assertAccessible(page: Page, rules = RULES, parts?: readonly string[]): Promise<void> {
  // With its styles: a click is over when the next page begins.
  await page.waitForLoadState();
  if (await page.evaluate("globalThis.axe === undefined")) {
    await page.evaluate(AxeSource);
  }
  // Axe describes every element that is right, too, unless it is told not to: a third of its time.
  const options = JSON.stringify({ runOnly: rules, resultTypes: ["violations"] });
  const { violations } = await page.evaluate(
    `axe.run(${parts ? JSON.stringify(parts) : "document"}, ${options})`,
  ) as AxeResults;
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`);
  assert.deepEqual(told, [], `on ${page.url()}`);
}

/**
 * The same in light and dark, wide and narrow, and that it fits: all rules once, afterwards what can differ. Of a very
 * long page, `parts` can be those selectors that have one of everything: the colours need most of axe's time.
 */
export async function assertGoodEverywhere(page: Page, parts?: readonly string[]): Promise<void> {
  const wide = page.viewportSize()!;
  await assertAccessible(page);
  await page.emulateMedia({ colorScheme: "dark" });
  await assertAccessible(page, ["color-contrast"], parts);
  await page.setViewportSize(NARROW);
  await assertAccessible(page, RULES_OF_LOOKS, parts);
  await assertFits(page);
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(wide);
}

/** Asserts that nothing makes the page scroll sideways. */
export async function assertFits(page: Page): Promise<void> {
  const excess = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert.equal(excess, 0, `${page.url()} is wider than its window`);
}
