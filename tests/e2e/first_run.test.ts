// From an empty server to the first answer, by the pages alone as a newcomer goes, and what the overview shows then.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fill, withFolder } from "../http/filled.ts";
import { deploy } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { assertAccessible, assertFits, closeBrowser, openBrowser, setUpByHand, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

async function shell(line: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", line.replace(/^curl/, "curl -sS")] }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("the first steps know what is done, lead on, and end with an answer", async (t) => {
  await using server = await startApp();
  await using visit = await setUpByHand(server);
  const { page } = visit;
  const steps = page.getByRole("region", { name: "First steps" });
  const step = (title: string) => steps.getByRole("listitem").filter({ hasText: title });
  const next = async () => await steps.locator("li[aria-current=step] h3").textContent() ?? "";

  await t.step("on an empty server the function comes first", async () => {
    assert.match(await next(), /^Create a function next/);
    await assertAccessible(page);
    await steps.getByRole("link", { name: "Create a function" }).click();
    await page.getByLabel("Name", { exact: true }).fill("greet");
    await page.getByLabel("Route").fill("/greet/:name");
    await page.getByRole("button", { name: "Create" }).click();
    await page.locator("#notices").getByText("Created the function greet.").waitFor();
  });

  await t.step("then the secret that the function asks for, in the function's scope", async () => {
    await page.getByRole("link", { name: "First steps: 1 of 4 done" }).click();
    assert.match(await next(), /^Add a secret next/);
    assert.match(await step("Add a secret").textContent() ?? "", /greet asks for SIGNING_KEY/);
    await steps.getByRole("link", { name: "Add a secret" }).click();
    assert.equal(await page.getByLabel("Name").inputValue(), "SIGNING_KEY");
    assert.equal(await page.getByLabel("Scope").inputValue(), "function");
    await page.getByLabel("Value").fill("Good day");
    await page.getByRole("button", { name: "Create" }).click();
    await page.locator("#notices").getByText(/Created/).waitFor();
    const { body: { secrets: [secret] } } = await server.api("GET", "/api/secrets");
    assert.deepEqual([secret.name, secret.scope, secret.scopeName], ["SIGNING_KEY", "function", "greet"]);
  });

  let line = "";
  await t.step("then the key, which is the only way in from now on, because that was asked for", async () => {
    await page.getByRole("link", { name: "First steps: 2 of 4 done" }).click();
    assert.match(await next(), /^Create an API key next/);
    await steps.getByRole("link", { name: "Create an API key" }).click();
    await page.getByLabel("Name of the new group").fill("customers");
    await page.getByLabel("Name", { exact: true }).fill("acme");
    await page.getByLabel(/^Require a key of this group to call/).check();
    await page.getByRole("button", { name: "Create" }).click();
    line = await page.locator("#curl-line").textContent() ?? "";
    await page.getByRole("link", { name: "First steps: 3 of 4 done" }).click();
    assert.match(await next(), /^See the first answer next/);
    assert.match(await page.locator("#first-call").textContent() ?? "", /X-API-Key: YOUR-KEY.*\/run\/greet\/name'$/);
    await assertAccessible(page);
    await page.setViewportSize({ width: 360, height: 640 });
    await assertFits(page);
  });

  await t.step("then the first answer, seen on the function's page", async () => {
    await steps.getByRole("link", { name: "See the first answer" }).click();
    await page.getByLabel(":name").fill("Ada");
    await page.getByRole("button", { name: "Send" }).click();
    const answer = page.getByRole("region", { name: "Answer" });
    await answer.getByText("Status 401").waitFor();
    await page.getByLabel("API key", { exact: true }).selectOption({ label: "acme (customers)" });
    await page.getByRole("button", { name: "Send" }).click();
    await answer.getByText("Status 200").waitFor();
    assert.match(
      await answer.locator("pre").textContent() ?? "",
      /"message": "Hello, Ada!".*"signature": "[0-9a-f]{64}"/s,
    );
    await assertFits(page);
  });

  await t.step("after the first answer the steps are gone and the overview tells of it", async () => {
    await page.goto("/web");
    while (await steps.count() > 0) await page.reload();
    const tile = (title: string) => page.locator(".state > li").filter({ hasText: new RegExp(`^\\s*${title}`) });
    assert.match(await tile("Functions").textContent() ?? "", /1.*1 enabled/);
    assert.match(await tile("Calls, last hour").textContent() ?? "", /1.*no errors/);
    assert.match(await shell(line), /"message":"Hello, name!","signature":"[0-9a-f]{64}"/);
    assert.equal(await page.getByRole("region", { name: "Needs attention" }).count(), 0, "the tour sets no alarm off");
    assert.match(await tile("Secrets").textContent() ?? "", /1.*encrypted/);
    assert.match(await tile("API keys").textContent() ?? "", /2/);
    await page.goto("/web/keys");
    assert.equal(await page.getByRole("link", { name: /First steps/ }).count(), 0);
  });
});

Deno.test("the steps can be hidden, and what needs attention is told on the overview", () =>
  withFolder(async (folder) => {
    fill(folder, 3);
    const db = new DatabaseSync(join(folder, "data", "database.db"));
    db.prepare("UPDATE secrets SET ciphertext = ? WHERE id < 3").run(`v7.${"A".repeat(80)}`);
    db.close();
    await using server = await startApp({ folder });
    await deploy(server, "doomed", "export default () => { Deno.exit(1); };");
    for (let n = 0; n < 6; n++) await fetch(`${server.url}/run/doomed`).then((response) => response.text());
    await using visit = await signIn(server, { width: 360, height: 640, dark: true });
    const { page } = visit;
    await page.goto("/web");
    const attention = page.getByRole("region", { name: "Needs attention" });
    const told = await attention.textContent() ?? "";
    assert.match(told, /2 values cannot be read: encryption key version 7 is missing/);
    assert.match(told, /doomed is suspended because its processes kept ending/);
    await assertAccessible(page);
    await assertFits(page);
    await page.getByRole("button", { name: "Hide these steps" }).click();
    assert.equal(await page.getByRole("region", { name: "First steps" }).count(), 0);
    await attention.getByRole("link", { name: "How to fix this" }).first().click();
    assert.equal(new URL(page.url()).pathname, "/web/settings/encryption");
    assert.equal(await page.getByRole("link", { name: /First steps/ }).count(), 0);
  }));
