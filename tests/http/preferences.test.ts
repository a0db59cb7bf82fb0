// What users choose about the look of the pages follows them to other browsers, without scripts.

import assert from "node:assert/strict";
import { setUp, Visitor } from "./admin.ts";
import { startApp } from "./app.ts";
import { deploy, run } from "./handlers.ts";

const CHOSEN = { theme: "dark", density: "comfortable", keys: "off", zone: "Asia/Tokyo" };

/** The attributes of the root element. */
function rootOf(text: string): string {
  return /<html([^>]*)>/.exec(text)![1]!;
}

Deno.test("what a user chooses is in effect in every browser, also before the next sign-in, and for no other user", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const saved = await admin.submit("/web/account/preferences", CHOSEN);
  assert.match(saved.text, /Your preferences were saved/);

  const phone = new Visitor(server.url);
  assert.doesNotMatch(rootOf((await phone.get("/web/sign-in")).text), /dark/);
  await phone.signIn();
  const { text } = await phone.get("/web/account");
  for (const attribute of ['theme="dark"', 'density="comfortable"', 'keys="off"', 'zone="Asia/Tokyo"']) {
    assert.ok(rootOf(text).includes(`data-${attribute}`), attribute);
  }
  assert.match(text, /<option value="Asia\/Tokyo" selected/);

  await phone.post("/web/look", { theme: "light", sidebar: "narrow" });
  assert.match(rootOf((await phone.get("/web")).text), /data-theme="light".*data-sidebar="narrow"/);
  const root = rootOf((await admin.get("/web")).text);
  assert.match(root, /data-theme="light" data-density="comfortable"/);
  assert.doesNotMatch(root, /narrow/, "the sidebar is the screen's");
  for (const path of ["/web/sign-in", "/api/docs"]) {
    const visitor = new Visitor(server.url, {}, admin.cookies);
    visitor.cookies.forEach((_, name) => /session/.test(name) && visitor.cookies.delete(name));
    assert.match(rootOf((await visitor.get(path)).text), /data-theme="light" data-density="comfortable"/, path);
  }
});

Deno.test("the system's theme, once chosen, counts more than what a browser had before", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const phone = new Visitor(server.url);
  await phone.signIn();
  await phone.post("/web/look", { theme: "dark" });
  await admin.post("/web/look", { theme: "system" });
  assert.doesNotMatch(rootOf((await phone.get("/web")).text), /data-theme/);
});

Deno.test("a browser that was used before the user chose anything keeps its look", async () => {
  await using server = await startApp();
  await setUp(server);
  const { port } = new URL(server.url);
  const visitor = new Visitor(
    server.url,
    {},
    new Map([[`crude_look_${port}`, "theme=dark&sidebar=narrow&zone=No/Where"]]),
  );
  assert.match(rootOf((await visitor.get("/web/sign-in")).text), /data-theme="dark" data-sidebar="narrow"/);
  await visitor.signIn();
  const root = rootOf((await visitor.get("/web")).text);
  assert.match(root, /data-theme="dark" data-sidebar="narrow"/);
  assert.doesNotMatch(root, /data-zone/);
});

Deno.test("pages come with the times of the zone that the user chose, or that the browser has told", async () => {
  await using server = await startApp();
  await deploy(server, "hello", "export default (c) => { console.log('printed'); return c.text('hello'); };");
  await run(server, "/hello");
  const admin = await setUp(server);
  /** Hours from UTC to the first exact time on a page. */
  const offsetOn = async (path: string, visitor: Visitor) => {
    const { text } = await visitor.get(path);
    const main = text.slice(text.indexOf("<main"));
    const [, iso, shown] = /<time datetime="([^"]+)"(?:(?!data-relative|data-form="[dms])[^>])*>([^<]*\d\d:\d\d[^<]*)</
      .exec(main)!;
    const hours = Number(/(\d\d):\d\d/.exec(shown!)![1]) - new Date(iso!).getUTCHours();
    assert.equal(/ UTC$/.test(shown!), hours === 0, shown);
    return (hours + 24) % 24;
  };
  for (const path of ["/web/logs", "/web/audit", "/web/users/1"]) {
    assert.equal(await offsetOn(path, admin), 0, path);
    await admin.post("/web/look", { browserZone: "Asia/Tokyo" });
    assert.equal(await offsetOn(path, admin), 9, path);
    await admin.post("/web/look", { zone: "Asia/Kolkata" });
    assert.ok([5, 6].includes(await offsetOn(path, admin)), path);
    const phone = new Visitor(server.url);
    await phone.signIn();
    await phone.post("/web/look", { zone: "UTC" });
    assert.equal(await offsetOn(path, admin), 0, path);
    await phone.post("/web/look", { zone: "local" });
    assert.equal(await offsetOn(path, phone), 0, path);
    await admin.post("/web/look", { browserZone: "UTC" });
  }
});

Deno.test("what is no choice is refused, and nothing is stored", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  for (
    const [name, value] of [["theme", "blue"], ["zone", "Mars/Olympus"], ["zone", ""], ["browserZone", "<b>"]] as const
  ) {
    assert.equal((await admin.post("/web/look", { [name]: value })).status, 400, name);
  }
  const refused = await admin.post("/web/account/preferences", { ...CHOSEN, zone: "Mars/Olympus" });
  assert.equal(refused.status, 400);
  assert.match(refused.text, /Time zone is not a time zone/);
  assert.doesNotMatch(rootOf((await admin.get("/web")).text), /data-(?:theme|zone)/);
  assert.equal((await new Visitor(server.url).post("/web/look", { theme: "dark" })).status, 401);
});
