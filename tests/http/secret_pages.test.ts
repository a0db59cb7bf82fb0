// The secrets pages over plain HTTP: what their HTML gives away, and forms that are sent by hand.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, run } from "./handlers.ts";
import { fillLost, withFolder } from "./filled.ts";
import { startApp } from "./app.ts";
import { setUp } from "./admin.ts";

const DAY_MS = 86_400_000;
/** What scripts put in place of a value. */
const IN_PLACE = ["value", "card", "quick"];
const PLANTED = "planted-0123456789-value";

Deno.test("no page shows a value before it is revealed, and then that one alone", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "staging");
  const key = await createKey(server, groupId, "acme");
  const functionId = await deploy(server, "orders", "export default (c) => c.text('')", { keys: [groupId] });
  const owners = [{ scope: "global" }, { scope: "function", functionId }, { scope: "group", groupId }];
  const all = [...owners, { scope: "key", keyId: key.id }];
  for (const [n, owner] of all.entries()) await createSecret(server, "DB", `${PLANTED}-${n + 1}`, owner);
  await server.api("PUT", "/api/secrets/1", { value: `${PLANTED}-1 again` });
  await server.api("PUT", "/api/secrets/1", { value: `${PLANTED}-1` });
  await server.api("DELETE", `/api/secrets/${await createSecret(server, "GONE", PLANTED)}`);
  const visitor = await setUp(server);
  const pages = [
    "/web",
    "/web/secrets",
    "/web/secrets?q=planted",
    `/web/secrets?scope=key&keyId=${key.id}`,
    "/web/secrets?unused=1",
    "/web/secrets/names/DB",
    "/web/secrets/names/DB?scope=function",
    "/web/secrets/new?name=DB",
    "/web/secrets/new/standing?name=DB&scope=global",
    "/web/secrets/paste",
    "/web/secrets/resolve",
    "/web/secrets/deleted",
    "/web/secrets/due",
    "/web/secrets/exposure?from=2026-01-01",
    `/web/secrets/deleted/5/restore`,
    `/web/secrets/deleted/5/purge`,
    "/web/secrets/1/versions/1/purge",
    `/web/secrets/resolve?functionId=${functionId}&keyId=${key.id}`,
    ...[1, 2, 3, 4].flatMap((id) =>
      ["edit", "delete", "history", ...IN_PLACE].map((page) => `/web/secrets/${id}/${page}`)
    ),
  ];
  for (const page of pages) {
    for (const headers of [undefined, { "HX-Request": "true" }]) {
      const { status, text: body, headers: given } = await visitor.get(page, headers);
      const isPart = IN_PLACE.some((part) => page.endsWith(`/${part}`));
      assert.equal(status, isPart && !headers ? 303 : 200, page);
      assert.ok(!body.includes(PLANTED), page);
      assert.equal(given.get("cache-control"), "no-store");
      // A form that sends a value by GET would put it into the address.
      for (const [form] of body.matchAll(/<form[^>]*method="get"[\s\S]*?<\/form>/g)) {
        assert.doesNotMatch(form, /textarea/);
      }
    }
  }
  const ways: [path: string, headers?: Record<string, string>][] = [
    ["reveal"],
    ["reveal", { "HX-Request": "true" }],
    ["copy"],
    ["edit/reveal"],
    ["quick/reveal", { "HX-Request": "true" }],
  ];
  for (const [path, headers] of ways) {
    const { status, text: body } = await visitor.post(`/web/secrets/2/${path}`, { name: "DB", comment: "" }, headers);
    assert.equal(status, 200, path);
    assert.deepEqual([...new Set(body.match(/planted-0123456789-value-\d/g))], [`${PLANTED}-2`], path);
  }
  // Each of them is in the audit, and what was looked at without values is not.
  const { entries } = (await server.api("GET", "/api/audit?action=secret.revealed")).body;
  assert.deepEqual(
    entries.map(({ actor, subject }: Record<string, Record<string, unknown>>) => [actor!.name, subject!.id]),
    ways.map(() => ["ada@example.com", 2]),
  );
  // Values are shown to those who ask by POST alone.
  for (const path of ["reveal", "copy", "quick/reveal"]) {
    assert.equal((await visitor.get(`/web/secrets/2/${path}`)).status, 404);
  }
});

Deno.test("a form that is sent by hand is held to the API's rules, names the field and gives back what was typed", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await createSecret(server, "TAKEN", "value");
  const fields = { name: "A", value: "v<&>\"'1", scope: "global", comment: "c<&>1" };
  const cases: [change: Record<string, string>, status: number, problem: RegExp][] = [
    [{ name: "" }, 400, /Name must not be empty/],
    [{ name: "a.b" }, 400, /Name must be letters/],
    [{ name: "n".repeat(256) }, 400, /Name must have at most 255/],
    [{ name: "TAKEN" }, 409, /Name is taken/],
    [{ value: "" }, 400, /Value must not be empty/],
    [{ value: "x".repeat(16_385) }, 413, /Value has 16385 bytes/],
    [{ scope: "everywhere" }, 400, /Scope must be one of/],
    [{ scope: "function" }, 400, /Function is required when scope is function/],
    [{ scope: "group", groupId: "1abc" }, 400, /Group must be a positive whole number/],
    [{ scope: "key", keyId: "0" }, 400, /Key must be a positive whole number/],
    [{ scope: "key", keyId: "99" }, 404, /Key does not exist/],
    [{ comment: "c".repeat(2_001) }, 400, /Comment must have at most 2000/],
  ];
  for (const [change, status, problem] of cases) {
    const typed = { ...fields, ...change };
    const { status: given, text: body } = await visitor.post("/web/secrets/new", typed);
    assert.equal(given, status, JSON.stringify(change).slice(0, 80));
    assert.match(body.slice(body.indexOf('role="alert"')), problem);
    for (const text of [typed.name, typed.value, typed.comment]) {
      assert.ok(body.includes(escaped(text)), text.slice(0, 40));
    }
  }
  assert.equal((await server.api("GET", "/api/secrets")).body.secrets.length, 1);
  // Only the scope's own owner counts: without scripts, all dropdowns are sent.
  const groupId = await createGroup(server, "staging");
  const made = await visitor.post("/web/secrets/new", {
    ...fields,
    scope: "group",
    functionId: "7",
    groupId: String(groupId),
    keyId: "",
  });
  assert.deepEqual([made.status, made.headers.get("location")], [303, "/web/secrets"]);
  const { body } = await server.api("GET", "/api/secrets/2?includeValues=true");
  assert.deepEqual([body.name, body.value, body.scopeId, body.comment], ["A", fields.value, groupId, fields.comment]);

  for (
    const [change, status, problem] of cases.filter(([{ scope, value }, status]) =>
      !scope && value !== "" && status !== 409
    )
  ) {
    const { status: given, text: body } = await visitor.post("/web/secrets/2/edit", {
      ...fields,
      ...change,
      value: change.value ?? "",
    });
    assert.equal(given, status, JSON.stringify(change).slice(0, 80));
    assert.match(body.slice(body.indexOf('role="alert"')), problem);
  }
  for (const path of ["/web/secrets/99/edit", "/web/secrets/1abc/edit", "/web/secrets/0/delete", "/web/secrets/x"]) {
    assert.equal((await visitor.get(path)).status, 404, path);
  }
  for (const path of ["99/edit", "99/delete", "99/reveal", "99/copy"]) {
    assert.equal((await visitor.post(`/web/secrets/${path}`, {})).status, 404, path);
    const part = await visitor.post(`/web/secrets/${path}`, {}, { "HX-Request": "true" });
    assert.deepEqual([part.status, part.headers.get("hx-retarget")], [404, "#notices"]);
    assert.match(part.text, /^<p[^>]*>There is no secret 99\.<\/p>$/);
  }
});

Deno.test("line breaks come as CRLF from browsers and are stored as LF, the first one included", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  await visitor.post("/web/secrets/new", { name: "A", value: "\r\n\r\na\r\n", scope: "global" });
  const { body } = await server.api("GET", "/api/secrets/1?includeValues=true");
  assert.equal(body.value, "\n\na\n");
});

Deno.test("a value that cannot be decrypted is told as such where it is asked for, and can be given again", () =>
  withFolder(async (folder) => {
    fillLost(folder, "LOST");
    await using server = await startApp({ folder });
    const visitor = await setUp(server);
    assert.match((await visitor.get("/web/secrets")).text, /Unreadable/);
    const shown = (await visitor.post("/web/secrets/1/reveal", {})).text;
    assert.match(shown, /Restore the key file/);
    assert.match(shown, /href="\/web\/secrets\/1\/edit">set the value again/);
    assert.equal((await visitor.post("/web/secrets/1/copy", {})).status, 409);
    assert.match((await visitor.post("/web/secrets/1/edit/reveal", { name: "LOST" })).text, /role="alert"/);
    // Its name is part of what it is sealed to.
    const renamed = await visitor.post("/web/secrets/1/edit", { name: "FOUND", value: "", comment: "" });
    assert.equal(renamed.status, 409);
    assert.match(renamed.text, /Give the value again with the new name/);
    const given = await visitor.post("/web/secrets/1/edit", { name: "LOST", value: PLANTED, comment: "" });
    assert.equal(given.status, 303);
    assert.equal((await server.api("GET", "/api/secrets/1?includeValues=true")).body.value, PLANTED);
  }));

Deno.test("dropdowns hold a thousand owners, and narrowing finds the others", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  for (let n = 0; n < 25; n++) await createGroup(server, `group-${n}`);
  const { text: body } = await visitor.get("/web/secrets/new");
  assert.match(body, /Narrow the list: group/);
  const options = await visitor.get("/web/secrets/owners?scope=group&field=groupId&empty=Choose&find=P-1&groupId=3");
  const names = [...options.text.matchAll(/<option[^>]*>([^<]*)</g)].map(([, name]) => name);
  assert.deepEqual(names, ["Choose", "group-1", ...Array.from({ length: 10 }, (_, n) => `group-1${n}`)]);
  assert.match(options.text, /<option value="3" selected[^>]*>group-1</);
  assert.equal((await visitor.get("/web/secrets/owners?scope=global")).status, 404);
});

/** As text stands in HTML. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

Deno.test("several secrets are pasted: a preview has names only, and an import takes all or nothing", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "staging");
  await createSecret(server, "OLD", PLANTED, { scope: "group", groupId });
  const visitor = await setUp(server);
  assert.match((await visitor.get("/web/secrets/new")).text, /href="\/web\/secrets\/paste"/);
  const typed = {
    content: `# of A\r\nA=${PLANTED}\r\nOLD=${PLANTED}-2`,
    format: "env",
    mode: "upsert",
    scope: "group",
    groupId: String(groupId),
    functionId: "",
    keyId: "",
  };
  for (const headers of [undefined, { "HX-Request": "true" }]) {
    const preview = await visitor.post("/web/secrets/paste/preview", typed, headers);
    assert.equal(preview.status, 200);
    assert.ok(preview.text.includes("1 new, 1 changed, 0 the same."));
    assert.ok(!preview.text.includes(PLANTED));
    const invalid = await visitor.post("/web/secrets/paste/preview", { ...typed, content: PLANTED }, headers);
    assert.match(invalid.text, /Line 1 is not NAME=value/);
    assert.ok(!invalid.text.includes(PLANTED));
  }
  const wrong = await visitor.post("/web/secrets/paste", { ...typed, content: `${typed.content}\nnonsense` });
  assert.equal(wrong.status, 400);
  assert.match(wrong.text, /line 4 is not NAME=value\./);
  const taken = await visitor.post("/web/secrets/paste", { ...typed, mode: "create" });
  assert.equal(taken.status, 409);
  const noOwner = await visitor.post("/web/secrets/paste", { ...typed, groupId: "" });
  assert.equal(noOwner.status, 400);
  const before = await server.api("GET", "/api/secrets?includeValues=true");
  assert.deepEqual(before.body.secrets.map((one: { value: string }) => one.value), [PLANTED]);

  const done = await visitor.post("/web/secrets/paste", typed);
  assert.equal(done.status, 303, done.text);
  assert.match((await visitor.get("/web/secrets")).text, /Imported: 1 new, 1 changed, 0 the same\./);
  const { body } = await server.api("GET", `/api/secrets?includeValues=true&groupId=${groupId}`);
  assert.deepEqual(
    body.secrets.map((one: Record<string, string>) => [one.name, one.value, one.comment]),
    [["OLD", `${PLANTED}-2`, ""], ["A", PLANTED, "of A"]],
  );
});

Deno.test("versions are restored and purged on the page of a value's history, and deleted secrets in the bin", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "staging");
  const key = await createKey(server, groupId, "acme");
  const id = await createSecret(server, "DB", "one", { scope: "key", keyId: key.id });
  for (const value of ["two", "three"]) await server.api("PUT", `/api/secrets/${id}`, { value });
  const visitor = await setUp(server);
  const value = async () => (await server.api("GET", `/api/secrets/${id}?includeValues=true`)).body.value;
  const history = (await visitor.get(`/web/secrets/${id}/history`)).text;
  assert.match(history, /Version 3[\s\S]*Current[\s\S]*Version 2[\s\S]*Version 1/);
  const version = /name="version" value="([^"]+)"/.exec(history)![1]!;
  const restored = await visitor.post(`/web/secrets/${id}/versions/1/restore`, { version });
  assert.equal(restored.status, 303);
  assert.equal(await value(), "one");
  const stale = await visitor.post(`/web/secrets/${id}/versions/2/restore`, { version });
  assert.equal(stale.status, 412);
  assert.equal(await value(), "one");
  assert.equal((await visitor.post(`/web/secrets/${id}/versions/2/purge`, {})).status, 303);
  const { versions } = (await server.api("GET", `/api/secrets/${id}/versions`)).body;
  assert.deepEqual(versions.map(({ version }: { version: number }) => version), [4, 3, 1]);

  await server.api("DELETE", `/api/keys/${key.id}`);
  assert.match((await visitor.get("/web/secrets/deleted")).text, /key &quot;acme&quot;|key "acme"/);
  assert.match((await visitor.get(`/web/secrets/deleted/${id}/restore`)).text, /no longer exists/);
  const missing = await visitor.post(`/web/secrets/deleted/${id}/restore`, { to: "other", scope: "group" });
  assert.equal(missing.status, 400);
  const owner = { to: "other", scope: "group", groupId: String(groupId) };
  assert.equal((await visitor.post(`/web/secrets/deleted/${id}/restore`, owner)).status, 303);
  assert.equal(await value(), "one");
  await visitor.post(`/web/secrets/${id}/delete`, {});
  assert.equal((await visitor.post(`/web/secrets/deleted/${id}/purge`, {})).status, 303);
  assert.equal((await server.api("GET", "/api/secrets/deleted")).body.secrets.length, 0);
});

Deno.test("tabs count what is due and unused, and a selection of unused names has their unused values alone", async () => {
  let passed = 0;
  await using server = await startApp({ now: () => Date.now() + passed });
  const groupId = await createGroup(server, "staging");
  await createSecret(server, "READ", "value");
  const unread = await createSecret(server, "READ", "value", { scope: "group", groupId });
  const expiresAt = new Date(Date.now() + 50 * DAY_MS).toISOString();
  const soon = await createSecret(server, "SOON", "value", { scope: "global", expiresAt });
  await deploy(server, "reader", "export default async (c, ctx) => c.text(await ctx.getSecret('READ') ?? '')");
  const visitor = await setUp(server);
  const counts = async () => {
    const { text } = await visitor.get("/web/secrets/due");
    return [...text.matchAll(/>(Due|Unused)<span class="badge plain">(\d+)/g)].map(([, tab, n]) => `${tab} ${n}`);
  };
  assert.deepEqual(await counts(), []);
  passed = 40 * DAY_MS;
  assert.equal((await visitor.signIn()).status, 303);
  assert.equal((await run(server, "/reader")).body, "value");
  assert.deepEqual(await counts(), ["Due 1", "Unused 2"]);
  const selected = (await visitor.get("/web/secrets/selected?name=READ&name=SOON&unused=30")).text;
  const shown = [...selected.matchAll(/name="shown" value="(\d+)"/g)].map(([, id]) => Number(id));
  assert.deepEqual(shown, [unread, soon]);
});

Deno.test("the form of a secret sets when it is due, references, canary and an overlap, and shows them again", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const fields = { name: "DB", value: "one", scope: "global", comment: "" };
  const made = await visitor.post("/web/secrets/new", {
    ...fields,
    ...{ expiresAt: "2030-05-06", rotateEveryDays: "90", onExpiry: "close", expand: "yes", canary: "yes" },
  });
  assert.equal(made.status, 303);
  const stored = async () => (await server.api("GET", "/api/secrets/1")).body;
  const { expiresAt, rotateEveryDays, onExpiry, expand, canary } = await stored();
  assert.deepEqual({ expiresAt, rotateEveryDays, onExpiry, expand, canary }, {
    ...{ expiresAt: "2030-05-06T00:00:00.000Z", rotateEveryDays: 90, onExpiry: "close", expand: true, canary: true },
  });
  const form = (await visitor.get("/web/secrets/1/edit")).text;
  for (const part of ['value="2030-05-06"', 'value="90"', 'name="expand" value="yes" checked']) {
    assert.ok(form.includes(part), part);
  }
  assert.match((await visitor.get("/web/secrets/names/DB")).text, /References[\s\S]*Canary/);
  // The time of day of an expiry that the API set stays, if its day does.
  await server.api("PUT", "/api/secrets/1", { expiresAt: "2030-05-06T10:30:00Z" });
  const edit = { name: "DB", value: "two", comment: "", keepPrevious: "24h" };
  const kept = await visitor.post("/web/secrets/1/edit", { ...edit, expiresAt: "2030-05-06", onExpiry: "warn" });
  assert.equal(kept.status, 303);
  const changed = await stored();
  assert.deepEqual([changed.expiresAt, changed.rotateEveryDays, changed.onExpiry, changed.expand, changed.canary], [
    "2030-05-06T10:30:00.000Z",
    null,
    "warn",
    false,
    false,
  ]);
  const { versions } = (await server.api("GET", "/api/secrets/1/versions")).body;
  assert.ok(Date.parse(versions[1].previousUntil) > Date.now());
  for (
    const [field, wrong] of [["rotateEveryDays", "0"], ["rotateEveryDays", "many"], ["expiresAt", "soon"]] as const
  ) {
    const refused = await visitor.post("/web/secrets/1/edit", { ...edit, onExpiry: "warn", [field]: wrong });
    assert.equal(refused.status, 400, wrong);
  }
  await visitor.post("/web/secrets/1/edit", { ...edit, value: "", expiresAt: "2020-01-01", onExpiry: "close" });
  assert.match((await visitor.get("/web/secrets/names/DB")).text, /Expired, closed/);
  assert.match((await visitor.get("/web/secrets/due")).text, /DB[\s\S]*Expired, closed/);
  assert.match((await visitor.get("/web")).text, /1 secret\s+is\s+expired or overdue/);
});
