// The pages of announcements, with receivers that do not answer: whether they are accessible and fit, and delete.

import assert from "node:assert/strict";
import { startApp } from "./app.ts";
import { assertGoodEverywhere, closeBrowser, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

Deno.test("receivers of announcements are tested from the list, and deleted by a page that asks", async () => {
  await using server = await startApp();
  // Nothing listens there.
  const { body: { webhook } } = await server.api("POST", "/api/webhooks", {
    url: "https://localhost:9/crude",
    events: ["key.unused"],
  });
  await server.api("PUT", "/api/mail-server", { host: "localhost", port: 9, from: "crude@example.com" });
  await server.api("POST", "/api/mail-recipients", {
    addresses: ["ops@example.com", "on-call@example.com"],
    events: ["backup.old"],
  });
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/announcements");
  await assertGoodEverywhere(page);
  await page.getByRole("button", { name: "Test the delivery to localhost:9" }).click();
  await page.getByRole("heading", { name: "Webhook to localhost:9" }).waitFor();
  assert.match(
    await page.locator("#notices").textContent() ?? "",
    /The test failed: The receiver could not be reached/,
  );
  await assertGoodEverywhere(page);
  await page.getByRole("link", { name: "Delete", exact: true }).press("Enter");
  await assertGoodEverywhere(page);
  await page.getByRole("button", { name: "Delete the webhook" }).click();
  await page.getByText("Deleted the webhook.").waitFor();
  assert.equal((await server.api("GET", `/api/webhooks/${webhook.id}`)).status, 404);

  await page.getByRole("link", { name: "ops@example.com, on-call@example.com" }).click();
  await page.getByRole("heading", { name: "Mail to ops@example.com and 1 more" }).waitFor();
  await assertGoodEverywhere(page);
  await page.goto("/web/announcements/mail-server");
  await assertGoodEverywhere(page);
  await page.getByRole("link", { name: "Remove", exact: true }).click();
  await page.getByRole("button", { name: "Remove the mail server" }).click();
  await page.getByText("There is no mail server.").waitFor();
});
