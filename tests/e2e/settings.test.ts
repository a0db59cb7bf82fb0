// Settings and encryption in the browser: changing, resetting, refusing, and rotating with a bar that moves.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fill, withFolder } from "../http/filled.ts";
import { set } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "../http/server.ts";
import {
  assertAccessible,
  assertGoodEverywhere,
  closeBrowser,
  inSidebar,
  openBrowser,
  signIn,
  type Visit,
} from "./browser.ts";

const INTERVAL = "encryption.key-rotation.interval-days";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

/** What the API says that a setting's value is. */
async function valueOf(server: Server, name: string): Promise<unknown> {
  const { body } = await server.api("GET", "/api/settings");
  return body.settings.find((setting: { name: string }) => setting.name === name).value;
}

async function save({ page }: Visit): Promise<void> {
  await page.getByRole("button", { name: "Save" }).click();
}

Deno.test("settings are changed, refused and reset as the guide and the table say", async (t) => {
  await using server = await startApp();
  await using visit = await signIn(server);
  const { page } = visit;

  await t.step("the guide's path: Settings > Encryption, and the interval", async () => {
    await page.goto("/web");
    await inSidebar(page, "Settings").click();
    await page.getByRole("link", { name: "Encryption", exact: true }).click();
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Encryption");
    const field = page.getByLabel(INTERVAL);
    assert.equal(await field.inputValue(), "90");
    await field.fill("30");
    await save(visit);
    assert.match(await page.getByRole("status").textContent() ?? "", new RegExp(`Saved ${INTERVAL}`));
    assert.equal(await valueOf(server, INTERVAL), 30);
    assert.equal(await page.getByText("every 30 days").count(), 1);
  });

  await t.step("a changed setting is marked and is reset to its default with a press of a button", async () => {
    assert.equal(await page.getByText("changed", { exact: true }).count(), 1);
    await assertGoodEverywhere(page);
    await page.getByRole("button", { name: `Reset to default: ${INTERVAL}` }).click();
    assert.match(await page.getByRole("status").textContent() ?? "", /reset to its default/);
    assert.equal(await page.getByLabel(INTERVAL).inputValue(), "90");
    assert.equal(await page.getByText("changed", { exact: true }).count(), 0);
    assert.equal(await valueOf(server, INTERVAL), 90);
  });

  await t.step("with a bad value nothing is stored, the field is named, and what was typed is kept", async () => {
    await inSidebar(page, "Settings").click();
    await page.getByRole("link", { name: "Sandbox", exact: true }).click();
    assert.equal(await page.getByLabel("Time limit of a call").inputValue(), "30 s");
    await page.getByLabel("sandbox.timeout-ms").fill("5000");
    await page.getByLabel("sandbox.max-calls").fill("many");
    await page.getByLabel("sandbox.net.deny").fill("10.0.0.0/8\nnot a host!");
    // Enter saves; it does not press a reset button.
    await page.getByLabel("sandbox.timeout-ms").press("Enter");
    const alert = page.getByRole("alert");
    assert.match(await alert.textContent() ?? "", /2 problems.*sandbox\.net\.deny.*sandbox\.max-calls.*1 to 100000/s);
    assert.equal(await page.evaluate("document.activeElement.getAttribute('role')"), "alert");
    assert.equal(await page.getByLabel("sandbox.max-calls").inputValue(), "many");
    assert.equal(await page.getByLabel("sandbox.timeout-ms").inputValue(), "5000");
    assert.equal(await page.getByLabel("sandbox.max-calls").getAttribute("aria-invalid"), "true");
    assert.equal(await valueOf(server, "sandbox.timeout-ms"), 30_000);
    await assertAccessible(page);
  });

  await t.step("fixed, all of it is stored; a list has an entry a line", async () => {
    await page.getByLabel("sandbox.max-calls").fill("50");
    await page.getByLabel("sandbox.net.deny").fill("10.0.0.0/8\n\ndb.internal");
    await save(visit);
    assert.equal(await valueOf(server, "sandbox.timeout-ms"), 5_000);
    assert.deepEqual(await valueOf(server, "sandbox.net.deny"), ["10.0.0.0/8", "db.internal"]);
  });

  await t.step("resetting one keeps what was typed of the others, unsaved", async () => {
    await page.getByLabel("sandbox.max-processes", { exact: true }).fill("7");
    await page.getByRole("button", {
      name: "Reset to default: sandbox.net.deny",
    }).click();
    assert.match(await page.getByRole("status").textContent() ?? "", /not saved yet/);
    assert.equal(await page.getByLabel("sandbox.max-processes", { exact: true }).inputValue(), "7");
    assert.deepEqual(await valueOf(server, "sandbox.net.deny"), []);
    assert.equal(await valueOf(server, "sandbox.max-processes"), 64);
  });

  await t.step("a time is typed in any unit, and its range is named in those that people use", async () => {
    await page.goto("/web/settings");
    const field = page.getByLabel("log.trimming.retention-seconds");
    assert.equal(await field.inputValue(), "90 days");
    await field.fill("2 parsecs");
    await save(visit);
    assert.match(await page.getByRole("alert").textContent() ?? "", /must be 1 min to 3,650 days/);
    await page.getByLabel("log.trimming.retention-seconds").fill("48 h");
    await save(visit);
    assert.equal(await valueOf(server, "log.trimming.retention-seconds"), 172_800);
    assert.equal(await page.getByLabel("log.trimming.retention-seconds").inputValue(), "2 days");
  });

  await t.step("the groups that may use the API are check boxes, of which one stays checked", async () => {
    await server.api("POST", "/api/key-groups", { name: "operations" });
    await page.goto("/web/settings");
    await page.getByRole("checkbox", { name: "operations" }).check();
    await page.getByRole("checkbox", { name: "management" }).uncheck();
    await page.getByRole("checkbox", { name: "operations" }).uncheck();
    await save(visit);
    assert.match(await page.getByRole("alert").textContent() ?? "", /at least one group/);
    await page.getByRole("checkbox", { name: "operations" }).check();
    await page.getByRole("checkbox", { name: "management" }).check();
    await save(visit);
    assert.deepEqual(await valueOf(server, "api.access-groups"), ["management", "operations"]);
  });

  await t.step("a bar appears when something is not saved, and says of how much; Discard takes it back", async () => {
    const bar = page.getByRole("button", { name: "Save" });
    assert.equal(await bar.isVisible(), false);
    await page.getByLabel("sandbox.memory-mb").fill("256");
    await page.getByLabel("log.level").selectOption("warn");
    await page.getByText("2 settings not saved").waitFor();
    assert.ok(await bar.isVisible());
    await page.getByRole("button", { name: "Discard" }).click();
    await bar.waitFor({ state: "hidden" });
    assert.equal(await page.getByLabel("sandbox.memory-mb").inputValue(), "128");
  });

  await t.step("words in names, raw names and meanings filter the settings, folded ones as well", async () => {
    const shown = () => page.locator(".setting:visible code").allTextContents();
    await page.keyboard.press("/");
    await page.keyboard.type("killed delay");
    assert.deepEqual(await shown(), ["log.batching.max-delay-ms"]);
    await assertGoodEverywhere(page);
    await page.getByLabel("Filter the settings").fill("sandbox.");
    await page.getByLabel("Changed only").check();
    assert.deepEqual(await shown(), ["sandbox.timeout-ms", "sandbox.max-calls"]);
    await page.getByLabel("Filter the settings").fill("no such setting");
    await page.getByText("No setting fits.").waitFor();
  });

  await t.step("what few people change is folded, and opens for a link to it and for a change", async () => {
    await page.goto("/web/settings");
    const advanced = page.getByRole("textbox", { name: "log.batching.max-delay-ms" });
    assert.ok(!await advanced.isVisible());
    await page.goto("/web/settings#log.batching.max-delay-ms");
    await advanced.waitFor();
    await advanced.fill("1 s");
    await save(visit);
    await page.goto("/web/settings");
    assert.equal(await advanced.inputValue(), "1 s");
    assert.ok(await advanced.isVisible());
    await assertGoodEverywhere(page);
  });
});

Deno.test("Rotate now shows a bar that moves and what was done, and the other keys", () =>
  withFolder(async (folder) => {
    fill(folder, 6_000);
    await using server = await startApp({ folder });
    await set(server, { "encryption.key-rotation.batch-size": 100, "encryption.key-rotation.batch-sleep-ms": 40 });
    await using visit = await signIn(server);
    const { page } = visit;
    await page.goto("/web/settings/encryption");
    await page.getByLabel(INTERVAL).fill("45");
    await page.getByLabel(INTERVAL).fill("90");
    await page.getByRole("button", { name: "Rotate now" }).focus();
    await page.keyboard.press("Enter");

    const bar = page.getByRole("progressbar", { name: "Rotating the encryption keys" });
    await bar.waitFor();
    // What is typed while the bar moves is not taken away.
    await page.getByLabel(INTERVAL).fill("60");
    const seen = await page.evaluate(`new Promise((resolve) => {
      const seen = new Set();
      const look = () => {
        const bar = document.querySelector("progress");
        if (!bar) return resolve([...seen]);
        if (bar.hasAttribute("value")) seen.add(bar.value);
      };
      new MutationObserver(look).observe(document.getElementById("main"), { subtree: true, childList: true });
      look();
    })`) as number[];
    assert.ok(seen.length >= 3, `the bar stood at ${seen}`);
    assert.deepEqual(seen, seen.toSorted((a, b) => a - b));

    await page.locator("#notices").getByText("Key rotation finished: version 2.").waitFor();
    const outcome = page.getByRole("region", { name: "Rotation" });
    assert.match(await outcome.textContent() ?? "", /rotated to version 2: 6,001 values encrypted again/);
    assert.equal(await page.getByLabel(INTERVAL).inputValue(), "60");
    assert.deepEqual(await page.locator("#encryption-state dd").first().textContent(), "2");
    assert.equal(await page.getByRole("region", { name: "Old keys" }).getByRole("row").count(), 2);
    assert.ok(await page.getByRole("button", { name: "Rotate now" }).isVisible());
    await assertAccessible(page);
  }));

Deno.test("a rotation that runs already is shown, and asking for another says so", () =>
  withFolder(async (folder) => {
    fill(folder, 2_000);
    await using server = await startApp({ folder });
    await set(server, { "encryption.key-rotation.batch-size": 1, "encryption.key-rotation.batch-sleep-ms": 50 });
    await using visit = await signIn(server);
    const { page } = visit;
    await page.goto("/web/settings/encryption");
    const button = page.getByRole("button", { name: "Rotate now" });
    await button.waitFor();
    // Somebody else begins one meanwhile; it has far to go, and its request ends with the server.
    const other = server.api("POST", "/api/encryption-keys/rotation").catch(() => {});
    while (!(await server.api("GET", "/api/encryption-keys/rotation")).body.isInProgress);
    await button.click();
    assert.match(await page.locator("#notices").textContent() ?? "", /already running/);
    await page.getByRole("progressbar").waitFor();
    await assertGoodEverywhere(page);
    await page.goto("about:blank");
    await server.stop();
    await other;
  }));

Deno.test("a rotation that fails and a key version that is missing are told with what to do", () =>
  withFolder(async (folder) => {
    fill(folder, 3);
    const db = new DatabaseSync(join(folder, "data", "database.db"));
    db.prepare("UPDATE secrets SET ciphertext = ? WHERE id = 2").run(`v7.${"A".repeat(80)}`);
    db.close();
    await using server = await startApp({ folder });
    await using visit = await signIn(server);
    const { page } = visit;
    await page.goto("/web/settings/encryption");
    assert.match(
      // The row was changed behind the server's back, which has a notice of its own.
      await page.getByRole("alert").filter({ hasText: "Encryption key" }).textContent() ?? "",
      /version 7 is not in the key file, but 1 value needs it.*restore the entry of that version/s,
    );
    // A folder in the draft's place stands for a disk that takes no new file.
    const draft = join(server.dataDir, "encryption-keys.json.draft");
    Deno.mkdirSync(join(draft, "in the way"), { recursive: true });
    const rotate = page.getByRole("button", { name: "Rotate now" });
    await rotate.click();
    const rotation = page.getByRole("region", { name: "Rotation" });
    await rotation.getByText("The last key rotation failed.").waitFor();
    assert.match(await rotation.textContent() ?? "", /Every value can still be read.*Rotate now/s);
    await assertAccessible(page);
    Deno.removeSync(draft, { recursive: true });
    await rotate.click();
    await rotation.getByText(/1 values? could not be read/).waitFor();
    assert.match(await rotation.textContent() ?? "", /Restore the missing key version/);
    await assertAccessible(page);
  }));
