// Key groups and API keys in the browser: making them, the value that is shown once, its curl line, revoking.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { createGroup, createKey, createSecret, deploy } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { assertAccessible, assertGoodEverywhere, closeBrowser, inSidebar, openBrowser, signIn } from "./browser.ts";

const HELLO = "export default (c, ctx) => c.text(`hello ${ctx.params.name} from ${ctx.authenticatedKeyGroup}`);";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** What a shell prints for a line, such as one that a page shows. */
async function shell(line: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", line.replace(/^curl/, "curl -sS")] }).output();
  return new TextDecoder().decode(stdout);
}

async function text(page: Page, selector: string): Promise<string> {
  return await page.locator(selector).textContent() ?? "";
}

Deno.test("a group and a key are made, the key is shown once with a line that works, and is revoked", async (t) => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page, context } = visit;
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  let value = "";
  let line = "";

  await t.step("a group is created by keyboard", async () => {
    await page.goto("/web");
    await inSidebar(page, "API Keys").click();
    await page.getByRole("link", { name: "Create group" }).press("Enter");
    await page.getByLabel("Name", { exact: true }).fill("Staging!");
    await page.getByLabel("Name", { exact: true }).press("Enter");
    assert.match(await page.getByRole("alert").textContent() ?? "", /Name must be lower-case letters/);
    await assertAccessible(page);
    await page.getByLabel("Name", { exact: true }).fill("staging");
    await page.getByLabel("Description").fill("Staging clients");
    await page.getByLabel("Name", { exact: true }).press("Enter");
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Group staging");
    assert.match(await text(page, "#notices"), /Created the group "staging"/);
  });
  const { body: { groups } } = await server.api("GET", "/api/key-groups");
  const groupId = groups.find(({ name }: { name: string }) => name === "staging").id;
  const functionId = await deploy(server, "hello", HELLO, { keys: [groupId], route: "/hello/:name" });

  await t.step("a key in it has a random value, shown with a button that copies it", async () => {
    await page.getByRole("link", { name: "Create key" }).click();
    assert.equal(await page.getByLabel("Group", { exact: true }).inputValue(), String(groupId));
    assert.ok(!await page.getByLabel("Name of the new group").isVisible());
    await page.getByLabel("Name", { exact: true }).fill("build-server");
    await page.getByRole("button", { name: "Create" }).click();
    assert.match(await text(page, "#notices"), /Created the key "build-server"/);
    value = await text(page, "#key-value");
    assert.match(value, /^cf_[A-Za-z0-9_-]{43}$/);
    await page.getByRole("button", { name: "Copy the value" }).click();
    await page.locator("#notices").getByText("Copied.").waitFor();
    assert.equal(await page.evaluate("navigator.clipboard.readText()"), value);
    await assertGoodEverywhere(page);
  });

  await t.step("its curl line calls the function", async () => {
    line = await text(page, "#curl-line");
    assert.equal(await shell(line), "hello name from staging");
  });

  await t.step("no later page holds the value, and its use is told", async () => {
    const { body: { keys } } = await server.api("GET", `/api/keys?groupId=${groupId}`);
    const id = keys[0].id;
    await page.getByRole("button", { name: "Done" }).click();
    for (
      const path of ["/web", "/web/keys", `/web/keys/groups/${groupId}`, `/web/keys/${id}`, `/web/keys/${id}/revoke`]
    ) {
      await page.goto(path);
      assert.ok(!(await page.content()).includes(value), path);
    }
    // Uses are written within a second.
    await page.goto("/web/keys");
    const row = page.getByRole("row", { name: /build-server/ });
    while (!(await row.textContent() ?? "").includes("just now")) await page.reload();
    assert.ok((await row.textContent() ?? "").includes(`…${value.slice(-4)}`));
  });

  await t.step("a key's name and description can be changed", async () => {
    await page.getByRole("link", { name: "build-server", exact: true }).click();
    await page.getByLabel("Name", { exact: true }).fill("ci");
    await page.getByLabel("Description").fill("The build server");
    await page.getByRole("button", { name: "Save" }).click();
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "API key ci");
    assert.equal(await shell(line), "hello name from staging");
    const add = page.getByRole("link", { name: "Add secret" });
    assert.match(await add.getAttribute("href") ?? "", /^\/web\/secrets\/new\?scope=key&keyId=\d+$/);
  });

  await t.step("a roll gives it another value, and the one before works until it is revoked", async () => {
    await page.getByRole("link", { name: "Roll", exact: true }).press("Enter");
    await assertGoodEverywhere(page);
    assert.ok(await page.getByLabel("Accept it for 24 hours").isChecked());
    await page.getByLabel("Accept it for 7 days").check();
    await page.getByRole("button", { name: "Roll key" }).click();
    assert.match(await text(page, "#notices"), /Rolled the key "ci"/);
    assert.match(await text(page, "main"), new RegExp(`which ends with …${value.slice(-4)}, is accepted until`));
    const before = line;
    line = await text(page, "#curl-line");
    assert.notEqual(line, before);
    for (const one of [before, line]) assert.equal(await shell(one), "hello name from staging");
    await assertGoodEverywhere(page);
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByText("Two values are accepted").waitFor();
    assert.ok(!(await page.content()).includes(value));
    await page.getByRole("link", { name: "Roll", exact: true }).click();
    await page.getByText("Its last roll is not over").waitFor();
    assert.deepEqual(await page.getByRole("radio").count(), 1);
    await page.getByRole("link", { name: "End that value" }).click();
    await assertGoodEverywhere(page);
    await page.getByRole("button", { name: "Revoke previous value" }).click();
    assert.match(await text(page, "#notices"), /Revoked the previous value of "ci"/);
    assert.equal(await page.getByText("Two values are accepted").count(), 0);
    assert.match(await shell(before), /Unauthorized/);
    assert.equal(await shell(line), "hello name from staging");
  });

  await t.step("revoking names the secrets that go with it, and the line stops working", async () => {
    const { body: { keys } } = await server.api("GET", `/api/keys?groupId=${groupId}`);
    await createSecret(server, "TENANT_ID", "tenant-value-1", { scope: "key", keyId: keys[0].id });
    await page.getByRole("link", { name: "Revoke", exact: true }).press("Enter");
    assert.match(await text(page, "main"), /Its secret is deleted with it.*TENANT_ID/s);
    assert.ok(!(await page.content()).includes("tenant-value-1"));
    assert.equal(await page.getByText("This is the last key").count(), 0);
    await page.getByRole("button", { name: "Revoke key" }).click();
    assert.match(await text(page, "#notices"), /Revoked the key "ci" and deleted its 1 secret/);
    assert.match(await shell(line), /Unauthorized/);
  });

  await t.step("a group stays while functions require it, with the reason, and goes when none does", async () => {
    await page.getByRole("link", { name: "Delete this group" }).click();
    assert.match(await page.getByRole("alert").textContent() ?? "", /is required by "hello"/);
    assert.equal(await page.getByRole("button", { name: "Delete group" }).count(), 0);
    await assertAccessible(page);
    assert.equal((await server.api("PUT", `/api/functions/${functionId}`, { keys: [] })).status, 200);
    await createSecret(server, "REGION", "region-value", { scope: "group", groupId });
    await page.reload();
    assert.match(await text(page, "main"), /REGION/);
    await page.getByRole("button", { name: "Delete group" }).click();
    assert.match(await text(page, "#notices"), /Deleted the group "staging" and its 1 secret/);
  });
});

Deno.test("a key can be made with its group, with a chosen value, and for a function", async (t) => {
  await using server = await startApp();
  const functionId = await deploy(server, "hello", HELLO, { route: "/hello/:name" });
  await using visit = await signIn(server);
  const { page } = visit;
  // Everything that a shell could stumble over.
  const value = `it's-"16"-$HOME-\`id\`-\\n`;

  await t.step("what is wrong is told at its field and what was typed is kept", async () => {
    await page.goto(`/web/keys/new?functionId=${functionId}`);
    assert.equal(await page.getByLabel("Group", { exact: true }).inputValue(), "new");
    assert.equal(await page.getByLabel("Name of the new group").inputValue(), "callers");
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "first-caller");
    await page.getByLabel("Name of the new group").fill("management");
    await page.getByLabel("Name", { exact: true }).fill("acme");
    await page.getByLabel("Value").fill("too short");
    await page.getByRole("button", { name: "Create" }).click();
    assert.match(await page.getByRole("alert").textContent() ?? "", /Value must have at least 16 characters/);
    await page.getByLabel("Value").fill(value);
    await page.getByRole("button", { name: "Create" }).click();
    assert.match(await page.getByRole("alert").textContent() ?? "", /Name of the new group is taken/);
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "acme");
    await assertAccessible(page);
  });

  await t.step("then all of it is made, and the function requires the key from now on", async () => {
    await page.getByLabel("Name of the new group").fill("customers");
    assert.ok(!await page.getByLabel(/to call hello/).isChecked(), "a public function stays public unless asked");
    await page.getByLabel(/to call hello/).check();
    await page.getByRole("button", { name: "Create" }).click();
    assert.equal(await text(page, "#key-value"), value);
    assert.equal(await shell(await text(page, "#curl-line")), "hello name from customers");
    assert.match(await shell(`curl ${server.url}/run/hello/x`), /Unauthorized/);
  });

  await t.step("a reload creates no second key, and shows the value again", async () => {
    const answer = await page.reload();
    assert.equal(answer?.status(), 200);
    assert.equal(await text(page, "#key-value"), value);
    await page.getByRole("button", { name: "Done" }).click();
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Group customers");
  });

  await t.step("a key of management comes with a line for the API, and it is not the last one", async () => {
    await page.goto("/web/keys/new");
    await page.getByLabel("Group", { exact: true }).selectOption({ label: "management (manages this server)" });
    await page.getByLabel("Name", { exact: true }).fill("script");
    await page.getByRole("button", { name: "Create" }).click();
    const { functions } = JSON.parse(await shell(await text(page, "#curl-line")));
    assert.deepEqual(functions.map(({ name }: { name: string }) => name), ["hello"]);
  });
});

Deno.test("the last key that can use the API is not revoked without a warning, and its group is not deleted", async () => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;
  const { body: { keys: [bootstrap] } } = await server.api("GET", "/api/keys");
  await page.goto(`/web/keys/${bootstrap.id}/revoke`);
  assert.match(await page.getByRole("alert").textContent() ?? "", /last key that can use the API/);
  await page.getByRole("link", { name: "Keep it" }).click();
  await page.goto(`/web/keys/groups/${bootstrap.groupId}`);
  assert.equal(await page.getByLabel("Name", { exact: true }).getAttribute("readonly"), "");
  assert.equal(await page.getByRole("link", { name: "Delete this group" }).count(), 0);
});

Deno.test("many keys are paged and found, or none, on pages that fit and are accessible", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "customers");
  await createGroup(server, "nobody-yet");
  for (let n = 1; n <= 53; n++) await createKey(server, groupId, `customer-${n}`);
  await using visit = await signIn(server);
  const { page } = visit;
  for (const path of [`/groups/${groupId}`, "?q=zzz", ""]) {
    await page.goto(`/web/keys${path}`);
    await assertGoodEverywhere(page);
  }
  await page.getByLabel("Find keys by name or description").fill("MER-53");
  await page.getByRole("button", { name: "Find" }).click();
  assert.equal(await page.getByRole("row").count(), 2);
  await page.getByRole("link", { name: "All keys", exact: true }).click();
  await page.getByRole("row").nth(1).getByText("customer-53").waitFor();
  await assertGoodEverywhere(page);
  // With the first key of the server, and each with its group.
  await page.locator(".pager a").click();
  assert.equal(await page.getByRole("row").count(), 5);
  await page.getByRole("row", { name: /bootstrap/ }).getByText("management").waitFor();
  await page.goto("/web/keys");
  await page.getByRole("link", { name: "All 53 keys of customers" }).click();
  await page.locator(".pager a").click();
  assert.equal(await page.getByRole("row").count(), 4);
});

Deno.test("keys of a group that are selected are revoked together", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "customers");
  for (const name of ["one", "two", "three"]) await createKey(server, groupId, name);
  await using visit = await signIn(server);
  const { page } = visit;
  await page.goto("/web/keys");
  const revoke = page.getByRole("region", { name: "Keys of customers" }).locator("..").getByText("Revoke the selected");
  assert.ok(!await revoke.isVisible());
  await page.getByLabel("Select one").check();
  await page.getByLabel("Select three").check();
  await revoke.press("Enter");
  await page.getByRole("heading", { name: "Revoke the selected keys?" }).waitFor();
  await assertGoodEverywhere(page);
  await page.getByRole("button", { name: "Revoke the checked keys" }).click();
  assert.match(await text(page, "#notices"), /Revoked 2 keys\./);
  const { body: { keys } } = await server.api("GET", `/api/keys?groupId=${groupId}`);
  assert.deepEqual(keys.map(({ name }: { name: string }) => name), ["two"]);
});
