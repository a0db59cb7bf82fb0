// Signing a terminal in, in a browser: from the page that `crude login` opens to the session that it gets.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { signInByBrowser } from "../../src/crude/base/browser_sign_in.ts";
import { ADMIN, assertGoodEverywhere, closeBrowser, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

Deno.test("a terminal is signed in from the page that it opens", async () => {
  await using server = await startApp();
  await using ada = await signIn(server);
  const { page } = ada;
  const { promise: ready, resolve } = Promise.withResolvers<[page: string, code: string]>();
  const session = signInByBrowser({ url: server.url, version: "0.0.0", onReady: (...shown) => resolve(shown) });
  const [address, code] = await ready;
  await page.goto(address);
  await page.getByText(`asks to manage this server as ${ADMIN.email}`).waitFor();
  await assertGoodEverywhere(page);
  await page.getByLabel("Code").fill("BCDF-GHJK");
  await page.getByLabel("Password").fill(ADMIN.password);
  await page.getByRole("button", { name: "Sign the terminal in" }).click();
  await page.getByRole("alert").getByText("Code is not the terminal's.").waitFor();
  await page.getByLabel("Code").fill(code.toLowerCase());
  await page.getByLabel("Password").fill(ADMIN.password);
  await page.getByRole("button", { name: "Sign the terminal in" }).click();
  await page.getByText("Return to the terminal. You can close this page.").waitFor();
  const elsewhere = ada.offences.splice(0);
  assert.equal(elsewhere.length, 1, "the only request to another server is the one to the terminal");
  const port = new URL(address).searchParams.get("port");
  assert.equal(new URL(elsewhere[0]!).origin, `http://127.0.0.1:${port}`);
  const { email, session: token } = await session;
  assert.equal(email, ADMIN.email);
  const answer = await fetch(`${server.url}/api/settings`, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200);
  await answer.body?.cancel();
});
