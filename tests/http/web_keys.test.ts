// The forms of keys, settings and encryption, sent by hand: what no browser would send is refused, or does nothing.

import assert from "node:assert/strict";
import { setUp } from "./admin.ts";
import { createGroup, createKey, createSecret, deploy, set } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";

async function keysOf(server: Server): Promise<string[]> {
  const { body } = await server.api("GET", "/api/keys");
  return body.keys.map(({ name }: { name: string }) => name);
}

Deno.test("pages of keys and groups that do not exist are 404, whatever stands for the id", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  for (const id of ["99", "0", "-1", "1abc", "01", "1e3", "9".repeat(30), "%00"]) {
    const ofKey = ["", "/revoke", "/roll", "/previous-value"].map((end) => `/web/keys/${id}${end}`);
    for (const path of [...ofKey, `/web/keys/groups/${id}`]) {
      assert.equal((await admin.get(path)).status, 404, path);
      assert.equal((await admin.post(path, { name: "x" })).status, 404, path);
    }
  }
});

Deno.test("the lists of groups and keys lead to the secrets of each", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const groups = [await createGroup(server, "one"), await createGroup(server, "two")];
  for (const groupId of groups) {
    const { id: keyId } = await createKey(server, groupId, `key-${groupId}`);
    await createSecret(server, `OF_GROUP_${groupId}`, "x", { scope: "group", groupId });
    await createSecret(server, `OF_KEY_${keyId}`, "x", { scope: "key", keyId });
  }
  const { text } = await admin.get("/web/keys");
  const links = [...text.matchAll(/href="(\/web\/secrets\?[^"]*)"/g)].map(([, href]) => href!.replaceAll("&amp;", "&"));
  const told = await Promise.all(links.map(async (href) => {
    const { text } = await admin.get(href);
    return [...text.matchAll(/OF_(?:GROUP|KEY)_\d(?=<)/g)].map(([name]) => name).join();
  }));
  // The management group and its key have none, so no link either.
  assert.deepEqual(told, ["OF_GROUP_2", "OF_KEY_2", "OF_GROUP_3", "OF_KEY_3"]);
});

Deno.test("a key's form refuses what the API refuses, and a key made by it is told to no cache", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const bad: Record<string, string>[] = [
    {},
    { groupId: "1" },
    { groupId: "99", name: "x" },
    { groupId: "1abc", name: "x" },
    { groupId: "new", name: "x" },
    { groupId: "new", group: "UPPER", name: "x" },
    { groupId: "1", name: " x" },
    { groupId: "1", name: "x", value: "sixteen chars but with ü" },
    { groupId: "1", name: "x".repeat(256) },
    { groupId: "1", name: "bootstrap" },
  ];
  for (const fields of bad) {
    const { status, text } = await admin.post("/web/keys/new", fields);
    assert.equal(status, 400, JSON.stringify(fields));
    assert.match(text, /role="alert"/);
  }
  assert.deepEqual(await keysOf(server), ["bootstrap"]);
  assert.equal((await admin.post("/web/keys/new", { name: "x".repeat(2_000_000) })).status, 413);

  const made = await admin.submit("/web/keys/new?functionId=99", { groupId: "1", name: "<b>x</b>", letIn: "yes" });
  assert.equal(made.status, 200);
  assert.equal(made.headers.get("cache-control"), "no-store, no-transform");
  assert.ok(!made.text.includes("<b>x</b>"));
  assert.deepEqual(await keysOf(server), ["bootstrap", "<b>x</b>"]);
});

Deno.test("command lines name the host that functions have to themselves, and for the API the server's own", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const callers = await createGroup(server, "callers");
  await deploy(server, "hello", "export default (c) => c.text('hello');", { keys: [callers] });
  const lineOf = ({ text }: { text: string }) => /<code>(curl [^<]*)<\/code>/.exec(text)![1]!;
  const lines = async (n: number) =>
    [
      lineOf(await admin.get("/web")),
      lineOf(await admin.submit("/web/keys/new", { groupId: String(callers), name: `caller ${n}` })),
      lineOf(await admin.submit("/web/keys/new", { groupId: "1", name: `manager ${n}` })),
    ].map((line) => /http:[^&]*/.exec(line)![0]);
  const { port } = new URL(server.url);
  const hello = "/run/hello";
  assert.deepEqual(await lines(1), [server.url + hello, server.url + hello, `${server.url}/api/functions`]);
  await set(server, { "run.hosts": ["fn.example.com", "other.example.com"] });
  const there = `http://fn.example.com:${port}${hello}`;
  assert.deepEqual(await lines(2), [there, there, `${server.url}/api/functions`]);
});

Deno.test("several keys are revoked in one transaction: all that were chosen, or none", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const groupId = await createGroup(server, "customers");
  const ids: number[] = [];
  for (const name of ["a", "b", "c"]) ids.push((await createKey(server, groupId, name)).id);
  await createSecret(server, "TENANT", "x", { scope: "key", keyId: ids[0]! });
  const chosenOn = async (path: string) =>
    [...(await admin.get(path)).text.matchAll(/name="key" value="([^"]*)"/g)].map(([, value]) => value!);

  assert.match((await admin.get(`/web/keys/groups/${groupId}/delete`)).text, /Revoke its 3 keys/);
  const all = await chosenOn(`/web/keys/selected?group=${groupId}`);
  assert.equal(all.length, 3);
  assert.deepEqual(await chosenOn("/web/keys/selected?id=99"), []);
  for (const path of ["?id=x", "?id=-1", "?id=1e3"]) {
    assert.equal((await admin.get(`/web/keys/selected${path}`)).status, 400, path);
  }

  // One that was changed meanwhile, one that is gone, and texts that no page has.
  assert.equal((await server.api("PUT", `/api/keys/${ids[2]}`, { name: "changed" })).status, 200);
  const post = (key: string[]) =>
    admin.request("POST", "/web/keys/selected", {
      body: new URLSearchParams([...key.map((value) => ["key", value]), ...ids.map((id) => ["shown", `${id}`])]),
    });
  for (const [key, status] of [[all, 412], [[...all.slice(1), "99 x"], 404], [[], 400], [["x"], 400]] as const) {
    assert.equal((await post([...key])).status, status, key.join());
    assert.deepEqual(await keysOf(server), ["bootstrap", "a", "b", "changed"]);
  }

  // The page that is shown again checks none that was not.
  const refused = await post(all.slice(0, 2));
  assert.equal(refused.status, 412);
  const boxes = [...refused.text.matchAll(/name="key" value="(\d+)[^"]*"( checked)?/g)];
  const checked = boxes.filter(([, , isChecked]) => isChecked).map(([, id]) => id).sort();
  assert.deepEqual([boxes.length, checked], [3, all.slice(0, 2).map((value) => value.split(" ")[0]).sort()]);

  const { status, headers } = await post(await chosenOn(`/web/keys/selected?id=${ids[0]}&id=${ids[2]}`));
  assert.deepEqual([status, headers.get("location")], [303, `/web/keys/groups/${groupId}`]);
  assert.deepEqual(await keysOf(server), ["bootstrap", "b"]);
  const { body: { secrets } } = await server.api("GET", "/api/secrets");
  assert.deepEqual(secrets, []);
  assert.match((await admin.get("/web/keys/selected?id=1")).text, /All keys that can use the API are among them/);
});

Deno.test("a public function stays public for whoever presses Create, and the key's page has its command", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const id = await deploy(server, "hello", "export default (c) => c.text('hello');");
  const { text } = await admin.get(`/web/keys/new?functionId=${id}`);
  assert.match(text, /value="callers"/);
  assert.match(text, /value="first-caller"/);
  assert.match(text, /hello is public now/);
  assert.doesNotMatch(text, /name="letIn"[^>]*checked/);
  const made = await admin.submit(`/web/keys/new?functionId=${id}`, {
    groupId: "new",
    group: "callers",
    name: "first",
  });
  assert.match(made.text, /which is public: it answers calls without a key, too/);
  assert.match(made.text, /<code>curl [^<]*\/run\/hello/);
  assert.equal(await (await fetch(`${server.url}/run/hello`)).text(), "hello");
  // One that requires keys already lets the new group in.
  const { body: { keys: [, key] } } = await server.api("GET", "/api/keys");
  assert.equal((await server.api("PUT", `/api/functions/${id}`, { keys: [key.groupId] })).status, 200);
  assert.match((await admin.get(`/web/keys/new?functionId=${id}`)).text, /name="letIn"[^>]*checked/);
  const shown = await admin.get(`/web/keys/${key.id}`);
  assert.match(shown.text, new RegExp(`resolve\\?functionId=${id}&amp;keyId=${key.id}`));
});

Deno.test("the management group stays, however it is asked for", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  assert.equal((await admin.post("/web/keys/groups/1/delete", {})).status, 409);
  assert.equal((await admin.post("/web/keys/groups/1", { name: "admins", description: "" })).status, 400);
  assert.equal((await admin.post("/web/keys/groups/1", { description: "mine" })).status, 303);
  const { body } = await server.api("GET", "/api/key-groups/1");
  assert.deepEqual([body.group.name, body.group.description], ["management", "mine"]);
});

Deno.test("the form of settings takes what it shows and nothing else", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const settings = async () => (await server.api("GET", "/api/settings")).body;
  const before = await settings();
  for (const value of ["", "0", "366", "1.5", "9e1", "ninety", "90 parsecs", "36 hours", "NaN"]) {
    const { status, text } = await admin.post("/web/settings/encryption", {
      "encryption.key-rotation.interval-days": value,
      "encryption.retired-keys.keep-days": "5",
    });
    assert.equal(status, 400, value);
    assert.match(text, /encryption\.key-rotation\.interval-days must be a whole number from 1 to 365/);
  }
  // Another category's, none at all, and names that objects have by themselves.
  const strange: Record<string, string>[] = [
    { "sandbox.max-calls": "5" },
    { reset: "sandbox.max-calls" },
    { reset: "__proto__" },
    { constructor: "1" },
  ];
  for (const fields of strange) {
    assert.equal((await admin.post("/web/settings/encryption", fields)).status, 303);
  }
  assert.deepEqual(await settings(), before);
  assert.equal((await admin.get("/web/settings/no-such")).status, 404);
});

Deno.test("the progress of a rotation leads to its page where no script asks for it", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const { status, headers } = await admin.get("/web/settings/encryption/progress");
  assert.deepEqual([status, headers.get("location")], [303, "/web/settings/encryption"]);
  assert.equal((await admin.post("/web/settings/encryption/rotate", {})).status, 303);
  await server.logged(/Key rotation to version 2 is done/);
});

Deno.test("a key gets an expiry by its forms, keeps it where nothing else is chosen, and is shown as expired", async () => {
  let now = Date.parse("2030-01-01T12:34:56.789Z");
  await using server = await startApp({ now: () => now });
  await set(server, { "admin.session.idle-hours": 720, "admin.session.max-days": 365 });
  const admin = await setUp(server);
  const groupId = await createGroup(server, "callers");
  const fields = (name: string, expires: string, expiresAt = "") => ({
    groupId: String(groupId),
    name,
    expires,
    expiresAt,
  });
  const wrong = [["date", "", "expiresAt"], ["date", "soon", "expiresAt"], ["date", "2029-12-31", "expiresAt"], [
    "7",
    "",
    "expires",
  ]];
  for (const [expires = "", expiresAt, field] of wrong) {
    const { status, text } = await admin.post("/web/keys/new", fields("acme", expires, expiresAt));
    assert.equal(status, 400);
    assert.match(text, new RegExp(`id="${field}-problem"`), text);
  }
  const made = [["in-a-month", "30", ""], ["on-a-day", "date", "2030-03-01"], ["for-ever", "never", ""]] as const;
  for (const [name, expires, on] of made) {
    assert.equal((await admin.submit("/web/keys/new", fields(name, expires, on))).status, 200);
  }
  const expiries = async () => {
    const { body: { keys } } = await server.api("GET", "/api/keys?groupId=callers");
    return keys.map(({ expiresAt }: { expiresAt: string | null }) => expiresAt);
  };
  const [month, day] = ["2030-01-31T12:34:56.789Z", "2030-03-01T00:00:00.000Z"];
  assert.deepEqual(await expiries(), [month, day, null]);

  const { body: { keys: [{ id }] } } = await server.api("GET", "/api/keys?groupId=callers");
  const path = `/web/keys/${id}`;
  const save = async (more: Record<string, string>) =>
    (await admin.post(path, { version: await admin.versionOn(path), name: "renamed", description: "", ...more }))
      .status;
  assert.match((await admin.get(path)).text, /<option value="keep" selected[^>]*>On 2030-01-31 12:34 UTC, as it is</);
  assert.equal(await save({ expires: "keep", expiresAt: "" }), 303);
  assert.equal((await expiries())[0], month);
  const roll = `${path}/roll`;
  const rolled = await admin.submit(roll, { version: await admin.versionOn(roll), graceSeconds: "0", expires: "keep" });
  assert.equal(rolled.status, 200);
  assert.equal((await expiries())[0], month);

  now = Date.parse(month) - 2 * 86_400_000;
  assert.match((await admin.get("/web")).text, /The API key .*callers\/renamed.*expires <time[^>]*>in 2 days</);
  assert.doesNotMatch((await admin.get(path)).text, /The key has expired/);
  now = Date.parse(month);
  assert.match(
    (await admin.get("/web")).text,
    /The API key .*callers\/renamed.*expired <time[^>]*>just now<.*its callers are refused/,
  );
  assert.match((await admin.get(path)).text, /The key has expired/);
  assert.match((await admin.get("/web/keys")).text, /class="badge bad">expired/);
  assert.equal(await save({ expires: "keep", expiresAt: "" }), 303);
  const expired = await admin.get(roll);
  assert.doesNotMatch(expired.text, /value="keep"/);
  const kept = await admin.post(roll, { version: await admin.versionOn(roll), graceSeconds: "0", expires: "keep" });
  assert.equal(kept.status, 400);
  assert.equal(await save({ expires: "never", expiresAt: "" }), 303);
  assert.equal((await expiries())[0], null);
});

Deno.test("the list of keys is sorted by its headings, page after page, and whatever is no order counts as none", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const groupId = await createGroup(server, "callers");
  for (let n = 0; n < 60; n++) {
    const expiresAt = n % 2 ? null : `2090-01-${String(31 - n / 2).padStart(2, "0")}T00:00:00Z`;
    const { status } = await server.api("POST", "/api/keys", { groupId, name: `key-${(n * 7) % 60}`, expiresAt });
    assert.equal(status, 201);
  }
  const decoded = (text: string) => text.replaceAll("&amp;", "&");
  const shown = (text: string) =>
    [...text.matchAll(/<a href="\/web\/keys\/\d+">([^<]+)<\/a>/g)].map(([, name]) => name!);
  const headings = (text: string) =>
    Object.fromEntries([...text.matchAll(/<th scope="col"[^>]*><a href="([^"]+)" class="sort">([A-Za-z ]+)/g)]
      .map(([, href, label]) => [label!, decoded(href!)]));
  for (const path of ["/web/keys?view=all", `/web/keys/groups/${groupId}`, "/web/keys?q=key-"]) {
    const { text } = await admin.get(path);
    const links = headings(text);
    assert.deepEqual(Object.keys(links), ["Name", "Last used", "Expires", "Created"], path);
    const byName = await admin.get(links.Name!);
    const next = decoded(/class="pager"[^>]*><a[^>]* href="([^"]+)"/.exec(byName.text)?.[1] ?? "");
    const names = [...shown(byName.text), ...shown((await admin.get(next)).text)];
    const own = names.filter((name) => name.startsWith("key-"));
    assert.deepEqual(own, Array.from({ length: 60 }, (_, n) => `key-${n}`).sort(), path);
    const [first] = shown((await admin.get(headings(byName.text).Name!)).text);
    assert.equal(first, "key-9", path);
    // The one that expires first was made last of those that expire.
    const [soonest] = shown((await admin.get(links.Expires!)).text);
    assert.equal(soonest, `key-${(58 * 7) % 60}`, path);
  }
  for (const wrong of ["sort=value", "sort=", "skip=-1", "skip=x", "sort=name&sort=used", "skip=1e99"]) {
    const { status } = await admin.get(`/web/keys?view=all&${wrong}`);
    assert.equal(status, 200, wrong);
  }
});

Deno.test("the page of logs offers some of many keys, and keeps the one that is chosen, also once it is revoked", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const groupId = await createGroup(server, "callers");
  for (let n = 0; n < 100; n++) await createKey(server, groupId, `key-${n}`);
  const { id } = await createKey(server, groupId, "zebra");
  const offered = async (path: string) => {
    const { text } = await admin.get(path);
    const [, options = ""] = /<select[^>]*name="key"[^>]*>([\s\S]*?)<\/select>/.exec(text) ?? [];
    return {
      count: [...options.matchAll(/<option/g)].length,
      chosen: /<option value="(\d+)" selected/.exec(options)?.[1],
      kept: /<input type="hidden" name="key" value="(\d+)"/.exec(text)?.[1],
    };
  };
  assert.deepEqual((await offered("/web/logs")).count, 101);
  const { count, chosen } = await offered(`/web/logs?key=${id}`);
  assert.deepEqual([count, chosen], [102, String(id)]);
  await server.api("DELETE", `/api/keys/${id}`);
  assert.equal((await offered(`/web/logs?key=${id}`)).kept, String(id));
});

Deno.test("a key is rolled by its form as by the API, and not by one that was opened before a change", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const { id, value } = await createKey(server, await createGroup(server, "callers"), "acme");
  const path = `/web/keys/${id}/roll`;
  const version = await admin.versionOn(path);
  for (const graceSeconds of ["", "-1", "1e3", "99999999", "x"]) {
    const { status, text } = await admin.post(path, { version, graceSeconds });
    assert.equal(status, 400, graceSeconds);
    assert.match(text, /role="alert"/);
  }
  const rolled = await admin.submit(path, { version, graceSeconds: "3600" });
  assert.equal(rolled.status, 200);
  assert.equal(rolled.headers.get("cache-control"), "no-store, no-transform");
  const again = await admin.post(path, { version, graceSeconds: "0" });
  assert.equal(again.status, 412);
  assert.match(again.text, /was changed after you opened this page/);
  // A grace for the current value would need a third one.
  assert.equal((await admin.post(path, { version: await admin.versionOn(path), graceSeconds: "3600" })).status, 409);
  const known = (key: string) => fetch(`${server.url}/api/keys`, { headers: { "X-API-Key": key } });
  const statusOf = async (key: string) => {
    const response = await known(key);
    await response.body?.cancel();
    return response.status;
  };
  const shown = />(cf_[A-Za-z0-9_-]{43})</.exec(rolled.text)![1]!;
  // Keys of this group may not use the API: 403, but known.
  assert.deepEqual([await statusOf(value), await statusOf(shown)], [403, 403]);
  const previous = `/web/keys/${id}/previous-value`;
  assert.equal((await admin.post(previous, { version })).status, 412);
  assert.equal((await admin.submit(previous, { version: await admin.versionOn(previous) })).status, 200);
  assert.deepEqual([await statusOf(value), await statusOf(shown)], [401, 403]);
  assert.match((await admin.get(previous)).text, /is not accepted any more/);
});
