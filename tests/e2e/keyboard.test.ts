// A visitor without a mouse: everything is reached by Tab, done by Enter, Space, arrows and letters, and it can be seen
// at each moment where that visitor is.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { ADMIN, setUp } from "../http/admin.ts";
import { deploy, run } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { closeBrowser, openBrowser, visit } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

interface Focus {
  /** Of what has the focus; empty if nothing has. */
  readonly name: string;
  /** Whether it is on the screen with nothing over it, and has an outline or a shadow that tells. */
  readonly seen: boolean;
}

/** What has the focus now; the code editor's text is in a root of its own, and its mark is the cursor in it. */
const FOCUS = `(() => {
  const at = document.activeElement;
  if (at === null || at === document.body) return { name: "", seen: false };
  const inEditor = at.shadowRoot?.activeElement?.matches(".cm-content") === true;
  const words = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent;
  const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(at);
  const marked = outlineStyle !== "none" && parseFloat(outlineWidth) >= 1 || boxShadow !== "none" || inEditor;
  const box = at.getBoundingClientRect();
  const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
  const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
  const over = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  const onScreen = right > left && bottom > top && over !== null && (at.contains(over) || over.contains(at));
  const name = inEditor ? "editor" : words.replace(/\\s+/g, " ").trim() || at.outerHTML.slice(0, 100);
  return { name, seen: marked && onScreen };
})()`;

/** Presses Tab until `name` has the focus; asserts that it can be seen at every stop on the way. */
async function tabTo(page: Page, name: string): Promise<void> {
  const stops: string[] = [];
  for (let presses = 0; presses < 60; presses++) {
    // In the editor, Tab indents; Escape lets it leave.
    if (stops.at(-1) === "editor") await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(FOCUS) as Focus;
    // Once: after the end of the page it begins anew.
    const isEnd = focus.name === "" && !stops.includes("");
    stops.push(focus.name);
    assert.ok(focus.seen || isEnd, `the focus on "${focus.name}" is not seen on ${page.url()}, after ${stops}`);
    if (focus.name === name) return;
  }
  assert.fail(`Tab does not lead to "${name}" on ${page.url()}, but to ${stops}`);
}

/** Asserts that a part of the page that came by itself has left the focus at `name`, and that it is seen. */
async function assertFocused(page: Page, name: string): Promise<void> {
  assert.deepEqual(await page.evaluate(FOCUS), { name, seen: true });
}

async function press(page: Page, name: string, key = "Enter"): Promise<void> {
  await tabTo(page, name);
  await page.keyboard.press(key);
}

Deno.test("everything is done by the keyboard alone, and the focus is always seen", async (t) => {
  await using server = await startApp();
  await deploy(server, "orders", "export default (c) => c.text('7');");
  await setUp(server);
  await using someone = await visit(server);
  const { page } = someone;
  const keys = page.keyboard;

  await t.step("signing in, and past the menu", async () => {
    await page.goto("/web");
    await assertFocused(page, "E-mail");
    await keys.type(ADMIN.email);
    await tabTo(page, "Password");
    await keys.type(ADMIN.password);
    await keys.press("Enter");
    await page.waitForURL("/web");
    await press(page, "Skip to content");
    assert.equal(await page.evaluate("document.activeElement.id"), "main");
  });

  await t.step("a secret is added", async () => {
    await page.goto("/web");
    await press(page, "Secrets");
    await page.waitForURL("/web/secrets");
    await press(page, "Add Secret");
    await page.waitForURL("/web/secrets/new");
    await tabTo(page, "Name");
    await keys.type("BY_KEYBOARD");
    await tabTo(page, "Value");
    await keys.type("typed");
    await tabTo(page, "Scope");
    for (const _ of ["Function", "Group", "Key"]) await keys.press("ArrowDown");
    assert.equal(await page.getByLabel("Scope").inputValue(), "key");
    await tabTo(page, "Key");
    await keys.press("ArrowDown");
    await tabTo(page, "Comment");
    await press(page, "Create");
    await page.getByText('Created BY_KEYBOARD (key "bootstrap").').waitFor();
  });

  await t.step("it is found, unfolded, revealed, hidden and deleted", async () => {
    await tabTo(page, "Search names");
    await keys.type("by_");
    await page.waitForURL("**/web/secrets?q=by_");
    await assertFocused(page, "Search names");
    await press(page, "BY_KEYBOARD");
    await page.getByRole("list", { name: "Values of BY_KEYBOARD" }).waitFor();
    await assertFocused(page, "BY_KEYBOARD");
    const words = 'BY_KEYBOARD (key "bootstrap")';
    await press(page, `Reveal ${words}`);
    const value = page.getByRole("region", { name: `Value of ${words}` });
    await value.getByText("typed").waitFor();
    await assertFocused(page, `Hide ${words}`);
    await keys.press(" ");
    await value.waitFor({ state: "detached" });
    await assertFocused(page, `Reveal ${words}`);
    await page.goto("/web/secrets");
    await press(page, "BY_KEYBOARD");
    await page.getByRole("list", { name: "Values of BY_KEYBOARD" }).waitFor();
    await press(page, `Delete ${words}`);
    await page.waitForURL(/delete$/);
    await press(page, "Delete BY_KEYBOARD");
    await page.getByText(`Deleted ${words}.`).waitFor();
  });

  await t.step("a key is made with its group, and copied", async () => {
    await someone.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await press(page, "API Keys");
    await page.waitForURL("/web/keys");
    await press(page, "Create key");
    await page.waitForURL(/keys\/new/);
    await tabTo(page, "Group");
    await tabTo(page, "Name of the new group");
    await keys.type("customers");
    await tabTo(page, "Name");
    await keys.type("acme");
    await keys.press("Enter");
    await page.locator("#key-value").waitFor();
    await press(page, "Copy the value", " ");
    await page.getByText("Copied.").waitFor();
    await assertFocused(page, "Copy the value");
    await press(page, "Done");
    await page.getByRole("link", { name: "acme", exact: true }).waitFor();
  });

  await t.step("a function is found, tried and disabled", async () => {
    await press(page, "Functions");
    await page.waitForURL("/web/functions");
    await tabTo(page, "Search functions");
    await keys.type("ord");
    await page.getByText("1 function with “ord”").waitFor();
    await assertFocused(page, "Search functions");
    await press(page, "orders");
    await page.locator(".cm-content").waitFor();
    await press(page, "Send");
    await page.getByText("Status 200").waitFor();
    await assertFocused(page, "Send");
    await page.goto("/web/functions");
    await press(page, "Actions for orders");
    await press(page, "Disable …");
    await page.waitForURL(/\/disable/);
    await press(page, "Disable orders", " ");
    await page.getByText("disabled", { exact: true }).waitFor();
    assert.equal((await run(server, "/orders")).status, 404);
  });
});
