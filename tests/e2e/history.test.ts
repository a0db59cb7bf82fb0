// History and deployments in the browser: two edits, their difference, a restore, a rollback, by visible words and by
// the keyboard, and without JavaScript.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { startApp } from "./app.ts";
import { deployed, on, saying } from "../http/deploying.ts";
import { createSecret, run, save } from "../http/handlers.ts";
import { assertGoodEverywhere, closeBrowser, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** Presses Tab until the link or button with this text has the focus, then Enter. */
async function press(page: Page, text: string): Promise<void> {
  const stops: string[] = [];
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const name = (await page.evaluate("document.activeElement.textContent") as string).replace(/\s+/g, " ").trim();
    stops.push(name.slice(0, 30));
    if (name === text) return await page.keyboard.press("Enter");
  }
  assert.fail(`Tab does not lead to "${text}" on ${page.url()}, but to ${stops.join(" | ")}`);
}

const notice = (page: Page, text: string) => page.locator("#notices").getByText(text).waitFor();

Deno.test("a file is edited twice, compared and restored, and a deployment rolled back, by the keyboard", async (t) => {
  await using server = await startApp();
  await deployed(server, {
    message: "First release",
    files: { "hello.ts": saying("first") },
    functions: { hello: on("/hello", "hello.ts") },
  });
  await using visit = await signIn(server);
  const { page } = visit;

  await t.step("the file is edited twice, and its page leads to its history", async () => {
    for (const word of ["second", "third"]) {
      await page.goto("/web/files/edit?path=hello.ts");
      await page.locator(".cm-content").focus();
      await page.keyboard.press("Control+a");
      await page.keyboard.press("Backspace");
      await page.keyboard.insertText(saying(word));
      await page.keyboard.press("Control+s");
      await page.locator("[data-code-state]").filter({ hasText: "Saved." }).waitFor();
    }
    await page.goto("/web/files/edit?path=hello.ts");
    await press(page, "File history");
    await page.getByRole("heading", { name: "History of hello.ts" }).waitFor();
    assert.equal(await page.getByRole("row").count(), 4);
    await assertGoodEverywhere(page);
  });

  await t.step("the history shows who changed what, and a version the difference", async () => {
    await press(page, "History");
    await page.getByRole("row", { name: /Version 3 live Changed hello\.ts ada@example\.com/ }).waitFor();
    await assertGoodEverywhere(page);
    await press(page, "Version 2");
    const changes = page.getByRole("region", { name: "Changes of hello.ts" });
    assert.equal(await changes.getByRole("deletion").textContent(), `-${saying("first")}`);
    assert.equal(await changes.getByRole("insertion").textContent(), `+${saying("second")}`);
    const colors = await page.evaluate(
      `[...document.querySelectorAll(".diff :is(ins, del)")].map((line) => getComputedStyle(line).backgroundColor)`,
    ) as string[];
    assert.equal(new Set(colors).size, 2);
    await assertGoodEverywhere(page);
    await press(page, "Compare with the live version");
    await page.getByText("From version 2 to the live version, 3: 1 file differs.").waitFor();
    assert.equal(await page.getByRole("insertion").textContent(), `+${saying("third")}`);
    await assertGoodEverywhere(page);
  });

  await t.step("a version is restored after a question that names the files", async () => {
    await press(page, "Restore version 2 …");
    await page.getByText("A new version with the files of version 2 becomes the live one").waitFor();
    await page.getByRole("listitem").filter({ hasText: "changed hello.ts" }).waitFor();
    await assertGoodEverywhere(page);
    await page.getByLabel("Message").fill("The third was too much");
    await page.keyboard.press("Enter");
    await notice(page, "Restored version 2 as version 4.");
    assert.equal((await run(server, "/hello")).body, "second");
  });

  await t.step("one file is restored from its own history", async () => {
    await press(page, "File history");
    await page.getByRole("link", { name: "View the change of version 3" }).press("Enter");
    await page.getByRole("region", { name: "Content of hello.ts in version 3" }).waitFor();
    await assertGoodEverywhere(page);
    await press(page, "Restore this file …");
    await page.getByText("hello.ts is replaced: this is what changes.").waitFor();
    await assertGoodEverywhere(page);
    await press(page, "Restore this file");
    await notice(page, "Restored hello.ts from version 3.");
    assert.equal((await run(server, "/hello")).body, "third");
  });

  await t.step("the deployment is found and rolled back to, after what would change is shown", async () => {
    await press(page, "Deployments");
    await page.getByText("Files or functions were changed since the last deployment.").waitFor();
    await assertGoodEverywhere(page);
    await press(page, "Deployment 1");
    await page.getByText("First release").waitFor();
    await assertGoodEverywhere(page);
    await press(page, "Roll back to this …");
    await page.getByRole("listitem").filter({ hasText: "changed hello.ts" }).waitFor();
    await assertGoodEverywhere(page);
    await press(page, "Roll back to deployment 1");
    await notice(page, "Rolled back to deployment 1, by deployment 2.");
    assert.equal((await run(server, "/hello")).body, "first");
    await page.goto("/web");
    await page.getByRole("link", { name: "Deployment 2: Rolled back to deployment 1" }).waitFor();
    await assertGoodEverywhere(page);
  });
});

Deno.test("problems of a rollback have to be accepted, and a content is purged, without JavaScript", async () => {
  await using server = await startApp();
  const secret = await createSecret(server, "NEEDED", "value");
  const asking = `export default async (c, ctx) => c.text((await ctx.getSecret("NEEDED")).slice(1));\n`;
  const hello = { hello: on("/hello", "hello.ts") };
  await deployed(server, { files: { "hello.ts": asking }, functions: hello });
  await deployed(server, { files: { "hello.ts": saying("two") }, functions: hello });
  await server.api("DELETE", `/api/secrets/${secret}`);
  await save(server, "pasted.txt", "sk_live\n");
  await server.api("DELETE", "/api/files/pasted.txt");
  await using visit = await signIn(server, { javaScript: false });
  const { page } = visit;

  await page.goto("/web/deployments/1/rollback");
  await page.locator(".problems").getByText("Problems", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Roll back to deployment 1" }).click();
  assert.match(page.url(), /\/1\/rollback$/, "the browser asks for the mark");
  await page.getByLabel("Roll back in spite of the problems above").check();
  await page.getByRole("button", { name: "Roll back to deployment 1" }).click();
  await notice(page, "Rolled back to deployment 1, by deployment 3.");

  await page.goto("/web/files/history?path=pasted.txt");
  await page.getByRole("link", { name: "View the change of version 3" }).click();
  await page.getByRole("link", { name: "Purge this content …" }).click();
  await page.getByText("is deleted from the history permanently").waitFor();
  await page.getByRole("button", { name: "Purge this content" }).click();
  await notice(page, "Purged a content of pasted.txt from the history.");
  await page.getByText("The content was purged from the history.", { exact: true }).waitFor();
});
