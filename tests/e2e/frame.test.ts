// The frame of the pages in a browser: sidebar, menus, the look, notices and forms that are being sent.

import assert from "node:assert/strict";
import { ADMIN } from "../http/admin.ts";
import { createSecret, deploy } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import {
  assertAccessible,
  assertFits,
  assertGoodEverywhere,
  closeBrowser,
  inSidebar,
  openAccountMenu,
  openBrowser,
  signIn,
} from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

const NARROW = { width: 360, height: 640 };
const FOCUSED = "document.activeElement.lastElementChild?.textContent ?? document.activeElement.textContent";
const look = (name: string) => `document.documentElement.dataset[${JSON.stringify(name)}]`;

Deno.test("the sidebar marks where the page is, in groups, and nested pages lead back", async () => {
  await using server = await startApp();
  const id = await deploy(server, "orders", "export default (c) => c.text('7');");
  await using visit = await signIn(server);
  const { page } = visit;
  const current = () => page.locator("#sidebar [aria-current=page]").allTextContents();
  for (
    const [path, name] of [
      ["/web", "Overview"],
      ["/web/functions", "Functions"],
      [`/web/functions/${id}/settings`, "Functions"],
      ["/web/files", "Files"],
      ["/web/deployments/git", "Deployments"],
      ["/web/settings/encryption", "Settings"],
      ["/web/account", "Your account"],
      ["/web/docs", undefined],
    ]
  ) {
    await page.goto(path!);
    assert.deepEqual(await current(), name ? [name] : [], path);
  }
  assert.deepEqual(await page.locator("#sidebar .sections p").allTextContents(), [
    "Build",
    "Secure",
    "Observe",
    "Admin",
  ]);
  await page.goto(`/web/functions/${id}/delete`);
  const way = page.getByRole("navigation", { name: "Breadcrumb" });
  assert.deepEqual(await way.getByRole("listitem").allTextContents(), ["Functions", "orders", "Delete"]);
  assert.equal(await way.locator("[aria-current=page]").textContent(), "Delete");
  await page.goto("/web/secrets/new");
  await page.getByRole("navigation", { name: "Breadcrumb" }).getByRole("link", { name: "Secrets" }).click();
  await page.waitForURL("/web/secrets");
  assert.equal(await page.getByRole("navigation", { name: "Breadcrumb" }).count(), 0);
});

for (const javaScript of [true, false]) {
  Deno.test(`the sidebar collapses to icons and stays so, ${javaScript ? "with" : "without"} scripts`, async () => {
    await using server = await startApp();
    await using visit = await signIn(server, { javaScript });
    const { page } = visit;
    const width = async () => (await page.locator("#sidebar").boundingBox())!.width;
    await page.goto("/web/secrets?q=kept");
    const wide = await width();
    await page.getByRole("button", { name: "Collapse the sidebar" }).click();
    await page.getByRole("button", { name: "Expand the sidebar" }).waitFor();
    assert.ok(await width() < wide / 2);
    assert.match(page.url(), /\/web\/secrets\?q=kept$/);
    if (javaScript) {
      // It is stored without leaving the page.
      await page.waitForFunction(
        `fetch("/web").then((a) => a.text()).then((t) => t.includes('data-sidebar="narrow"'))`,
      );
      await assertGoodEverywhere(page);
    }
    await page.goto("/web/functions");
    assert.ok(await width() < wide / 2);
    await inSidebar(page, "Logs").click();
    await page.waitForURL("/web/logs");
    await page.getByRole("button", { name: "Expand the sidebar" }).click();
    await page.getByRole("button", { name: "Collapse the sidebar" }).waitFor();
    assert.equal(await width(), wide);
  });

  Deno.test(`at 360 px a menu opens over the page, ${javaScript ? "with" : "without"} scripts`, async () => {
    await using server = await startApp();
    await using visit = await signIn(server, { ...NARROW, javaScript });
    const { page } = visit;
    await page.goto("/web/secrets");
    const heading = page.getByRole("heading", { name: "Secrets", exact: true });
    const top = (await heading.boundingBox())!.y;
    assert.ok(top < 160, `${top}`);
    const menu = page.getByRole("button", { name: "Menu", exact: true });
    await menu.click();
    await inSidebar(page, "Logs").waitFor();
    assert.equal((await heading.boundingBox())!.y, top);
    if (javaScript) {
      await assertAccessible(page);
      await assertFits(page);
      assert.equal(await page.evaluate("document.activeElement.textContent.trim()"), "Secrets");
    }
    await page.keyboard.press("Escape");
    await inSidebar(page, "Logs").waitFor({ state: "hidden" });
    assert.equal(await page.evaluate(FOCUSED), "Menu");
    await page.keyboard.press("Enter");
    await inSidebar(page, "Logs").click();
    await page.waitForURL("/web/logs");

    await menu.click();
    await openAccountMenu(page);
    await page.getByRole("button", { name: "Dark" }).click();
    await page.locator("html[data-theme=dark]").waitFor();
    if (javaScript) {
      // Both menus stay open, one over the other.
      await page.getByRole("link", { name: "Your account" }).click();
      await page.waitForURL("/web/account");
      await page.locator("html[data-theme=dark]").waitFor();
    }
  });

  Deno.test(`theme and density are chosen in the account menu, ${javaScript ? "with" : "without"} scripts`, async () => {
    await using server = await startApp();
    await using visit = await signIn(server, { javaScript });
    const { page } = visit;
    const color = () => page.evaluate("getComputedStyle(document.getElementById('sidebar')).backgroundColor");
    await page.goto("/web/audit");
    const light = javaScript ? await color() : undefined;
    for (const [name, chosen] of [["Dark", "theme"], ["Comfortable", "density"]] as const) {
      if (!await page.getByRole("button", { name, exact: true }).isVisible()) await openAccountMenu(page);
      await page.getByRole("button", { name, exact: true }).click();
      await page.locator(`html[data-${chosen}=${name.toLowerCase()}]`).waitFor();
    }
    if (javaScript) {
      assert.notEqual(await color(), light);
      await assertAccessible(page);
      const stored = `fetch("/web").then((a) => a.text()).then((t) => t.includes('data-density="comfortable"'))`;
      await page.waitForFunction(stored);
    }
    await page.goto("/web/keys");
    await page.locator("html[data-theme=dark][data-density=comfortable]").waitFor();
    await openAccountMenu(page);
    assert.equal(await page.getByRole("button", { name: "Dark" }).getAttribute("aria-pressed"), "true");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("You were signed out.").waitFor();
    await page.locator("html[data-theme=dark]").waitFor();
  });
}

Deno.test("an address that does not exist, and one that fails, keep the sections", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  for (const path of ["/web/nowhere", "/web/functions/99", "/web/secrets/99/edit"]) {
    const response = await page.goto(path);
    assert.equal(response!.status(), 404, path);
    await assertAccessible(page);
    await inSidebar(page, "Functions").waitFor();
  }
  await inSidebar(page, "Functions").click();
  await page.waitForURL("/web/functions");
});

Deno.test("a notice disappears after a while but not while it is read, and an error stays", async () => {
  await using server = await startApp();
  await createSecret(server, "NAMED", "value", { scope: "global" });
  await using visit = await signIn(server);
  const { page } = visit;
  await page.emulateMedia({ reducedMotion: "no-preference" });
  await page.clock.install();
  const add = async (name: string) => {
    await page.goto("/web/secrets/new");
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Value").fill("value");
    await page.getByLabel("Scope").selectOption("Global");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByText(`Created ${name}`).waitFor();
  };
  const notices = page.locator("#notices > *");
  await add("ONE");
  const place = (await notices.first().boundingBox())!;
  const { width, height } = page.viewportSize()!;
  assert.ok(place.x > width / 2 && place.y > height / 2, JSON.stringify(place));
  await assertAccessible(page);
  await page.clock.runFor(1_000);
  await notices.first().hover();
  await page.clock.runFor(60_000);
  assert.equal(await notices.count(), 1);
  await page.mouse.move(0, 0);
  await page.clock.runFor(60_000);
  assert.equal(await notices.count(), 0);

  await add("TWO");
  await page.getByRole("button", { name: "Dismiss" }).focus();
  await page.clock.runFor(60_000);
  assert.equal(await notices.count(), 1);
  await page.keyboard.press("Enter");
  assert.equal(await notices.count(), 0);
  assert.equal(await page.evaluate("document.activeElement.id"), "main");

  await page.evaluate(`announce("It failed.", "warning")`);
  await page.clock.runFor(600_000);
  assert.equal(await notices.count(), 1);
  await page.getByRole("button", { name: "Dismiss" }).click();
  assert.equal(await notices.count(), 0);
});

Deno.test("without scripts, a notice stands above the content", async () => {
  await using server = await startApp();
  await using visit = await signIn(server, { javaScript: false });
  const { page } = visit;
  await page.goto("/web/account");
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("Countess");
  await page.keyboard.press("Enter");
  const notice = page.locator("#notices .notice");
  await notice.waitFor();
  assert.ok((await notice.boundingBox())!.y < 300);
});

Deno.test("a form that is being sent shows it, is sent once, and is usable again after Back", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/keys/groups/new");
  let sent = 0;
  // The browser stays on the page, as it does until a slow answer arrives.
  await page.route("**/web/keys/groups/new", (route) => {
    if (route.request().method() !== "POST") return route.continue();
    sent++;
    return route.fulfill({ status: 204 });
  });
  await page.getByLabel("Name").fill("staging");
  const create = page.locator("main button[type=submit]").first();
  await create.focus();
  await page.keyboard.press("Enter");
  await page.locator("main button[aria-busy=true][aria-disabled=true]").waitFor();
  await assertAccessible(page);
  assert.equal(await page.evaluate(FOCUSED), await create.textContent());
  await page.keyboard.press("Enter");
  await create.click({ force: true });
  assert.equal(sent, 1);

  await page.unroute("**/web/keys/groups/new");
  await page.reload();
  await page.getByLabel("Name").fill("staging");
  await create.click();
  await page.getByText("Created the group").waitFor();
  await page.goBack();
  await page.getByLabel("Name").waitFor();
  assert.equal(await page.locator("main [aria-busy], main [aria-disabled]").count(), 0);
});

Deno.test("a form whose request fails on the way can be sent again", async () => {
  await using server = await startApp();
  await deploy(server, "orders", "export default (c) => c.text('7');");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/functions/1");
  await page.locator(".cm-content").waitFor();
  await page.route("**/try", (route) => route.abort());
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#notices").getByText("The server cannot be reached").waitFor();
  assert.equal(await page.locator("main [aria-busy=true]").count(), 0);
  await page.unroute("**/try");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("Status 200").waitFor();
  visit.offences.splice(0, Infinity, ...visit.offences.filter((one) => !/ERR_FAILED|htmx|fetch/i.test(one)));
});

Deno.test("an account's menu names the account, and a long address fits", async () => {
  await using server = await startApp();
  await using visit = await signIn(server, NARROW);
  const { page } = visit;
  await page.goto("/web");
  await page.getByRole("button", { name: "Menu", exact: true }).click();
  await page.getByRole("button", { name: `Account menu of ${ADMIN.email}` }).click();
  await assertAccessible(page);
  await assertFits(page);
  assert.equal(await page.evaluate(look("theme")), undefined);
});
