// Getting in, in a browser: set-up, signing in and out, the account, users, and a session that ends while typing.

import assert from "node:assert/strict";
import { totpCode, totpStep } from "../../src/keyring/totp.ts";
import { startApp } from "./app.ts";
import {
  ADMIN,
  assertAccessible,
  assertFits,
  assertGoodEverywhere,
  closeBrowser,
  inSidebar,
  openAccountMenu,
  openBrowser,
  setupLink,
  signIn,
  visit,
} from "./browser.ts";
import type { Page } from "playwright-core";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

const NARROW_AND_DARK = { width: 360, height: 640, dark: true };

async function assertGood(page: Page): Promise<void> {
  await assertAccessible(page);
  await assertFits(page);
}

Deno.test("a newcomer sets the server up and signs in, by keyboard and without scripts", async () => {
  await using server = await startApp();
  await using someone = await visit(server, { ...NARROW_AND_DARK, javaScript: true });
  const { page } = someone;
  await page.goto("/web");
  assert.equal(new URL(page.url()).pathname, "/web/setup");
  await assertGood(page);
  await page.goto(await setupLink(server));
  await assertGood(page);
  await page.getByLabel("Name").focus();
  for (const text of [ADMIN.name, ADMIN.email, ADMIN.password, "something else"]) {
    await page.keyboard.type(text);
    if (text !== "something else") await page.keyboard.press("Tab");
    // Past the button that shows what is typed.
    if (text === ADMIN.password) await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("Password again is not the same.").waitFor();
  await assertGood(page);
  await page.getByLabel("Password", { exact: true }).fill(ADMIN.password);
  await page.getByLabel("Password again").fill(ADMIN.password);
  await page.keyboard.press("Enter");
  await page.getByText("Welcome, Ada. You are signed in.").waitFor();

  await using plain = await visit(server, { javaScript: false });
  await plain.page.goto("/web/users");
  await plain.page.getByLabel("E-mail").fill(ADMIN.email);
  await plain.page.getByLabel("Password").fill("not the password");
  await plain.page.keyboard.press("Enter");
  await plain.page.getByText("The e-mail address or the password is wrong.").waitFor();
  assert.equal(await plain.page.getByLabel("Password").inputValue(), "");
  await plain.page.getByLabel("Password").fill(ADMIN.password);
  await plain.page.keyboard.press("Enter");
  await plain.page.waitForURL("/web/users");
  await openAccountMenu(plain.page);
  await plain.page.getByRole("button", { name: "Sign out" }).click();
  await plain.page.getByText("You were signed out.").waitFor();
});

Deno.test("nothing that was typed is lost when the session ends in the middle of a form", async () => {
  await using server = await startApp();
  await using ada = await signIn(server, NARROW_AND_DARK);
  const { page } = ada;
  await page.goto("/web/secrets");
  await page.getByText("Add Secret").click();
  await page.getByLabel("Name").fill("CERTIFICATE");
  await page.getByLabel("Value").fill('-----BEGIN-----\n<"&amp;">\n\n-----END-----\n');
  await page.getByLabel("Scope").selectOption("Global");
  await page.getByLabel("Comment").fill('the "old" one');
  {
    await using elsewhere = await signIn(server);
    await elsewhere.page.goto("/web/account");
    await elsewhere.page.getByRole("button", { name: "Sign out everywhere" }).click();
    await elsewhere.page.getByText("You were signed out everywhere.").waitFor();
  }
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByText("Your session has ended.").waitFor();
  assert.doesNotMatch(page.url(), /CERTIFICATE|BEGIN|old/);
  await assertGood(page);
  await page.getByLabel("E-mail").fill(ADMIN.email);
  await page.getByLabel("Password").fill(ADMIN.password);
  await page.keyboard.press("Enter");
  await page.getByText("Nothing that you typed is lost.").waitFor();
  await assertGood(page);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("rowheader", { name: "CERTIFICATE" }).or(page.getByText("CERTIFICATE")).first().waitFor();
  const { body } = await server.api("GET", "/api/secrets?includeValues=true");
  assert.equal(body.secrets.length, 1);
  assert.equal(body.secrets[0].value, '-----BEGIN-----\n<"&amp;">\n\n-----END-----\n');
  assert.equal(body.secrets[0].comment, 'the "old" one');
});

Deno.test("an admin sets up a second factor, invites somebody and removes them", async () => {
  await using server = await startApp();
  await using ada = await signIn(server);
  const { page } = ada;
  await page.goto("/web/account");
  await page.getByRole("link", { name: "Set up a second factor" }).click();
  await page.getByRole("img", { name: "QR code with the key below" }).waitFor();
  await assertGoodEverywhere(page);
  const key = (await page.locator("#key").textContent())!.replaceAll(/\s/g, "");
  const code = (steps: number) => totpCode(fromBase32(key), totpStep(Date.now()) + steps);
  await page.getByLabel("Code", { exact: true }).fill(code(0));
  await page.getByLabel("Password").fill(ADMIN.password);
  await page.getByRole("button", { name: "Switch on" }).click();
  await page.getByRole("heading", { name: "The second factor is on" }).waitFor();
  await assertGoodEverywhere(page);
  await page.getByRole("button", { name: "I have saved them" }).click();
  await page.getByRole("link", { name: "Manage the second factor" }).click();
  await page.getByText("You have 10 unused recovery codes.").waitFor();
  await assertGoodEverywhere(page);

  await inSidebar(page, "Users").click();
  await page.getByRole("link", { name: "Invite a user" }).click();
  await page.getByLabel("Name").fill("Bob");
  await page.getByLabel("E-mail").fill("bob@example.com");
  await page.getByRole("button", { name: "Invite" }).click();
  const link = (await page.locator("#link").textContent())!;
  await assertGoodEverywhere(page);

  await using bob = await visit(server, NARROW_AND_DARK);
  await bob.page.goto(link);
  await assertGood(bob.page);
  await bob.page.getByLabel("Password", { exact: true }).fill("another long password");
  await bob.page.getByLabel("Password again").fill("another long password");
  await bob.page.getByRole("button", { name: "Save password" }).click();
  await bob.page.waitForURL("/web");

  await page.goto("/web/users");
  await page.getByRole("link", { name: "Bob" }).click();
  await page.getByLabel("E-mail").fill("bob@example.com");
  await page.getByRole("button", { name: "Remove user" }).click();
  await page.getByText("bob@example.com was removed.").waitFor();
  await bob.page.goto("/web/users");
  assert.equal(new URL(bob.page.url()).pathname, "/web/sign-in");

  await openAccountMenu(page);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("E-mail").fill(ADMIN.email);
  await page.getByLabel("Password").fill(ADMIN.password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Second factor" }).waitFor();
  await assertGoodEverywhere(page);
  await page.getByLabel("Code", { exact: true }).fill(code(1));
  await page.keyboard.press("Enter");
  await page.waitForURL("/web");
});

function fromBase32(text: string): Uint8Array {
  const bits = [...text].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join(
    "",
  );
  return Uint8Array.from(bits.match(/.{8}/g)!, (byte) => parseInt(byte, 2));
}

Deno.test("the API's own page can be read by everybody, finds an operation, and leads back", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/api/docs");
  await page.getByRole("navigation", { name: "Operations" }).getByText("Functions", { exact: true }).click();
  await page.getByRole("link", { name: "Change a function PUT", exact: true }).click();
  const operation = page.getByRole("region", { name: "PUT /api/functions/{id}", exact: true });
  assert.ok(await operation.getByRole("heading").first().isVisible());
  assert.match(await operation.textContent() ?? "", /If-Match.*FunctionChange.*412/s);
  await operation.getByRole("link", { name: "FunctionChange" }).click();
  assert.match(await page.locator("#schema-FunctionChange").textContent() ?? "", /timeoutMs/);
  const parts = [
    ".api-frame > header",
    "[aria-labelledby=credentials]",
    "[aria-labelledby=tag-functions]",
    "#schema-FunctionChange",
  ];
  for (const part of parts) assert.equal(await page.locator(part).count(), 1, part);
  await assertGoodEverywhere(page, parts);
  await page.getByRole("link", { name: "Crude Functions", exact: true }).click();
  await page.waitForURL("/web");
});
