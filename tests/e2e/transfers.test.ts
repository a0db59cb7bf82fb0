// How many bytes a page costs: with an empty cache, and afterwards. Sizes do not depend on the machine.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { run } from "../http/handlers.ts";
import { fillWithOwners, withFolder } from "../http/filled.ts";
import type { Server } from "../http/server.ts";
import { startApp } from "./app.ts";
import { closeBrowser, openBrowser, signIn } from "./browser.ts";
import { deploy } from "../http/handlers.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** Headers included. */
const FIRST_MAX_BYTES = 60_000;
const AGAIN_MAX_BYTES = 10_000;
const EDITOR_MAX_BYTES = 180_000;
const AT_ONCE = 3;

const PATHS = [
  ...["", "functions", "functions/new", "files", "history", "deployments", "deployments/git", "packages"],
  ...["secrets", "secrets/new"],
  ...["keys", "keys/new", "keys/groups/1", "logs", "metrics", "audit", "announcements", "users", "settings"],
  ...[
    "settings/encryption",
    "cluster",
    "account",
    "search?q=s",
    "docs",
    "docs/cli",
    "docs/api-reference/secrets",
    "docs/security-model/against-authors",
  ],
].map((path) => path === "" ? "/web" : `/web/${path}`);

const LOGGING = `export default (c) => {
  for (let n = 0; n < 5; n++) console.log("entry", n, c.req.path);
  return c.text("ok");
};`;

/** What a page transfers, by the name of what is loaded. What the browser's cache answers costs nothing. */
async function transferred(page: Page, open: () => Promise<unknown>): Promise<Map<string, number>> {
  const session = await page.context().newCDPSession(page);
  const names = new Map<string, string>();
  const sizes = new Map<string, number>();
  session.on("Network.requestWillBeSent", ({ requestId, request }) => {
    names.set(requestId, new URL(request.url).pathname.split("/").at(-1)!);
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const name = names.get(requestId)!;
    sizes.set(name, (sizes.get(name) ?? 0) + encodedDataLength);
  });
  await session.send("Network.enable");
  await open();
  await page.waitForLoadState("networkidle");
  await session.detach();
  return sizes;
}

function sum(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((total, size) => total + size, 0);
}

/** Opens a page in a new profile, and once more. */
async function assertSmall(server: Server, path: string): Promise<void> {
  await using visit = await signIn(server);
  const { page } = visit;
  const first = await transferred(page, () => page.goto(path));
  assert.ok(sum(first) > 10_000, `${path} was not measured`);
  assert.ok(sum(first) <= FIRST_MAX_BYTES, `${path}: ${sum(first)} bytes: ${JSON.stringify([...first])}`);
  const again = await transferred(page, () => page.goto(path));
  assert.ok(sum(again) <= AGAIN_MAX_BYTES, `${path} again: ${sum(again)} bytes: ${JSON.stringify([...again])}`);
}

Deno.test("with 1,000 functions and 10,000 secrets, a page costs 60 kB on the first visit and 10 kB afterwards", async () => {
  await withFolder(async (folder) => {
    fillWithOwners(folder, { functions: 1_000, groups: 50, secrets: 10_000 });
    await using server = await startApp({ folder });
    const id = await deploy(server, "logging", LOGGING);
    for (let n = 0; n < 40; n++) await run(server, "/logging");

    const left = [...PATHS];
    const measure = async () => {
      for (let path = left.shift(); path !== undefined; path = left.shift()) await assertSmall(server, path);
    };
    // Most of the time goes by until nothing more comes.
    await Promise.all(Array.from({ length: AT_ONCE }, measure));

    await using visit = await signIn(server);
    const { page } = visit;
    const editing = () => page.goto(`/web/functions/${id}`).then(() => page.locator(".cm-content").waitFor());
    const first = await transferred(page, editing);
    const editor = first.get("editor.js")!;
    assert.ok(editor <= EDITOR_MAX_BYTES, `${editor}`);
    assert.ok(sum(first) - editor <= FIRST_MAX_BYTES, `${sum(first) - editor}: ${JSON.stringify([...first])}`);
    const again = await transferred(page, editing);
    assert.ok(sum(again) <= AGAIN_MAX_BYTES, `${sum(again)}: ${JSON.stringify([...again])}`);
  });
});
