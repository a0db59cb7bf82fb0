// Packages and the git source in the browser: the pages fit and are accessible, and an update is checked before it is
// made, by keyboard and without JavaScript.

import { join } from "node:path";
import { createSecret, deploy } from "../http/handlers.ts";
import { startNpmRegistry } from "../http/npm_registry.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { startApp } from "./app.ts";
import { assertGoodEverywhere, closeBrowser, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

Deno.test("a package is found from its function, checked and updated, with and without JavaScript", async () => {
  await using registry = startNpmRegistry();
  using folder = temporaryFolder();
  // Users of sandboxes pass through it.
  await Deno.chmod(folder.path, 0o711);
  const publish = (name: string, version: string, dependencies: Record<string, string> = {}) =>
    registry.publish({
      name,
      version,
      manifest: { license: "MIT", description: "Formats dates of any calendar", dependencies },
      files: { "index.js": `module.exports = "${version}";` },
    });
  await publish("tiny-part", "1.0.0");
  await publish("dates-of-any-calendar", "1.0.0", { "tiny-part": "1" });
  const env = { CACHE_DIR: join(folder.path, "cache"), NPM_CONFIG_REGISTRY: registry.url };
  await using server = await startApp({ folder: folder.path, env });
  const code = 'import dates from "npm:dates-of-any-calendar@1"; export default (c) => c.text(dates);';
  const id = await deploy(server, "calendar", code);
  await publish("dates-of-any-calendar", "1.1.0", { "tiny-part": "1" });
  for (const javaScript of [true, false]) {
    await using visit = await signIn(server, { javaScript });
    const { page } = visit;
    await page.goto("/web/packages");
    await page.getByText("1 package that only other packages need").click();
    await page.getByRole("row", { name: /tiny-part/ }).waitFor();
    if (javaScript) await assertGoodEverywhere(page);
    await page.goto(`/web/functions/${id}`);
    await page.getByRole("link", { name: "dates-of-any-calendar" }).click();
    await page.getByRole("row", { name: /calendar 1\.\d\.0 npm:dates-of-any-calendar@1/ }).waitFor();
    if (javaScript) await assertGoodEverywhere(page);
    await page.getByRole("button", { name: "Check" }).click();
    if (javaScript) {
      await page.getByText("An update would change 1 function: 1.0.0 → 1.1.0.").waitFor();
      await assertGoodEverywhere(page);
      await page.getByRole("button", { name: "Update dates-of-any-calendar" }).press("Enter");
      await page.locator("#notices").getByText("Updated dates-of-any-calendar for 1 function.").waitFor();
    } else await page.getByText("Each function has the newest version that its imports allow.").waitFor();
  }
});

Deno.test("a git repository is connected in steps, and its page says when it syncs and where its webhook is", async () => {
  await using server = await startApp();
  await createSecret(server, "GIT_HOOK", "random");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/deployments");
  await assertGoodEverywhere(page);
  await page.getByRole("link", { name: "Connect a git repository" }).click();
  await assertGoodEverywhere(page);
  await page.getByLabel("URL").fill("https://git.invalid/a-long-name-of-an-organization/functions.git");
  await page.getByLabel("Look for commits every").fill("soon");
  await page.getByRole("button", { name: "Connect" }).click();
  await page.locator(".field .problem").getByText("must be 10 seconds to 1 day").waitFor();
  await page.getByLabel("Look for commits every").fill("1 day");
  await page.getByLabel("Secret of the webhook").fill("GIT_HOOK");
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByText("by the webhook, and every 1 day").waitFor();
  await page.getByText(`${server.url}/api/git-source/webhook`).waitFor();
  await assertGoodEverywhere(page);
  await page.goto("/web/files");
  await page.getByText("can only be changed there").waitFor();
  await assertGoodEverywhere(page);
});
