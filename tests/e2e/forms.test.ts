// What all forms have in common, in the browser: one is sent once, what it shows survives a reload, and nobody's
// change is lost without a word.

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import { totpCode, totpStep } from "../../src/keyring/totp.ts";
import { createGroup, createKey, createSecret, deploy } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "../http/server.ts";
import { ADMIN, assertGoodEverywhere, closeBrowser, openBrowser, signIn } from "./browser.ts";

const HELLO = "export default (c) => c.text('hello');";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** RFC 4648, section 6, without padding. */
function fromBase32(text: string): Uint8Array {
  const bits = [...text].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join(
    "",
  );
  return Uint8Array.from(bits.match(/.{8}/g)!, (byte) => parseInt(byte, 2));
}

/** Holds each form back for a while, as a slow network does; how many were sent. */
async function slowForms(page: Page): Promise<() => number> {
  let sent = 0;
  await page.route("**/*", async (route) => {
    // Not what a page sends by itself, such as the editor's check of types.
    if (route.request().method() === "POST" && route.request().isNavigationRequest()) {
      sent++;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await route.continue();
  });
  return () => sent;
}

async function keyNames(server: Server): Promise<string[]> {
  const { body } = await server.api("GET", "/api/keys");
  return body.keys.map(({ name }: { name: string }) => name);
}

Deno.test("a double click sends a form once, and shows what the first click made", async (t) => {
  await using server = await startApp();
  await createGroup(server, "staging");
  for (const javaScript of [true, false]) {
    await t.step(
      javaScript ? "with scripts" : "without scripts, the server answers the copy as the first",
      async () => {
        await using visit = await signIn(server, { javaScript });
        const { page } = visit;
        const sent = await slowForms(page);
        const mark = javaScript ? "js" : "plain";

        await page.goto("/web/keys/new");
        await page.getByLabel("Name", { exact: true }).fill(`key-${mark}`);
        await page.getByRole("button", { name: "Create" }).dblclick();
        await page.locator("#key-value").waitFor();
        assert.deepEqual((await keyNames(server)).filter((name) => name === `key-${mark}`).length, 1);

        await page.goto("/web/users/new");
        await page.getByLabel("Name").fill("Bob");
        await page.getByLabel("E-mail").fill(`bob-${mark}@example.com`);
        await page.getByRole("button", { name: "Invite" }).dblclick();
        await page.locator("#link").waitFor();

        await page.goto("/web/functions/new");
        await page.getByLabel("Name", { exact: true }).fill(`f-${mark}`);
        await page.getByRole("button", { name: "Create" }).dblclick();
        await page.getByRole("heading", { level: 1, name: `f-${mark}` }).waitFor();

        await page.goto("/web/secrets/new");
        await page.getByLabel("Name", { exact: true }).fill(`S_${mark}`);
        await page.getByLabel("Value").fill("value");
        await page.getByRole("button", { name: "Create" }).dblclick();
        await page.locator("#notices").getByText(`Created`).waitFor();

        if (javaScript) assert.equal(sent(), 4, "no copy was even sent");
      },
    );
  }
});

Deno.test("a key, a link and recovery codes survive reload and Back, until they are confirmed", async (t) => {
  await using server = await startApp();
  await createGroup(server, "staging");
  await using visit = await signIn(server);
  await using other = await signIn(server);
  const { page } = visit;

  const assertShownUntilConfirmed = async (selector: string, button: string, heading: RegExp) => {
    const value = await page.locator(selector).textContent();
    const address = page.url();
    await page.reload();
    assert.equal(await page.locator(selector).textContent(), value, "after a reload");
    await page.goBack();
    await page.goForward();
    assert.equal(await page.locator(selector).textContent(), value, "after Back and Forward");
    await assertGoodEverywhere(page);
    // Another session of the same admin: the address is no key to it.
    const elsewhere = await other.page.goto(address);
    assert.equal(elsewhere!.status(), 410);
    assert.ok(!(await other.page.content()).includes(value!));
    await page.getByRole("button", { name: button }).click();
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    const gone = await page.goto(address);
    assert.equal(gone!.status(), 410);
    assert.match(await page.locator("main").textContent() ?? "", /no longer shown/);
    await assertGoodEverywhere(page);
    return value!;
  };

  await t.step("the value of a key", async () => {
    await page.goto("/web/keys/new");
    await page.getByLabel("Name", { exact: true }).fill("acme");
    await page.getByRole("button", { name: "Create" }).click();
    const value = await assertShownUntilConfirmed("#key-value", "Done", /Group staging/);
    for (const { name } of Deno.readDirSync(server.dataDir)) {
      const bytes = new TextDecoder("latin1").decode(Deno.readFileSync(`${server.dataDir}/${name}`));
      assert.ok(!bytes.includes(value), `${name} holds the value`);
    }
    assert.ok(!server.logs().includes(value));
  });

  await t.step("the link of an invitation, and of a reset", async () => {
    await page.goto("/web/users/new");
    await page.getByLabel("Name").fill("Bob");
    await page.getByLabel("E-mail").fill("bob@example.com");
    await page.getByRole("button", { name: "Invite" }).click();
    await assertShownUntilConfirmed("#link", "Done", /Users/);
    await page.goto("/web/users");
    await page.getByRole("link", { name: "Bob" }).click();
    await page.getByRole("heading", { name: "New invitation" }).waitFor();
    await page.getByRole("button", { name: "Create a link" }).click();
    assert.doesNotMatch(await page.locator("main").textContent() ?? "", /the old one/, "there is no old password");
    await assertShownUntilConfirmed("#link", "Done", /Users/);
  });

  await t.step("recovery codes", async () => {
    await page.goto("/web/account/second-factor");
    const secret = fromBase32((await page.locator("#key").textContent())!.replaceAll(/\s/g, ""));
    await page.getByLabel("Code", { exact: true }).fill(totpCode(secret, totpStep(Date.now())));
    await page.getByLabel("Password").fill(ADMIN.password);
    await page.getByRole("button", { name: "Switch on" }).click();
    await assertShownUntilConfirmed("#recovery-codes", "I have saved them", /Your account/);
  });
});

Deno.test("two tabs edit one thing: the second is shown both versions, and decides", async (t) => {
  await using server = await startApp();
  const groupId = await createGroup(server, "staging");
  const { id: keyId } = await createKey(server, groupId, "acme");
  const secretId = await createSecret(server, "DB", "value-one");
  const functionId = await deploy(server, "hello", HELLO);
  await using visit = await signIn(server);
  const { page: mine, context } = visit;
  const theirs = await context.newPage();

  /** Both open the form; they save first, then we do, and save again. */
  const edit = async (
    { path, label, stored, typed }: { path: string; label: string; stored: string; typed: string },
    assertStored: (value: string) => Promise<void>,
  ) => {
    for (const page of [mine, theirs]) await page.goto(path);
    await theirs.getByLabel(label, { exact: true }).fill(stored);
    await theirs.getByRole("button", { name: "Save", exact: true }).last().click();
    await theirs.locator("#notices .notice").waitFor();
    await assertStored(stored);

    await mine.getByLabel(label, { exact: true }).fill(typed);
    const [refused] = await Promise.all([
      mine.waitForResponse((response) => response.request().method() === "POST"),
      mine.getByRole("button", { name: "Save", exact: true }).last().click(),
    ]);
    assert.equal(refused.status(), 412);
    const conflict = mine.getByRole("alert");
    assert.match(await conflict.textContent() ?? "", /Another user changed this while you edited it/);
    const row = await conflict.getByRole("row").filter({ hasText: stored }).textContent() ?? "";
    assert.ok(row.includes(stored) && row.includes(typed), row);
    assert.equal(await mine.getByLabel(label, { exact: true }).inputValue(), typed, "what was typed is still there");
    await assertStored(stored);
    await assertGoodEverywhere(mine);
    await mine.getByRole("button", { name: "Save", exact: true }).last().click();
    await mine.locator("#notices .notice").waitFor();
    await assertStored(typed);
  };

  await t.step("a secret, without showing a value", async () => {
    const path = `/web/secrets/${secretId}/edit`;
    await edit({ path, label: "Comment", stored: "their note", typed: "my note" }, async (comment) => {
      assert.equal((await server.api("GET", `/api/secrets/${secretId}`)).body.comment, comment);
    });
    await mine.goto(path);
    await server.api("PUT", `/api/secrets/${secretId}`, { value: "their-value" });
    await mine.getByLabel("Value").fill("my-value");
    await mine.getByRole("button", { name: "Save" }).click();
    assert.match(await mine.getByRole("alert").textContent() ?? "", /Value.*hidden.*the value in the form/s);
    assert.ok(!(await mine.content()).includes("their-value"));
    const { body } = await server.api("GET", `/api/secrets/${secretId}?includeValues=true`);
    assert.equal(body.value, "their-value");
  });

  await t.step("a function", async () => {
    const path = `/web/functions/${functionId}/settings`;
    await edit({ path, label: "Description", stored: "their text", typed: "my text" }, async (description) => {
      const { body } = await server.api("GET", `/api/functions/${functionId}`);
      assert.equal(body.function.description, description);
    });
  });

  await t.step("a key and a group", async () => {
    for (
      const [path, api, name] of [
        [`/web/keys/${keyId}`, `/api/keys/${keyId}`, "key"],
        [`/web/keys/groups/${groupId}`, `/api/key-groups/${groupId}`, "group"],
      ] as const
    ) {
      await edit({ path, label: "Description", stored: "their text", typed: "my text" }, async (description) => {
        assert.equal((await server.api("GET", api)).body[name].description, description);
      });
    }
  });

  await t.step("settings", async () => {
    const name = "sandbox.timeout-ms";
    await edit({ path: "/web/settings", label: name, stored: "12345", typed: "23456" }, async (value) => {
      const { body } = await server.api("GET", "/api/settings");
      const found = body.settings.find((setting: { name: string }) => setting.name === name);
      assert.equal(String(found.value), value);
    });
  });

  await t.step("what was changed since its page was opened is not deleted", async () => {
    for (
      const [path, change, button] of [
        [`/web/secrets/${secretId}/delete`, `/api/secrets/${secretId}`, "Delete DB"],
        [`/web/functions/${functionId}/delete`, `/api/functions/${functionId}`, "Delete hello"],
      ] as const
    ) {
      await mine.goto(path);
      assert.equal((await server.api("PUT", change, { name: button.slice(7) + "2" })).status, 200);
      await mine.getByRole("button", { name: button }).click();
      assert.match(await mine.getByRole("alert").textContent() ?? "", /Nothing was deleted/);
      assert.equal((await server.api("GET", change)).status, 200);
      await mine.getByRole("button", { name: `${button}2` }).click();
      await mine.locator("#notices .notice").waitFor();
      assert.equal((await server.api("GET", change)).status, 404);
    }
  });
});
