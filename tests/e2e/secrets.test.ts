// The secrets pages in a browser: the guide's click-paths, and everything else that is done there.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { createGroup, createKey, createSecret, deploy, run } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "../http/server.ts";
import { unreadable } from "../http/filled.ts";
import { assertAccessible, assertGoodEverywhere, closeBrowser, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

const HANDLER = "export default async (c, ctx) => c.text(await ctx.getSecret('DATABASE_URL') ?? 'none')";

/** A function that asks for a key, and a group with one. */
async function prepare(server: Server) {
  const groupId = await createGroup(server, "staging");
  const key = await createKey(server, groupId, "acme");
  const functionId = await deploy(server, "orders", HANDLER, { keys: [groupId] });
  return { groupId, keyId: key.id, key: key.value, functionId };
}

/** Every secret that the server has, with values. */
async function stored(server: Server): Promise<Record<string, unknown>[]> {
  return (await server.api("GET", "/api/secrets?includeValues=true")).body.secrets;
}

/** The names that the matrix shows. */
async function namesShown(page: Page): Promise<string[]> {
  return (await page.locator(".matrix th[scope=row]").allTextContents()).map((text) => text.trim());
}

async function unfold(page: Page, name: string): Promise<void> {
  await page.getByRole("link", { name, exact: true }).click();
  await page.getByRole("list", { name: `Values of ${name}` }).waitFor();
}

Deno.test("the guide's four click-paths create secrets as it says", async () => {
  await using server = await startApp();
  const { functionId, groupId, keyId } = await prepare(server);
  await using visit = await signIn(server);
  const { page } = visit;
  const paths = [
    { scope: "Global", comment: "Production database connection" },
    { scope: "Function", owner: "orders" },
    { scope: "Group", owner: "staging" },
    { scope: "Key", owner: "acme (staging)" },
  ];
  await page.goto("/web");
  for (const { scope, owner, comment } of paths) {
    await page.getByRole("navigation").getByText("Secrets").click();
    await page.getByText("Add Secret").click();
    await page.getByLabel("Name").fill("DATABASE_URL");
    await page.getByLabel("Value").fill(`postgresql://${scope}/main`);
    await page.getByLabel("Scope").selectOption(scope);
    const owners = page.locator(".owner select:visible");
    assert.equal(await owners.count(), owner ? 1 : 0);
    if (owner) await page.getByLabel(scope, { exact: true }).selectOption(owner);
    if (comment) await page.getByLabel("Comment").fill(comment);
    await page.getByText("Create", { exact: true }).click();
    const whose = owner ? `${scope.toLowerCase()} "${owner.split(" ")[0]}"` : "global";
    await page.getByText(`Created DATABASE_URL (${whose}).`).waitFor();
  }
  const secrets = await stored(server);
  assert.deepEqual(secrets.map(({ scope, scopeId, value }) => [scope, scopeId, value]), [
    ["global", null, "postgresql://Global/main"],
    ["function", functionId, "postgresql://Function/main"],
    ["group", groupId, "postgresql://Group/main"],
    ["key", keyId, "postgresql://Key/main"],
  ]);
  assert.equal(secrets[0]!.comment, "Production database connection");
  assert.deepEqual(await page.locator(".matrix tbody tr").first().locator("td").allTextContents(), [
    "Set",
    "orders",
    "staging",
    "acme",
  ]);
});

Deno.test("values are revealed one by one, hidden again, copied, edited and deleted", async () => {
  await using server = await startApp();
  const { functionId, key } = await prepare(server);
  await createSecret(server, "DATABASE_URL", "global-value", { scope: "global", comment: "for all" });
  const lines = "\nfirst <b>line</b>\n\tsecond & last\n\n";
  await createSecret(server, "DATABASE_URL", lines, { scope: "function", functionId });
  await using visit = await signIn(server);
  const { page, context } = visit;
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto("/web/secrets");
  await unfold(page, "DATABASE_URL");
  assert.equal(await page.getByText("for all").count(), 1);
  assert.ok(!(await page.content()).includes("global-value"));

  const reveal = page.getByRole("button", { name: 'Reveal DATABASE_URL (function "orders")' });
  await reveal.focus();
  await page.keyboard.press("Enter");
  const shown = page.getByRole("region", { name: 'Value of DATABASE_URL (function "orders")' });
  await shown.waitFor();
  assert.equal(await shown.textContent(), lines);
  assert.equal(await page.getByRole("status").filter({ hasText: "Shown: DATABASE_URL" }).count(), 1);
  assert.equal(await page.evaluate("document.activeElement.textContent.split(' ')[0]"), "Hide");
  assert.ok(!(await page.content()).includes("global-value"));
  await assertAccessible(page);
  await page.keyboard.press("Enter");
  await shown.waitFor({ state: "detached" });
  assert.equal(await page.evaluate("document.activeElement.textContent.split(' ')[0]"), "Reveal");

  await page.getByRole("button", { name: "Copy DATABASE_URL (global)" }).click();
  await page.getByText("Copied", { exact: false }).first().waitFor();
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), "global-value");
  assert.ok(!(await page.content()).includes("global-value"));

  // Edited in place: a value left empty stays.
  await page.getByRole("link", { name: "Edit DATABASE_URL (global)" }).click();
  const value = page.getByLabel("Value", { exact: true });
  await value.waitFor();
  assert.equal(await value.inputValue(), "");
  assert.equal(await page.evaluate("document.activeElement.name"), "value");
  await page.getByLabel("Comment").fill("for everybody");
  await assertAccessible(page);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved DATABASE_URL (global), with its value unchanged.").waitFor();
  assert.equal(await page.evaluate("document.activeElement.textContent"), "Edit");
  assert.equal(new URL(page.url()).pathname, "/web/secrets");
  assert.deepEqual((await stored(server)).map(({ value, comment }) => [value, comment]), [
    ["global-value", "for everybody"],
    [lines, ""],
  ]);
  // One that is filled in and saved is the same byte for byte.
  const own = page.getByRole("link", { name: 'Edit DATABASE_URL (function "orders")' });
  await own.click();
  await page.getByLabel("Comment").fill("typed before");
  await page.getByRole("button", { name: "Fill in the current value" }).click();
  await page.getByRole("button", { name: "Fill in the current value" }).waitFor({ state: "detached" });
  assert.equal(await value.inputValue(), lines);
  assert.equal(await page.getByLabel("Comment").inputValue(), "typed before");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText('Saved DATABASE_URL (function "orders"), with a new value.').waitFor();
  assert.equal((await stored(server))[1]!.value, lines);
  // A problem is shown at its field, and what was typed stays until it is cancelled.
  await own.click();
  await value.fill("x".repeat(16_385));
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").getByText("16385 bytes").waitFor();
  assert.equal((await value.inputValue()).length, 16_385);
  await page.getByRole("link", { name: "Cancel" }).click();
  await own.waitFor();
  assert.ok(!(await page.content()).includes("xxxx"));
  // A form that another change has overtaken saves nothing.
  await own.click();
  await value.fill("overtaken");
  assert.equal((await server.api("PUT", "/api/secrets/2", { comment: "theirs" })).status, 200);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Another user changed this meanwhile.").waitFor();
  assert.deepEqual((await stored(server)).map(({ value, comment }) => [value, comment])[1], [lines, "theirs"]);
  // All settings are on a page of their own.
  await page.getByRole("link", { name: "All settings" }).click();
  await page.getByLabel("Comment").fill("typed before");
  await page.getByRole("button", { name: "Reveal the value to edit it" }).click();
  assert.equal(await page.getByLabel("Value").inputValue(), lines);
  assert.equal(await page.getByLabel("Comment").inputValue(), "typed before");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText('Saved DATABASE_URL (function "orders"), with a new value.').waitFor();
  assert.equal((await stored(server))[1]!.value, lines);

  assert.equal((await run(server, "/orders", key)).body, lines);
  await page.goto("/web/secrets");
  await unfold(page, "DATABASE_URL");
  await page.getByText("just now by orders, 1 time in 30 days").waitFor();
  await page.getByRole("link", { name: 'Delete DATABASE_URL (function "orders")' }).click();
  await page.getByText('Calls of "orders" that found this value get then:').waitFor();
  assert.deepEqual(await page.locator(".fallbacks li").allTextContents(), ["the global value"]);
  const answers = page.getByRole("region", { name: "Callers that get another value" });
  assert.deepEqual(await answers.locator("tbody tr :is(th, td)").allTextContents(), [
    "orders",
    "staging/acme",
    "Global every function",
  ]);
  await assertAccessible(page);
  await page.getByRole("button", { name: "Delete DATABASE_URL" }).click();
  await page.getByText('Deleted DATABASE_URL (function "orders").').waitFor();
  assert.equal((await run(server, "/orders", key)).body, "global-value");
});

Deno.test("a chip opens its own value, and a dash leads to a form that adds one there", async () => {
  await using server = await startApp();
  const { groupId, functionId } = await prepare(server);
  await createSecret(server, "DATABASE_URL", "global-value");
  await createSecret(server, "DATABASE_URL", "group-value", { scope: "group", groupId });
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets");
  const values = page.getByRole("list", { name: "Values of DATABASE_URL" });
  await page.getByRole("link", { name: "staging" }).click();
  await values.waitFor();
  assert.equal(await values.getByRole("listitem").count(), 1);
  await page.getByRole("button", { name: 'Reveal DATABASE_URL (group "staging")' }).click();
  await page.getByText("group-value").waitFor();
  // Another chip of the same name takes its place.
  await page.getByRole("link", { name: "Set", exact: true }).click();
  await page.getByRole("button", { name: "Reveal DATABASE_URL (global)" }).waitFor();
  assert.ok(!(await page.content()).includes("group-value"));
  assert.equal(await page.getByRole("link", { name: "staging" }).first().getAttribute("aria-expanded"), "false");
  await assertGoodEverywhere(page);
  await page.getByRole("link", { name: "not set; add DATABASE_URL for Function" }).click();
  assert.equal(await page.getByLabel("Name").inputValue(), "DATABASE_URL");
  await page.getByLabel("Function", { exact: true }).selectOption("orders");
  const value = page.getByLabel("Value");
  const security = () =>
    page.evaluate("getComputedStyle(document.getElementById('value')).getPropertyValue('-webkit-text-security')");
  assert.equal(await security(), "disc");
  await page.getByLabel("Show what is typed").check();
  assert.equal(await security(), "none");
  await value.fill("function-value");
  await page.getByRole("button", { name: "Save and add another" }).click();
  await page.getByText('Created DATABASE_URL (function "orders").').waitFor();
  assert.equal(await page.getByLabel("Function", { exact: true }).inputValue(), String(functionId));
  assert.equal(await page.getByLabel("Name").inputValue(), "");
});

Deno.test("selected secrets are copied, moved, exported and deleted together, or none of them", async () => {
  await using server = await startApp();
  const { groupId, functionId } = await prepare(server);
  for (const name of ["ONE", "TWO", "THREE"]) await createSecret(server, name, `${name.toLowerCase()}-value`);
  await createSecret(server, "TWO", "of the group", { scope: "group", groupId });
  await using visit = await signIn(server);
  const { page } = visit;
  const select = async (...names: string[]) => {
    await page.goto("/web/secrets");
    for (const name of names) await page.getByLabel(`Select ${name}`, { exact: true }).check();
    await page.getByRole("button", { name: "Copy, export or delete the selected" }).click();
    await page.getByRole("heading", { name: "Selected Secrets" }).waitFor();
  };
  const all = async () => (await stored(server)).map(({ name, scope, value }) => `${scope} ${name} ${value}`).sort();

  await page.goto("/web/secrets");
  assert.ok(!await page.getByRole("button", { name: "Copy, export or delete the selected" }).isVisible());

  // The group has TWO already: nothing is copied.
  await select("ONE", "TWO");
  const before = await all();
  await page.getByLabel("Scope").selectOption("Group");
  await page.getByLabel("Group", { exact: true }).selectOption("staging");
  await page.getByRole("checkbox", { name: "TWO" }).nth(1).uncheck();
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await page.getByRole("alert").getByText(/TWO/).waitFor();
  assert.deepEqual(await all(), before);
  // What was not chosen is not chosen by the page that is shown again.
  assert.deepEqual(
    await Promise.all((await page.getByRole("checkbox", { name: /ONE|TWO/ }).all()).map((box) => box.isChecked())),
    [true, true, false],
  );
  await assertGoodEverywhere(page);

  await select("ONE", "THREE");
  await page.getByLabel("Scope").selectOption("Function");
  await page.getByLabel("Function", { exact: true }).selectOption("orders");
  await page.getByLabel("Move: delete them where they are").check();
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await page.getByText("Moved 2 secrets.").waitFor();
  assert.deepEqual(await all(), [
    "function ONE one-value",
    "function THREE three-value",
    "global TWO two-value",
    "group TWO of the group",
  ]);

  await select("ONE", "THREE");
  const coming = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  const file = await Deno.readTextFile(await (await coming).path());
  assert.match(file, /ONE=one-value[^]*THREE=three-value/);
  const { body } = await server.api("GET", "/api/audit?action=secret.revealed");
  const byUser = body.entries.filter(({ actor }: { actor: { kind: string } }) => actor.kind === "admin");
  assert.deepEqual(byUser.map(({ after }: { after: { ids: number[] } }) => after.ids.length), [2]);

  // One changed meanwhile: none is deleted.
  await select("ONE", "TWO");
  const { body: { secrets } } = await server.api("GET", `/api/secrets?functionId=${functionId}`);
  const one = secrets.find(({ name }: { name: string }) => name === "ONE");
  assert.equal((await server.api("PUT", `/api/secrets/${one.id}`, { comment: "changed" })).status, 200);
  await page.getByRole("button", { name: "Delete the checked secrets" }).click();
  await page.getByRole("alert").waitFor();
  assert.equal((await all()).length, 4);
  await select("ONE", "TWO");
  await page.getByRole("button", { name: "Delete the checked secrets" }).click();
  await page.getByText("Deleted 3 secrets.").waitFor();
  assert.deepEqual(await all(), ["function THREE three-value"]);
});

Deno.test("values with carriage returns are never changed without being said so", async () => {
  await using server = await startApp();
  await createSecret(server, "CRLF", "one\r\ntwo\r\n");
  await createSecret(server, "MIXED", "one\r\ntwo\nthree\r");
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets/1/edit");
  await page.getByRole("button", { name: "Reveal the value to edit it" }).click();
  assert.equal(await page.getByLabel("Keep its line ends (CRLF)").isChecked(), true);
  await page.getByLabel("Value").fill("one\n2\n");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("with a new value").waitFor();
  await page.goto("/web/secrets/2/edit");
  await page.getByRole("button", { name: "Reveal the value to edit it" }).click();
  await page.getByRole("alert").getByText("carriage returns or NUL").waitFor();
  assert.equal(await page.getByLabel("Value").inputValue(), "");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("with its value unchanged").waitFor();
  assert.deepEqual((await stored(server)).map(({ value }) => value), ["one\r\n2\r\n", "one\r\ntwo\nthree\r"]);
});

Deno.test("names are searched while typing, filtered, and paged on the server", async () => {
  await using server = await startApp();
  const { functionId, groupId, key } = await prepare(server);
  for (let n = 0; n < 60; n++) await createSecret(server, `FLAG_${String(n).padStart(2, "0")}`, "value");
  await createSecret(server, "DATABASE_URL", "value", { scope: "function", functionId });
  await createSecret(server, "database-user", "value", { scope: "group", groupId });
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets");
  assert.equal((await namesShown(page)).length, 50);
  await page.getByText("More names").click();
  assert.deepEqual((await namesShown(page)).at(-1), "database-user");
  assert.equal((await namesShown(page)).length, 12);

  await page.goto("/web/secrets");
  await page.getByLabel("Search names").pressSequentially("Base");
  await page.waitForURL("**/web/secrets?q=Base");
  assert.deepEqual(await namesShown(page), ["DATABASE_URL", "database-user"]);
  assert.equal(await page.getByRole("status").filter({ hasText: "2 names." }).count(), 1);
  await page.getByLabel("Scope").selectOption("Function");
  await page.waitForURL("**/web/secrets?q=Base&scope=function");
  assert.deepEqual(await namesShown(page), ["DATABASE_URL"]);
  await page.getByLabel("Function", { exact: true }).selectOption("orders");
  await page.waitForURL(`**/web/secrets?q=Base&scope=function&functionId=${functionId}`);
  await assertAccessible(page);
  await page.reload();
  assert.deepEqual(await namesShown(page), ["DATABASE_URL"]);
  await page.getByLabel("Scope").selectOption("Group");
  await page.waitForURL("**/web/secrets?q=Base&scope=group");
  assert.deepEqual(await namesShown(page), ["database-user"]);
  await page.getByLabel("Search names").fill("nothing like it");
  await page.getByText("No matching secrets.").waitFor();
  await assertAccessible(page);

  // What was read lately is not unused; what is younger is not, either.
  await run(server, "/orders", key);
  await page.goto("/web/secrets?unused=7");
  await page.getByText("Reads are counted since").waitFor();
  assert.deepEqual(await namesShown(page), []);
});

Deno.test("everything works without scripts", async () => {
  await using server = await startApp();
  const { functionId } = await prepare(server);
  await createSecret(server, "DATABASE_URL", "planted-value", { scope: "function", functionId });
  await createSecret(server, "OTHER", "other-value");
  await using visit = await signIn(server, { javaScript: false });
  const { page } = visit;
  await page.goto("/web/secrets");
  await page.getByLabel("Search names").fill("data");
  await page.getByLabel("Scope").selectOption("Function");
  await page.getByRole("button", { name: "Filter" }).click();
  assert.deepEqual(await namesShown(page), ["DATABASE_URL"]);
  await page.getByRole("link", { name: "DATABASE_URL", exact: true }).click();
  await page.getByRole("button", { name: "Reveal" }).click();
  assert.equal(await page.getByRole("region").textContent(), "planted-value");
  await page.getByRole("button", { name: "Hide" }).click();
  assert.equal(await page.getByRole("region").count(), 0);
  await page.getByRole("link", { name: "Add another value" }).click();
  assert.equal(await page.getByLabel("Name").inputValue(), "DATABASE_URL");
  await page.getByLabel("Value").fill("a\nb");
  await page.getByLabel("Scope").selectOption("Key");
  await page.getByLabel("Key", { exact: true }).selectOption("acme (staging)");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByText('Created DATABASE_URL (key "acme").').waitFor();
  assert.equal((await stored(server)).at(-1)!.value, "a\nb");
});

Deno.test("the form tells name rules and bytes left while typing, and loses nothing when it is refused", async () => {
  await using server = await startApp();
  const { functionId } = await prepare(server);
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto(`/web/secrets/new?name=A&scope=function&functionId=${functionId}`);
  assert.equal(await page.getByLabel("Function", { exact: true }).inputValue(), String(functionId));
  await page.getByLabel("Name").fill("A b");
  await page.getByLabel("Name").press("End");
  await page.getByLabel("Name").press(".");
  await page.getByRole("status").getByText("not a space .").waitFor();
  await page.getByLabel("Value").fill("é🔑\n");
  await page.getByText("16,377 bytes left.").first().waitFor();
  await page.getByLabel("Comment").fill("kept");
  await page.getByRole("button", { name: "Create" }).click();
  const alert = page.getByRole("alert");
  await alert.waitFor();
  assert.match((await alert.textContent())!, /Name must be letters, digits, underscores and hyphens/);
  assert.equal(await page.evaluate("document.activeElement.id"), "name");
  assert.equal(await page.getByLabel("Value").inputValue(), "é🔑\n");
  assert.equal(await page.getByLabel("Comment").inputValue(), "kept");
  assert.equal(await page.getByLabel("Function", { exact: true }).inputValue(), String(functionId));
  await assertAccessible(page);
  await page.getByLabel("Value").fill("x".repeat(16_385));
  await page.getByText("1 bytes too many.").first().waitFor();
  await page.getByLabel("Name").fill("A");
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByRole("alert").getByText("16385 bytes").waitFor();
  await page.getByLabel("Value").fill("x".repeat(16_384));
  await page.getByRole("button", { name: "Create" }).click();
  await page.getByText('Created A (function "orders").').waitFor();
});

Deno.test("Resolve as… says which value wins, which it shadows, and what is closed", async () => {
  await using server = await startApp();
  const { functionId, groupId, keyId } = await prepare(server);
  const stranger = await createKey(server, await createGroup(server, "others"), "stranger");
  const open = await deploy(server, "open", HANDLER, { secrets: ["DATA*"] });
  await createSecret(server, "DATABASE_URL", "value");
  await createSecret(server, "DATABASE_URL", "value", { scope: "key", keyId });
  await createSecret(server, "SMTP", "value", { scope: "group", groupId });
  await createSecret(server, "LOST", "value", { scope: "function", functionId });
  await createSecret(server, "LOST", "value");
  unreadable(server, 4);
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets");
  await page.getByText("Resolve as…").click();
  await page.getByText("The first value found is the one that the call gets").waitFor();
  await assertGoodEverywhere(page);
  const answer = async (target: string, key: string) => {
    await page.getByText(`A call of ${target} with the key "${key}"`).waitFor();
    const rows = await page.locator("tbody tr").all();
    return await Promise.all(rows.map(async (row) => (await row.locator("th, td").allTextContents()).join(" | ")));
  };
  await page.getByLabel("Function", { exact: true }).selectOption("orders");
  await page.getByLabel("Key", { exact: true }).selectOption("acme (staging)");
  await page.waitForURL(/functionId=\d+&keyId=\d+/);
  assert.deepEqual(await answer("orders", "acme"), [
    "DATABASE_URL | acme, the one that the call gets | –not set | –not set | Set, shadowed | Key",
    "LOST | –not set | –not set | orders, the one that the call gets | Set, shadowed | Unreadable gives undefined, not the next value",
    "SMTP | –not set | staging, the one that the call gets | –not set | –not set | Group",
  ]);
  await page.getByLabel("Function", { exact: true }).selectOption("open");
  await page.waitForURL(new RegExp(`functionId=${open}&keyId=${keyId}`));
  assert.deepEqual(await answer("open", "acme"), [
    "DATABASE_URL | acme, closed | –not set | –not set | Set, the one that the call gets | GlobalThe function is public.",
    "LOST | –not set | –not set | –not set | Set, closed | undefinedThe function may not ask for this name.",
    "SMTP | –not set | staging, closed | –not set | –not set | undefinedThe function may not ask for this name.",
  ]);
  await assertGoodEverywhere(page);
  // As a link of the key's page leads to it.
  await page.goto(`/web/secrets/resolve?functionId=${functionId}&keyId=${stranger.id}`);
  assert.deepEqual(await answer("orders", "stranger"), []);
  await page.getByText("This API key's group may not call this function.").waitFor();
});

Deno.test("Resolve as… has its answer for the only function at once, and works without scripts", async () => {
  await using server = await startApp();
  await prepare(server);
  await createSecret(server, "DATABASE_URL", "value");
  await using visit = await signIn(server, { javaScript: false });
  const { page } = visit;
  await page.goto("/web/secrets/resolve");
  await page.getByText("A call of orders with no key").waitFor();
  await page.getByLabel("Key", { exact: true }).selectOption("acme (staging)");
  await page.getByRole("button", { name: "Resolve" }).click();
  await page.getByText('A call of orders with the key "acme"').waitFor();
  assert.equal(await page.locator(".step.found").count(), 1);
});

Deno.test("Resolve as… offers the keys that can call the function, and marks a chosen one that cannot", async () => {
  await using server = await startApp();
  const { functionId } = await prepare(server);
  const other = await createGroup(server, "production");
  const key = await createKey(server, other, "cannot");
  await deploy(server, "open", HANDLER);
  await using visit = await signIn(server);
  const { page } = visit;
  const offered = () => page.getByLabel("Key", { exact: true }).getByRole("option").allTextContents();
  await page.goto("/web/secrets/resolve");
  assert.deepEqual(await offered(), ["No key", "acme (staging)", "bootstrap (management)", "cannot (production)"]);
  await page.getByLabel("Key", { exact: true }).selectOption("cannot (production)");
  await page.getByLabel("Function", { exact: true }).selectOption("orders");
  await page.getByText("refused with 403").waitFor();
  const marked = "cannot (production), cannot call it";
  assert.deepEqual(await offered(), ["No key", marked, "acme (staging)"]);
  assert.equal(await page.getByLabel("Key", { exact: true }).inputValue(), String(key.id));
  await assertGoodEverywhere(page);
  await page.getByLabel("Key", { exact: true }).selectOption("No key");
  await page.getByText("refused with 401").waitFor();
  await page.getByLabel("Function", { exact: true }).selectOption("open");
  await page.getByText("The function is public: it ignores keys.").waitFor();
  assert.deepEqual(await offered(), ["No key"]);
  // Narrowed by what is typed, the list has no other ones either.
  const narrowed = await page.context().request.get(
    `/web/secrets/owners?scope=key&field=keyId&empty=No+key&callable=${functionId}&find=c`,
  );
  assert.match(await narrowed.text(), /acme/);
  assert.doesNotMatch(await narrowed.text(), /cannot/);
});

Deno.test("a chip follows the value that is saved in place below it", async () => {
  await using server = await startApp();
  await server.api("POST", "/api/secrets", { name: "OLD", value: "v", scope: "global", rotateEveryDays: 1 });
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets");
  const chip = page.locator("a.chip");
  assert.equal(await chip.getByRole("img", { name: "due soon" }).count(), 1);
  await chip.click();
  await page.getByRole("link", { name: "Edit OLD (global)" }).click();
  // Another user sets the terms meanwhile; the value that is saved then is no longer due.
  const { id } = (await stored(server))[0]!;
  await page.getByLabel("Value", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Cancel" }).click();
  await page.getByRole("link", { name: "Edit OLD (global)" }).waitFor();
  await server.api("PUT", `/api/secrets/${id}`, { rotateEveryDays: 90 });
  await page.getByRole("link", { name: "Edit OLD (global)" }).click();
  await page.getByLabel("Value", { exact: true }).fill("new");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved OLD (global), with a new value.").waitFor();
  assert.equal(await chip.getByRole("img", { name: "due soon" }).count(), 0);
  assert.equal(await chip.getAttribute("aria-expanded"), "true");
  await chip.click();
  await page.getByRole("link", { name: "Edit OLD (global)" }).waitFor({ state: "detached" });
});

Deno.test("the form says which other values have the name, without the value in an address", async () => {
  await using server = await startApp();
  const { groupId } = await prepare(server);
  await createSecret(server, "DATABASE_URL", "value", { scope: "group", groupId });
  await using visit = await signIn(server);
  const { page } = visit;
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.goto("/web/secrets/new");
  const standing = page.locator("#standing");
  await standing.getByText("Every function gets it").waitFor();
  await page.getByLabel("Value").fill("planted-value");
  await page.getByLabel("Name").fill("DATABASE_URL");
  await standing.getByRole("link", { name: "staging" }).waitFor();
  await page.getByLabel("Scope").selectOption("Group");
  await standing.getByText("Calls with a key of this group").waitFor();
  await page.getByLabel("Group", { exact: true }).selectOption("staging");
  await standing.getByText("It has a value here already.").waitFor();
  await assertGoodEverywhere(page);
  await page.getByLabel("Name").fill("OTHER");
  await standing.getByText("Nothing else has this name.").waitFor();
  assert.deepEqual(asked.filter((url) => url.includes("planted")), []);
});

Deno.test("a deleted secret is restored to its owner, or to another one if that is gone", async () => {
  await using server = await startApp();
  const { keyId, groupId } = await prepare(server);
  await createSecret(server, "STAYS", "value");
  await createSecret(server, "ORPHAN", "value", { scope: "key", keyId });
  for (const path of ["/api/secrets/1", `/api/keys/${keyId}`]) {
    assert.ok((await server.api("DELETE", path)).status < 300, path);
  }
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets/deleted");
  await assertGoodEverywhere(page);
  await page.getByRole("link", { name: "Restore … STAYS (global)" }).click();
  await page.getByRole("button", { name: "Restore STAYS" }).click();
  await page.getByText("Restored STAYS (global).").waitFor();
  await page.goto("/web/secrets/deleted");
  await page.getByRole("link", { name: 'Restore … ORPHAN (key "acme")' }).click();
  await page.getByLabel("Scope").selectOption("Group");
  await page.getByLabel("Group", { exact: true }).selectOption("staging");
  await page.getByRole("button", { name: "Restore ORPHAN" }).click();
  await page.getByText('Restored ORPHAN (group "staging").').waitFor();
  assert.deepEqual((await stored(server)).map(({ name, scopeId }) => [name, scopeId]), [
    ["STAYS", null],
    ["ORPHAN", groupId],
  ]);
});

Deno.test("an altered value is marked everywhere, and can be deleted", async () => {
  await using server = await startApp();
  await createSecret(server, "LOST", "value");
  unreadable(server, 1);
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets");
  await page.locator(".matrix .badge").getByText("Unreadable").waitFor();
  await unfold(page, "LOST");
  await page.getByText("It can no longer be changed").waitFor();
  await assertGoodEverywhere(page);
  await page.getByRole("link", { name: "Delete it" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("heading", { level: 1, name: "Secrets" }).waitFor();
  assert.equal(await page.getByText("Unreadable").count(), 0);
});

Deno.test("long names and revealed values are accessible and fit, in light and dark, wide and narrow", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets");
  await page.getByText("No secrets yet").waitFor();
  await assertAccessible(page);
  const { functionId } = await prepare(server);
  const long = "A_NAME_THAT_GOES_ON_".repeat(12) + "X";
  for (const name of ["DATABASE_URL", long]) await createSecret(server, name, "x".repeat(500));
  await createSecret(server, "DATABASE_URL", "value", { scope: "function", functionId });
  await page.goto("/web/secrets");
  await unfold(page, "DATABASE_URL");
  await page.getByRole("button", { name: "Reveal DATABASE_URL (global)" }).click();
  await page.getByRole("region").waitFor();
  await assertGoodEverywhere(page);
});

Deno.test("several secrets are pasted, previewed below the form and imported", async () => {
  await using server = await startApp();
  await createSecret(server, "OLD", "before", { scope: "global" });
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/secrets/new");
  await page.getByRole("link", { name: "Paste several" }).click();
  await page.getByLabel("Text").fill("# of A\nA=planted-value\nOLD=after\n");
  await page.getByRole("button", { name: "Preview" }).click();
  const preview = page.locator("#preview");
  await preview.getByText("1 new, 1 changed, 0 the same.").waitFor();
  assert.equal(await preview.locator("tbody tr").count(), 2);
  assert.ok(!(await preview.innerHTML()).includes("planted-value"));
  await assertAccessible(page);
  await page.getByLabel("Text").fill("A=1\nnonsense\n");
  await page.getByRole("button", { name: "Preview" }).click();
  await preview.getByText("Line 2 is not NAME=value").waitFor();
  await page.getByRole("button", { name: "Import" }).click();
  await page.getByText("line 2 is not NAME=value.").waitFor();
  assert.equal(await page.getByLabel("Text").inputValue(), "A=1\nnonsense\n");
  await page.getByLabel("Text").fill("# of A\nA=1\nOLD=after\n");
  await page.getByRole("button", { name: "Import" }).click();
  await page.getByText("Imported: 1 new, 1 changed, 0 the same.").waitFor();
  assert.deepEqual((await stored(server)).map(({ name, value }) => [name, value]), [["OLD", "after"], ["A", "1"]]);
});
