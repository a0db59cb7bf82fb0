// What needs an admin's attention is said where it is looked for: in the list, on the function's page, and on the
// overview, with the reason.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { createSecret, deploy, run, save } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "../http/server.ts";
import { assertGoodEverywhere, closeBrowser, openBrowser, signIn } from "./browser.ts";

const FINE = "export default (c) => c.text('fine');";

/** Handlers that cannot load, and a part of the reason. */
const BROKEN: Record<string, [code: string, reason: RegExp]> = {
  import: [`import { x } from "./nowhere.ts"; export default (c) => c.text(x);`, /nowhere\.ts/],
  syntax: ["export default (c => c.text(", /broken|syntax|expected/i],
  throws: ["throw new Error('no luck today'); export default (c) => c.text('x');", /no luck today/],
  nothing: ["export const handler = (c) => c.text('x');", /default export/],
};

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

async function stateInApi(server: Server, id: number): Promise<[state: string, reason: string | null]> {
  const { body } = await server.api("GET", `/api/functions/${id}`);
  return [body.function.state, body.function.stateReason];
}

async function textOf(page: Page, path: string, selector: string): Promise<string> {
  await page.goto(path);
  return await page.locator(selector).textContent() ?? "";
}

Deno.test("a function that cannot load is broken in the list, on its page, on the overview and in the API", async (t) => {
  await using server = await startApp({ checksLoads: true });
  await using visit = await signIn(server);
  const { page } = visit;
  const fine = await deploy(server, "fine", FINE);

  for (const [name, [code, reason]] of Object.entries(BROKEN)) {
    await t.step(name, async () => {
      const id = await deploy(server, name, code);
      const inList = () => textOf(page, "/web/functions", `#function-${id} th`);
      assert.match(await inList(), new RegExp(`^\\s*${name}\\s*broken`));
      assert.match(await inList(), reason);
      assert.match(await textOf(page, `/web/functions/${id}`, "main"), reason);
      const attention = await textOf(page, "/web", "[aria-labelledby=attention]");
      assert.match(attention, new RegExp(`${name} is broken`));
      assert.match(attention, reason);
      const [state, stateReason] = await stateInApi(server, id);
      assert.equal(state, "broken");
      assert.match(stateReason!, reason);
      assert.equal((await run(server, `/${name}`)).status, 500);

      await save(server, `${name}.ts`, FINE);
      assert.deepEqual(await stateInApi(server, id), ["enabled", null]);
      assert.equal((await run(server, `/${name}`)).status, 200);
      assert.equal((await inList()).trim(), name);
    });
  }

  await t.step("a handler that is not there, and one that is edited outside of the pages", async () => {
    assert.equal((await server.api("DELETE", "/api/files/import.ts")).status, 200);
    await Deno.writeTextFile(`${server.codeDir}/syntax.ts`, "export default (((");
    const { body: { functions } } = await server.api("GET", "/api/functions");
    const ids = functions.filter(({ name }: { name: string }) => ["import", "syntax"].includes(name))
      .map(({ id }: { id: number }) => id);
    assert.match(await textOf(page, `/web/functions/${ids[0]}`, "main"), /broken.*There is no file import\.ts\./s);
    await assertGoodEverywhere(page);
    assert.match(await textOf(page, `/web/functions/${ids[1]}`, "main"), /broken/);
    await page.goto("/web/functions");
    assert.equal(await page.locator(".badge.bad").getByText("broken").count(), 2);
    await assertGoodEverywhere(page);
    await page.goto("/web");
    assert.match(
      await page.locator("[aria-labelledby=attention]").textContent() ?? "",
      /import is broken.*syntax is broken/s,
    );
    await assertGoodEverywhere(page);
    assert.deepEqual(await stateInApi(server, fine), ["enabled", null]);
    assert.equal((await server.api("PUT", `/api/functions/${ids[0]}/disable`)).status, 200);
    assert.deepEqual(await stateInApi(server, ids[0]), ["disabled", null]);
  });
});

Deno.test("the overview names functions that fail, with their last error, and responses with secrets in them", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  await createSecret(server, "TOKEN", "a-value-that-leaks");
  await deploy(server, "calm", FINE);
  await deploy(server, "unlucky", "export default () => { throw new Error('the shelf is empty'); };");
  await deploy(server, "leaky", "export default async (c, ctx) => c.text(await ctx.getSecret('TOKEN'));");
  await page.goto("/web");
  assert.equal(await page.locator("#attention").count(), 0, "nothing happened yet");

  for (const path of ["/unlucky", "/unlucky", "/leaky", "/calm"]) await run(server, path);
  // The audit has it after the call was answered.
  const attention = page.locator("[aria-labelledby=attention]");
  do await page.goto("/web"); while (!(await page.content()).includes("leaky"));
  const told = await attention.textContent() ?? "";
  assert.match(told, /unlucky failed in 2 of 2 calls within the last hour\..*the shelf is empty/s);
  assert.match(told, /leaky sent a response with a secret in it, last just now/);
  assert.doesNotMatch(told, /calm|a-value-that-leaks/);
  await assertGoodEverywhere(page);
  await attention.getByRole("link", { name: "Errors of unlucky" }).click();
  await page.getByText("the shelf is empty").first().waitFor();
  await page.goto("/web");
  await attention.getByRole("link", { name: "What was found in leaky" }).click();
  assert.match(await page.locator("main").textContent() ?? "", /found a secret in a response of the function leaky/);
});
