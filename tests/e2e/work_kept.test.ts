// Nothing that was typed is lost or left out without a word: unsaved code that is tried, forms that are left, a
// server that does not answer, files that are moved or deleted.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { createSecret, deploy, run, save } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { assertGoodEverywhere, closeBrowser, inSidebar, openBrowser, signIn } from "./browser.ts";

const HELLO = "export default (c) => c.text('saved code');\n";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** Replaces the text in the editor. */
async function type(page: Page, text: string): Promise<void> {
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(text);
}

Deno.test("a call that is tried with unsaved code saves it first, or says that it could not", async (t) => {
  await using server = await startApp();
  const id = await deploy(server, "hello", HELLO);
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto(`/web/functions/${id}`);
  const outcome = page.locator("#outcome");

  await t.step("saved code is sent as it is", async () => {
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await outcome.getByText("saved code").waitFor();
  });

  await t.step("unsaved code is saved and sent", async () => {
    await type(page, HELLO.replace("saved", "new"));
    await page.getByRole("button", { name: "Save and send" }).click();
    await outcome.getByText("new code").waitFor();
    assert.equal(await run(server, "/hello").then(({ body }) => body), "new code");
    await page.getByRole("button", { name: "Send", exact: true }).waitFor();
  });

  await t.step("what cannot be saved is not sent", async () => {
    await save(server, "hello.ts", HELLO.replace("saved", "their"));
    await type(page, HELLO.replace("saved", "my"));
    await page.getByRole("button", { name: "Save and send" }).click();
    await outcome.getByText("Nothing was sent").waitFor();
    assert.match(await page.locator("[data-code-state]").textContent() ?? "", /changed by another user/);
    assert.equal(await run(server, "/hello").then(({ body }) => body), "their code");
    await page.getByRole("button", { name: "Save and send" }).click();
    await outcome.getByText("my code").waitFor();
  });

  await t.step("a server that does not answer is told, and what was typed stays", async () => {
    await page.route("**/try", (route) => route.abort());
    await page.getByText("Headers and body").click();
    await page.getByLabel("Headers", { exact: true }).fill("X-Mine: 1");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await outcome.getByText("The server cannot be reached").waitFor();
    assert.equal(await page.getByLabel("Headers", { exact: true }).inputValue(), "X-Mine: 1");
    await page.unroute("**/try");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await outcome.getByText("my code").waitFor();
    // Of the request that was broken off.
    visit.offences.splice(0);
  });
});

Deno.test("leaving a form that was filled in is asked about, sending it is not", async () => {
  await using server = await startApp();
  const secretId = await createSecret(server, "DB", "value");
  await using visit = await signIn(server);
  const { page } = visit;
  const asked: string[] = [];
  let leave = false;
  page.on("dialog", (dialog) => {
    asked.push(dialog.type());
    return leave ? dialog.accept() : dialog.dismiss();
  });
  for (
    const [path, label] of [
      [`/web/secrets/${secretId}/edit`, "Comment"],
      ["/web/functions/new", "Description"],
      ["/web/keys/new", "Description"],
      ["/web/users/new", "Name"],
      ["/web/settings", "log.level"],
    ] as const
  ) {
    asked.length = 0;
    leave = true;
    await page.goto(path);
    // A form that nothing was typed into can be left.
    await inSidebar(page, "Functions").click();
    await page.waitForURL("/web/functions");
    assert.deepEqual(asked, [], path);
    await page.goto(path);
    const field = page.getByLabel(label, { exact: true });
    if (label === "log.level") await field.selectOption("error");
    else await field.fill("typed");
    leave = false;
    await inSidebar(page, "Audit").click();
    while (asked.length === 0) await page.waitForTimeout(10);
    assert.deepEqual(asked, ["beforeunload"], path);
    assert.ok(page.url().endsWith(path), "still there");
    leave = true;
    await inSidebar(page, "Audit").click();
    await page.waitForURL("/web/audit");
  }
  asked.length = 0;
  await page.goto(`/web/secrets/${secretId}/edit`);
  await page.getByLabel("Comment").fill("typed");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator("#notices").getByText("Saved").waitFor();
  assert.deepEqual(asked, []);
});

Deno.test("Copy says why it did not copy", async () => {
  await using server = await startApp();
  await createSecret(server, "DB", "the-value");
  await using visit = await signIn(server);
  const { page, context } = visit;
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto("/web/secrets/names/DB");
  const copy = page.getByRole("button", { name: /^(Copy|Copied|Not copied)/ });
  const notices = page.locator("#notices");

  await copy.click();
  await page.getByRole("button", { name: /^Copied/ }).waitFor();
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), "the-value");

  await page.route("**/copy", (route) => route.abort());
  await copy.click();
  await notices.getByText("The server cannot be reached").waitFor();
  await page.unroute("**/copy");
  visit.offences.splice(0);

  // In another tab of the same browser.
  await context.request.post("/web/sign-out", { headers: { Origin: server.url } });
  await copy.click();
  await notices.getByText("Your session has ended").waitFor();
  assert.ok(await notices.getByRole("link", { name: "Sign in in a new tab" }).isVisible());
});

Deno.test("a handler that is moved stays its function's, and who imports a file is named", async () => {
  await using server = await startApp();
  await save(server, "lib/words.ts", "export const word = 'shared';");
  const code = `import { word } from "./lib/words.ts"; export default (c) => c.text(word);`;
  const id = await deploy(server, "hello", code);
  assert.equal((await run(server, "/hello")).body, "shared");
  await using visit = await signIn(server);
  const { page } = visit;

  await page.goto("/web/files/move?path=hello.ts");
  await page.getByLabel("New path").fill("greet.ts");
  await page.getByRole("button", { name: "Move" }).click();
  await page.locator("#notices").getByText("It is now the handler file of hello.").waitFor();
  assert.equal((await run(server, "/hello")).body, "shared");
  const { body } = await server.api("GET", `/api/functions/${id}`);
  assert.deepEqual([body.function.handler, body.function.state], ["greet.ts", "enabled"]);

  // What no handler can be called is refused, and nothing is moved.
  await page.goto("/web/files/move?path=greet.ts");
  await page.getByLabel("New path").fill("greet.txt");
  await page.getByRole("button", { name: "Move" }).click();
  assert.match(await page.getByRole("alert").textContent() ?? "", /the file is a handler/);
  assert.equal((await server.api("GET", "/api/files/greet.ts")).status, 200);
  assert.equal((await server.api("GET", "/api/files/greet.txt")).status, 404);

  await page.goto("/web/files/edit?path=lib%2Fwords.ts");
  assert.match(await page.locator("main").textContent() ?? "", /Imported by greet\.ts/);
  await page.getByLabel("More actions for words.ts").click();
  await page.getByRole("link", { name: "Delete …" }).click();
  await page.locator("main .warning").getByText("greet.ts").waitFor();
  assert.match(await page.locator("main .warning").textContent() ?? "", /greet\.ts imports it/);
  await assertGoodEverywhere(page);
  await page.getByRole("link", { name: "Cancel" }).click();
  await page.goto("/web/files/move?path=lib%2Fwords.ts");
  await page.getByLabel("New path").fill("lib/text.ts");
  await page.getByRole("button", { name: "Move" }).click();
  await page.locator("#notices").getByText("greet.ts still imports lib/words.ts").waitFor();
  await page.goto("/web/functions");
  await page.getByText("broken", { exact: true }).waitFor();
});
