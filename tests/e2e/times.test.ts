// Times in one zone on all pages, and names that are longer than their place.

import assert from "node:assert/strict";
import { deploy, run, save } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { assertFits, assertGoodEverywhere, closeBrowser, openAccountMenu, openBrowser, signIn } from "./browser.ts";

Deno.test.beforeAll(openBrowser);
Deno.test.afterAll(closeBrowser);

Deno.test("logs, audit and metrics show times in the reader's zone, or all in UTC", async () => {
  await using server = await startApp();
  await deploy(server, "hello", "export default (c) => { console.log('printed'); return c.text('hello'); };");
  await run(server, "/hello");
  await using visit = await signIn(server, { timeZone: "Asia/Tokyo" });
  const { page } = visit;

  /** Hours between what a page shows and UTC, by the first time on it. */
  const offsetOn = async (path: string): Promise<number> => {
    await page.goto(path);
    const time = page.locator("main time[datetime]:not([data-relative], [data-form]:not([data-form=precise]))").first();
    const shown = (await time.textContent())!;
    const [, hour] = /(\d\d):\d\d/.exec(shown)!;
    const utc = new Date((await time.getAttribute("datetime"))!).getUTCHours();
    assert.equal(/ UTC$/.test(shown), Number(hour) === utc, shown);
    return (Number(hour) - utc + 24) % 24;
  };

  const paths = ["/web/logs", "/web/audit", "/web/users/1"];
  for (const path of paths) assert.equal(await offsetOn(path), 9, path);
  await page.goto("/web/logs");
  // One that comes while the page is open is shown as the others.
  await run(server, "/hello");
  await page.locator("#entries > li").nth(1).waitFor();
  const hours = await page.locator("#entries time").evaluateAll((times: { textContent: string }[]) =>
    times.map(({ textContent }) => textContent.slice(0, 13))
  );
  assert.equal(new Set(hours.map((hour) => hour.slice(0, 10))).size, 1, hours.join());
  await assertGoodEverywhere(page);

  const choose = async (name: string, zone: string | undefined) => {
    await openAccountMenu(page);
    const stored = page.waitForResponse("**/web/look");
    await page.getByRole("group", { name: "Zone" }).getByRole("button", { name, exact: true }).click();
    await stored;
    assert.equal(await page.evaluate("document.documentElement.dataset.zone"), zone);
  };
  await choose("UTC", "UTC");
  for (const path of paths) assert.equal(await offsetOn(path), 0, path);
  await page.goto("/web/metrics");
  await page.locator(".plot canvas").first().waitFor();
  await choose("Local", undefined);
  for (const path of paths) assert.equal(await offsetOn(path), 9, path);

  // The server sends what scripts would show, so that nothing moves when they run.
  await page.goto("/web/users/1");
  const times = `[...document.querySelectorAll("time:not([data-relative])")].map((time) => time.textContent)`;
  const sent = await page.evaluate(`fetch("").then((answer) => answer.text()).then((text) => {
    const document = new DOMParser().parseFromString(text, "text/html");
    return ${times};
  })`);
  assert.deepEqual(sent, await page.evaluate(times));
  assert.ok((sent as string[]).length > 0);
});

Deno.test("a long name leaves the files' sizes in sight, and the filters in their place", async () => {
  await using server = await startApp();
  const long = "a-name-without-end-".repeat(12);
  await save(server, `${long}.txt`, "text");
  await deploy(server, "x".repeat(100), "export default (c) => c.text('hello');", { route: "/x" });
  await using visit = await signIn(server);
  const { page } = visit;
  const width = 1280;

  await page.goto("/web/files");
  const link = page.getByRole("rowheader").getByRole("link", { name: `${long}.txt` });
  assert.equal(await link.getAttribute("title"), `${long}.txt`);
  assert.ok(
    await link.evaluate((element: { scrollWidth: number; clientWidth: number }) =>
      element.scrollWidth > element.clientWidth
    ),
    "cut off with an ellipsis",
  );
  const size = (await page.getByText("4 bytes").boundingBox())!;
  assert.ok(size.x + size.width <= width, "the size is in sight");
  await assertGoodEverywhere(page);

  for (const path of ["/web/metrics", "/web/logs"]) {
    await page.goto(path);
    for (const select of await page.locator("main select").all()) {
      const box = (await select.boundingBox())!;
      assert.ok(box.x + box.width <= width && box.width <= 700, `${path}: ${JSON.stringify(box)}`);
    }
    await page.setViewportSize({ width: 360, height: 640 });
    await assertFits(page);
    await page.setViewportSize({ width, height: 900 });
  }
});
