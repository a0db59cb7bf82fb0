// Functions and files in the browser: from nothing to an answer, the editor by keyboard, problems in their places,
// files there and back, on wide and narrow screens, in light and dark.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { Page } from "playwright-core";
import { createGroup, createKey, createSecret, deploy, run, save } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { assertAccessible, assertGoodEverywhere, closeBrowser, inSidebar, openBrowser, signIn } from "./browser.ts";

/** A check of types takes a second or two; on a machine that is busy with other tests, many more. */
const CHECK_MAX_MS = 60_000;

const ASKING = `export default async function (c, ctx) {
  const token = await ctx.getSecret("API_TOKEN");
  console.log("asked with", token);
  return c.json({ length: token?.length ?? null, name: ctx.query.name });
}
`;

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** Replaces everything in the editor, as if it were pasted. */
async function write(page: Page, code: string): Promise<void> {
  await page.locator(".cm-content").focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Backspace");
  await page.keyboard.insertText(code);
}

async function textOf(page: Page): Promise<string> {
  return (await page.locator(".cm-line").allTextContents()).join("\n");
}

const state = (page: Page, text: string | RegExp) => page.locator("[data-code-state]").filter({ hasText: text });

async function inEditor(page: Page): Promise<boolean> {
  return await page.evaluate('document.activeElement.className === "code-editor"');
}

Deno.test("a function is written, given a secret and tried, from nothing to an answer", async (t) => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  const outcome = page.getByRole("region", { name: "Answer" });

  await t.step("it is created by its name alone, and works", async () => {
    await page.goto("/web");
    await inSidebar(page, "Functions").click();
    await assertAccessible(page);
    await page.getByRole("link", { name: "Create your first function" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Greeter");
    await page.getByRole("button", { name: "Create" }).click();
    await page.locator("#notices").getByText("Created the function Greeter. Its code is greeter.ts.").waitFor();
    await page.getByLabel("Path", { exact: true }).fill("/greeter?name=Ada");
    await page.getByRole("button", { name: "Send" }).click();
    await outcome.getByText("Status 200").waitFor();
    assert.match(await outcome.locator("pre").textContent() ?? "", /"message": "Hello, Ada!"/);
    assert.match(await outcome.locator(".call-log").textContent() ?? "", /greeting Ada/);
  });

  await t.step("an error is shown at its line, a moment after the last key, and leads there", async () => {
    await write(page, ASKING.replace("c.json", "c.jsonn"));
    const problems = page.locator("[data-problems]");
    const line = problems.getByRole("button", { name: "Line 4, column 12" });
    await line.waitFor({ timeout: CHECK_MAX_MS });
    assert.match(await problems.textContent() ?? "", /'jsonn' does not exist/);
    assert.equal(await page.locator(".cm-lintRange-error").textContent(), "jsonn");
    await line.click();
    assert.ok(await inEditor(page));
    assert.match(await page.locator(".cm-activeLine").textContent() ?? "", /c\.jsonn/);
  });

  await t.step("Ctrl+S saves it, and the secret that it asks for is told to be missing", async () => {
    await write(page, ASKING);
    await page.keyboard.press("Control+s");
    await state(page, "Saved.").waitFor();
    assert.equal((await server.api("GET", "/api/files/greeter.ts")).body, ASKING);
    const asked = page.getByRole("complementary", { name: "Secrets in this code" });
    await asked.getByText("not set").waitFor();
    await page.locator(".cm-lintRange-error").waitFor({ state: "detached", timeout: CHECK_MAX_MS });
    await asked.getByRole("link", { name: "Add secret API_TOKEN for Greeter" }).click();
  });

  await t.step("the link leads to a form that knows its name and function", async () => {
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "API_TOKEN");
    await page.getByLabel("Value").fill("a token of twenty-two");
    await page.getByRole("button", { name: "Create" }).click();
    await page.locator("#notices").getByText(/Created/).waitFor();
    await inSidebar(page, "Functions").click();
    await page.getByRole("link", { name: "Greeter", exact: true }).click();
    await page.getByText("set: function").waitFor();
    assert.ok(!(await page.content()).includes("a token of twenty-two"));
  });

  await t.step("the answer is there, and the call's log has it without the secret", async () => {
    await page.getByRole("button", { name: "Send" }).click();
    await outcome.getByText("Status 200").waitFor();
    assert.match(await outcome.locator("pre").textContent() ?? "", /"length": 21/);
    assert.match(await outcome.locator(".call-log").textContent() ?? "", /asked with \[secret API_TOKEN\]/);
  });

  await t.step("disabled in the list, it answers nobody; enabled again, it does", async () => {
    await inSidebar(page, "Functions").click();
    await page.getByLabel("Actions for Greeter").click();
    await assertAccessible(page);
    await page.getByRole("link", { name: "Disable …" }).click();
    await page.getByText(/^\d+ calls? came in the last hour/).waitFor();
    await assertAccessible(page);
    await page.getByRole("button", { name: "Disable Greeter" }).click();
    await page.waitForURL("/web/functions");
    await page.getByText("disabled", { exact: true }).waitFor();
    await assertAccessible(page);
    assert.equal((await run(server, "/greeter")).status, 404);
    await page.getByRole("button", { name: "Enable Greeter" }).click();
    await page.getByText("disabled", { exact: true }).waitFor({ state: "detached" });
    assert.equal((await run(server, "/greeter")).status, 200);
  });

  await t.step("the list is searched while typing", async () => {
    await page.getByLabel("Search functions").pressSequentially("nothing like it");
    await page.getByText("No function has “nothing like it”").waitFor();
    await page.getByLabel("Search functions").fill("greet");
    await page.getByRole("link", { name: "Greeter", exact: true }).waitFor();
  });
});

Deno.test("the editor is used by keyboard, completes, warns, and overwrites nobody", async (t) => {
  await using server = await startApp();
  await createSecret(server, "DATABASE_URL", "postgres://hush");
  const id = await deploy(server, "orders", "export default async (c, ctx) => c.text('');\n", { route: "/orders/:id" });
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto(`/web/functions/${id}`);
  const options = page.locator(".cm-tooltip-autocomplete [role=option]");
  // By the mouse: CodeMirror takes no key for the first moments of a list, lest a quick writer choose by accident.
  const accept = (label: string) => options.filter({ hasText: label }).first().click();

  await t.step("c., ctx., parameters of the route and names of secrets are completed", async () => {
    await write(page, "export default async (c, ctx) => {\n  ctx.getS");
    await accept("getSecret");
    assert.match(await textOf(page), /ctx\.getSecret\(""\)/);
    await write(page, 'export default async (c, ctx) => {\n  await ctx.getSecret("data');
    await page.keyboard.press("Control+Space");
    await accept("DATABASE_URL");
    assert.match(await textOf(page), /getSecret\("DATABASE_URL/);
    await write(page, "export default async (c, ctx) => {\n  ctx.params.");
    await page.keyboard.press("Control+Space");
    await accept("id");
    assert.match(await textOf(page), /ctx\.params\.id/);
    assert.ok(!(await page.content()).includes("hush"));
  });

  await t.step("Tab indents, Escape and Tab leave", async () => {
    await write(page, "x");
    await page.keyboard.press("Home");
    await page.keyboard.press("Tab");
    assert.equal(await textOf(page), "  x");
    assert.ok(await inEditor(page));
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    assert.ok(!await inEditor(page));
  });

  await t.step("unsaved changes are warned about before the page is left", async () => {
    const asked = page.waitForEvent("dialog");
    const left = inSidebar(page, "Code").click().catch(() => {});
    const dialog = await asked;
    assert.equal(dialog.type(), "beforeunload");
    await dialog.dismiss();
    await left;
    assert.equal(await textOf(page), "  x");
  });

  await t.step("somebody else's change is not written over unless asked again", async () => {
    await save(server, "orders.ts", "// theirs\n");
    await write(page, "export default (c) => c.text('mine');\n");
    await page.keyboard.press("Control+s");
    await state(page, "changed by another user").waitFor();
    assert.equal((await server.api("GET", "/api/files/orders.ts")).body, "// theirs\n");
    await page.keyboard.press("Control+s");
    await state(page, "Saved.").waitFor();
    assert.equal((await run(server, "/orders/1")).body, "mine");
  });

  await t.step("signed out meanwhile, nothing typed is lost", async () => {
    const cookies = await visit.context.cookies();
    await visit.context.clearCookies();
    await write(page, "export default (c) => c.text('later');\n");
    await page.keyboard.press("Control+s");
    await state(page, "You are signed out").waitFor();
    await visit.context.addCookies(cookies);
    await page.keyboard.press("Control+s");
    await state(page, "Saved.").waitFor();
    assert.equal((await run(server, "/orders/1")).body, "later");
  });
});

Deno.test("a function's page leads from its URL to an answer, and to what each caller gets", async (t) => {
  await using server = await startApp();
  await createSecret(server, "API_TOKEN", "hush-hush");
  const group = await createGroup(server, "customers");
  const key = await createKey(server, group, "acme");
  await server.api("POST", "/api/secrets", { name: "API_TOKEN", value: "own-value", scope: "key", keyId: key.id });
  const id = await deploy(server, "orders", ASKING, { route: "/orders/:id", keys: [group] });
  await using visit = await signIn(server);
  const { page, context } = visit;
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(`/web/functions/${id}`);

  await t.step("the full URL and a command are copied", async () => {
    await page.getByRole("button", { name: "Copy the URL" }).click();
    await page.getByText("Copied.").first().waitFor();
    assert.equal(await page.evaluate("navigator.clipboard.readText()"), `${server.url}/run/orders/:id`);
    await page.getByText("curl", { exact: true }).click();
    const command = await page.locator("#function-curl").textContent() ?? "";
    assert.equal(command, `curl -H 'X-API-Key: YOUR-API-KEY' '${server.url}/run/orders/id'`);
  });

  await t.step("Ctrl+Enter saves the code and sends the request, from the editor and from a field", async () => {
    const outcome = page.getByRole("region", { name: "Answer" });
    await page.getByLabel("API key", { exact: true }).selectOption({ label: "acme (customers)" });
    await page.getByLabel(":id").fill("7");
    await page.getByLabel(":id").press("Control+Enter");
    await outcome.getByText("Status 200").waitFor();
    await write(page, "export default (c) => c.text('new', 201);\n");
    await page.keyboard.press("Control+Enter");
    await outcome.getByText("Status 201").waitFor();
    assert.equal((await server.api("GET", "/api/files/orders.ts")).body, "export default (c) => c.text('new', 201);\n");
    await write(page, ASKING);
    await page.keyboard.press("Control+s");
    await state(page, "Saved.").waitFor();
  });

  await t.step("the path follows from the parameters, and they from a path that is typed", async () => {
    const [id, path] = [page.getByLabel(":id"), page.getByLabel("Path", { exact: true })];
    assert.equal(await path.inputValue(), "/orders/7");
    await path.fill("/orders/a%20b?page=2");
    assert.equal(await id.inputValue(), "a b");
    await id.fill("c/d");
    assert.equal(await path.inputValue(), "/orders/c%2Fd?page=2");
    await path.fill("/elsewhere");
    await id.fill("8");
    assert.equal(await path.inputValue(), "/elsewhere");
    await path.fill("/orders/:id");
    assert.equal(await id.inputValue(), "");
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("region", { name: "Answer" }).getByText(":id is empty.").waitFor();
  });

  await t.step("the path that was sent last is there again, and nothing that may be secret is kept", async () => {
    await page.getByLabel("Path", { exact: true }).fill("/orders/9?api_key=in-the-query");
    await page.getByLabel("Method").selectOption("POST");
    await page.getByText("Headers and body").click();
    await page.getByLabel("Headers", { exact: true }).fill("X-Token: hush-hush");
    await page.getByLabel("Body").fill('{"amount":1}');
    await page.getByLabel("API key", { exact: true }).selectOption("pasted");
    await page.getByLabel("Pasted key").fill(key.value);
    await page.getByRole("button", { name: "Send" }).click();
    await page.getByRole("region", { name: "Answer" }).getByText("Status 200").waitFor();
    await page.reload();
    assert.equal(await page.getByLabel("Body").inputValue(), "");
    assert.equal(await page.getByLabel("Path", { exact: true }).inputValue(), "/orders/9");
    assert.equal(await page.getByLabel("Method").inputValue(), "POST");
    assert.equal(await page.getByLabel("Headers", { exact: true }).inputValue(), "");
    const kept = await page.evaluate("JSON.stringify({ ...sessionStorage, ...localStorage })") as string;
    assert.match(kept, /orders\/9/);
    for (const secret of [key.value, "hush-hush", "amount", "in-the-query"]) assert.ok(!kept.includes(secret), secret);
    const cookies = await context.cookies();
    await context.clearCookies();
    await page.goto("/web/sign-in");
    assert.doesNotMatch(await page.evaluate("JSON.stringify({ ...sessionStorage })") as string, /orders\/9/);
    await context.addCookies(cookies);
    await page.goto(`/web/functions/${id}`);
  });

  await t.step("the tab Secrets says what the code asks for and which value each caller gets", async () => {
    await page.getByRole("navigation", { name: "This function" }).getByRole("link", { name: "Secrets" }).click();
    const row = page.getByRole("row", { name: /API_TOKEN/ });
    assert.match(await row.textContent() ?? "", /asked for.*Global/);
    await page.getByLabel("Key", { exact: true }).selectOption({ label: "acme (customers)" });
    await page.getByRole("button", { name: "Show" }).click();
    await row.getByText("Key acme").waitFor();
    assert.match(await row.textContent() ?? "", /Key acme.*Global/);
    assert.doesNotMatch(await page.content(), /hush-hush|own-value/);
    await assertGoodEverywhere(page);
  });
});

Deno.test("a new function shows what follows from its name, and settings only what can apply", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/functions/new");
  await page.getByLabel("Name", { exact: true }).fill("Ünïcode Orders");
  await page.getByText(`${server.url}/run/unicode-orders`).waitFor();
  assert.equal(await page.getByLabel("Handler file").getAttribute("placeholder"), "unicode-orders.ts");
  await page.getByLabel("Route").fill("/orders/:id");
  await page.getByText(`${server.url}/run/orders/:id`).waitFor();
  await page.getByLabel("Webhook").check();
  assert.ok(await page.getByLabel("POST", { exact: true }).isChecked());
  assert.ok(!await page.getByLabel("GET", { exact: true }).isChecked());
  await assertGoodEverywhere(page);
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("navigation", { name: "This function" }).getByRole("link", { name: "Settings" }).click();
  const hosts = page.getByLabel("Hosts", { exact: true });
  await hosts.waitFor({ state: "hidden" });
  await page.getByLabel("To these hosts only").check();
  await hosts.fill("api.example.com");
  await page.getByLabel("Preflight cache").waitFor({ state: "hidden" });
  await page.getByLabel("Allowed origins").fill("https://app.example.com");
  await page.getByLabel("Preflight cache").fill("1 h");
  await page.getByLabel("Time limit").fill("1.5 min");
  await assertGoodEverywhere(page);
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator("#notices").getByText("Saved the function").waitFor();
  assert.equal(await page.getByLabel("Time limit").inputValue(), "90 s");
  assert.equal(await page.getByLabel("Preflight cache").inputValue(), "1 h");
});

Deno.test("the files are a tree next to the code, imports are completed, and opened files are tabs", async () => {
  await using server = await startApp();
  await save(server, "lib/prices.ts", "export const price = 3;\n");
  await save(server, "lib/tax/vat.ts", "export const vat = 0.2;\n");
  await save(server, "shop.ts", "export default (c) => c.text('');\n");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/files/edit?path=lib/tax/vat.ts");
  const tree = page.getByRole("navigation", { name: "File tree" });
  assert.deepEqual(await tree.getByRole("link").allTextContents(), [
    "Code folder",
    "lib",
    "tax",
    "vat.ts",
    "prices.ts",
    "shop.ts",
  ]);
  assert.equal(await tree.locator("[aria-current=page]").textContent(), "vat.ts");
  await tree.getByRole("link", { name: "shop.ts" }).click();
  await page.waitForURL(/path=shop\.ts/);
  await write(page, 'import { price } from "./');
  await page.keyboard.press("Control+Space");
  const options = page.locator(".cm-tooltip-autocomplete [role=option]");
  await options.filter({ hasText: "./lib/tax/vat.ts" }).waitFor();
  await options.filter({ hasText: "./lib/prices.ts" }).click();
  assert.equal(await textOf(page), 'import { price } from "./lib/prices.ts');
  await page.keyboard.press("Control+s");
  await state(page, "Saved.").waitFor();
  const open = page.getByRole("navigation", { name: "Open files" });
  assert.deepEqual(await open.getByRole("link").allTextContents(), ["vat.ts", "shop.ts"]);
  await open.getByRole("link", { name: "vat.ts" }).click();
  await page.waitForURL(/vat\.ts/);
  await assertGoodEverywhere(page);
  await open.getByRole("button", { name: "Close lib/tax/vat.ts" }).click();
  await page.waitForURL(/path=shop\.ts/);
  await open.waitFor({ state: "hidden" });
});

Deno.test("a binary file goes up and comes down unchanged, is moved and deleted", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  const bytes = Uint8Array.from({ length: 100_000 }, (_, n) => (n * 7) ^ (n >> 8));
  await page.goto("/web");
  await inSidebar(page, "Code").click();
  await assertAccessible(page);
  await page.locator("summary", { hasText: "Upload" }).click();
  await page.getByLabel("Files", { exact: true }).setInputFiles([
    { name: "picture.bin", mimeType: "application/octet-stream", buffer: Buffer.from(bytes) },
    { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("hi\n") },
  ]);
  await page.getByRole("button", { name: "Upload files" }).click();
  await page.locator("#notices").getByText("Saved 2 files.").waitFor();
  await page.getByRole("rowheader").getByRole("link", { name: "picture.bin" }).click();
  await page.getByText("This file is binary: 98 KiB.").waitFor();
  await assertAccessible(page);
  const coming = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download" }).click();
  const download = await coming;
  assert.equal(download.suggestedFilename(), "picture.bin");
  assert.deepEqual(await Deno.readFile(await download.path()), bytes);

  await page.getByLabel("More actions for picture.bin").click();
  await page.getByRole("link", { name: "Rename or move …" }).click();
  await page.getByLabel("New path").fill("images/logo.bin");
  await page.getByRole("button", { name: "Move" }).click();
  await page.locator("#notices").getByText("Moved picture.bin to images/logo.bin.").waitFor();
  const folders = page.getByRole("navigation", { name: "Breadcrumb" });
  await folders.getByRole("link", { name: "images" }).click();
  await page.getByLabel("Actions for logo.bin").click();
  await page.getByRole("link", { name: "Delete …" }).click();
  await page.getByRole("button", { name: "Delete logo.bin" }).click();
  await page.locator("#notices").getByText("Deleted images/logo.bin.").waitFor();
  assert.equal(await page.getByRole("link", { name: "images" }).count(), 0);
});

Deno.test("a folder shows its files with what uses them, unfolds in the tree, and takes files that are dropped", async () => {
  await using server = await startApp();
  await save(server, "lib/tax/vat.ts", "export const vat = 0.2;\n");
  await deploy(server, "shop", `import { vat } from "./lib/tax/vat.ts"; export default (c) => c.text(String(vat));`);
  assert.equal((await run(server, "/shop")).body, "0.2");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/files");
  await page.getByRole("row", { name: /shop\.ts shop / }).waitFor();
  const tree = page.getByRole("navigation", { name: "File tree" });
  await tree.getByRole("button", { name: "Contents of lib", exact: true }).click();
  await tree.getByRole("button", { name: "Contents of lib/tax" }).click();
  await tree.getByRole("link", { name: "vat.ts" }).waitFor();
  await assertGoodEverywhere(page);
  await tree.getByRole("button", { name: "Contents of lib", exact: true }).click();
  await tree.getByRole("link", { name: "vat.ts" }).waitFor({ state: "hidden" });

  await page.goto("/web/files?folder=lib/tax");
  await page.getByRole("row", { name: /vat\.ts imported by 1 / }).waitFor();
  await page.evaluate(`(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(["10"], "rate.txt"));
    document.getElementById("main").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  })()`);
  await assertGoodEverywhere(page);
  await page.keyboard.press("Enter");
  await page.locator("#notices").getByText("Saved lib/tax/rate.txt.").waitFor();
  assert.equal((await server.api("GET", "/api/files/lib/tax/rate.txt")).body, "10");
});

Deno.test("files are made, renamed and deleted without JavaScript, and a form that is refused is open again", async () => {
  await using server = await startApp();
  await save(server, "lib/a.txt", "a");
  await using visit = await signIn(server, { javaScript: false });
  const { page } = visit;
  await page.goto("/web/files?folder=lib");
  await page.locator("summary", { hasText: "New file" }).click();
  await page.getByLabel("Path").fill("lib/a.txt");
  await page.getByRole("button", { name: "Create file" }).click();
  await page.locator(".field .problem").getByText("already exists").waitFor();
  await page.getByLabel("Path").fill("lib/b.ts");
  await page.getByRole("button", { name: "Create file" }).click();
  await page.locator("#notices").getByText("Created lib/b.ts.").waitFor();
  await page.getByRole("navigation", { name: "File tree" }).getByRole("link", { name: "lib" }).click();
  await page.getByLabel("Actions for b.ts").click();
  await page.getByRole("link", { name: "Rename or move …" }).click();
  await page.getByLabel("New path").fill("c.ts");
  await page.getByRole("button", { name: "Move" }).click();
  await page.locator("#notices").getByText("Moved lib/b.ts to c.ts.").waitFor();
});

Deno.test("long code, problems and answers fit and are accessible, in light and dark, wide and narrow", async () => {
  await using server = await startApp();
  const group = await createGroup(server, "customers");
  await createKey(server, group, "acme");
  const id = await deploy(
    server,
    "orders",
    ASKING.replace("c.json", "c.jsonn"),
    {
      route: "/orders/:id",
      keys: [group],
    },
  );
  await save(server, "lib/price.ts", `export const long = "${"x".repeat(300)}";\n`);
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/files/edit?path=lib/price.ts");
  await page.locator(".cm-content").waitFor();
  await assertGoodEverywhere(page);
  await page.goto(`/web/functions/${id}`);
  await page.locator("[data-problems]").getByText("1 problem:").waitFor({ timeout: CHECK_MAX_MS });
  await page.getByLabel(":id").fill("7");
  await page.getByLabel("API key", { exact: true }).selectOption("pasted");
  await page.getByLabel("Pasted key").fill("nonsense");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("Status 401").waitFor();
  await page.getByLabel("API key", { exact: true }).selectOption({ label: "acme (customers)" });
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("Status 500").waitFor();
  assert.match(await page.locator(".call-log").textContent() ?? "", /jsonn is not a function/);
  await page.locator(".outcome").hover();
  await assertGoodEverywhere(page);
});

Deno.test("without JavaScript the code is a text area that can be checked and saved, and a call be tried", async () => {
  await using server = await startApp();
  const id = await deploy(server, "orders", "export default (c) => c.text('old');\n");
  await using visit = await signIn(server, { javaScript: false });
  const { page } = visit;
  await page.goto(`/web/functions/${id}`);
  await page.getByLabel("Code of orders.ts").fill("export default (c) => c.text('new');\n");
  await page.getByRole("button", { name: "Check" }).click();
  await page.getByText("No problems found.").waitFor({ timeout: CHECK_MAX_MS });
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator("#notices").getByText("Saved orders.ts.").waitFor();
  await page.getByRole("button", { name: "Send" }).click();
  assert.equal(await page.locator(".outcome pre").textContent(), "new");
});
