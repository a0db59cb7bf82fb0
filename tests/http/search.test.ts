// The search of the pages: what it finds, in which order, and what it never shows.

import assert from "node:assert/strict";
import { setUp, type Visitor } from "./admin.ts";
import { startApp } from "./app.ts";
import type { FunctionId } from "../../src/ids.ts";
import { fillRequests, fillWithOwners, withFolder } from "./filled.ts";
import { createGroup, createKey, createSecret, deploy } from "./handlers.ts";

/** The kinds and names that a search gives, as the palette gets them. */
async function found(visitor: Visitor, search: string): Promise<string[]> {
  const { status, text } = await visitor.get(`/web/search?${new URLSearchParams({ q: search })}`, {
    "HX-Request": "true",
  });
  assert.equal(status, 200);
  const pattern =
    /<div role="option" data-href="([^"]+)">.*?<span class="result-name">([^<]*)<\/span>.*?result-kind">([^<]*)</gs;
  return [...text.matchAll(pattern)].map(([, href, name, kind]) => `${kind}: ${name} ${href}`);
}

Deno.test("each kind is found by a part of its name, its letters or its other name, and leads to its page", async () => {
  await using server = await startApp();
  const id = await deploy(server, "order-status", "export default (c) => c.text('7');", { route: "/orders/:id" });
  const groupId = await createGroup(server, "customers");
  const key = await createKey(server, groupId, "acme");
  await createSecret(server, "DATABASE_URL", "a value that is secret", { scope: "global", comment: "a comment" });
  const admin = await setUp(server);

  const cases = [
    ["order-st", `Function: order-status /web/functions/${id}`],
    ["ORDERST", `Function: order-status /web/functions/${id}`],
    ["/orders/:id", `Function: order-status /web/functions/${id}`],
    ["database", "Secret: DATABASE_URL /web/secrets/names/DATABASE_URL"],
    ["dburl", "Secret: DATABASE_URL /web/secrets/names/DATABASE_URL"],
    ["acme", `API key: acme /web/keys/${key.id}`],
    ["customers/ac", `API key: acme /web/keys/${key.id}`],
    ["custom", `Key group: customers /web/keys/groups/${groupId}`],
    ["audit", "Page: Audit /web/audit"],
    ["add secret", "Action: Add Secret /web/secrets/new"],
    ["create secret", "Action: Add Secret /web/secrets/new"],
    ["rotate", "Action: Rotate now /web/settings/encryption"],
    ["sandbox.timeout-ms", "Setting: Time limit of a call /web/settings#sandbox.timeout-ms"],
    ["where a stream can be reconnected", ""],
  ];
  for (const [search, first] of cases) assert.equal((await found(admin, search!))[0] ?? "", first, search);
  const request = "2f1c9a34-0b1d-4c6e-9a51-0123456789ab";
  assert.deepEqual(await found(admin, ` ${request.toUpperCase()} `), [
    `Request: ${request} /web/logs?requestId=${request}`,
  ]);
  const sections = await found(admin, "a value is due");
  assert.ok(sections.some((one) => one.startsWith("Documentation: ")), sections.join());
  assert.ok((await found(admin, "")).length > 5);
  for (const search of ["a value that is secret", "value that", "a comment"]) {
    assert.ok(!(await found(admin, search)).some((one) => one.includes("DATABASE_URL")), search);
  }
});

Deno.test("a request is found by the beginning of its id, in the search and in the logs", async () => {
  await withFolder(async (folder) => {
    const at = Date.now() - 60_000;
    {
      await using server = await startApp({ folder });
      await deploy(server, "orders", "export default (c) => c.text('7');");
    }
    const ids = ["1dec6603-0000-4000-8000-000000000001", "1dec6603-0000-4000-8000-000000000002", "1dec6999"];
    ids[2] += "-0000-4000-8000-000000000003";
    fillRequests(folder, ids.map((requestId, n) => ({ requestId, functionId: 1 as FunctionId, at: at + n })));
    await using server = await startApp({ folder });
    const admin = await setUp(server);
    const requestPath = (id: string) => `/web/logs?requestId=${id}`;
    const requests = async (search: string) =>
      (await found(admin, search)).filter((one) => one.startsWith("Request")).map((one) => one.split(" ").at(-1));
    assert.deepEqual(await requests("1DEC6603"), [ids[1], ids[0]].map((id) => requestPath(id!)));
    assert.deepEqual(await requests("1dec6603-0000-4000-8000-000000000001"), [requestPath(ids[0]!)]);
    assert.deepEqual(await requests("1dec69"), [requestPath(ids[2]!)]);
    for (const search of ["1dec6", "1dec6604", "1dec6603-9", "1dec66033", "1dec660g"]) {
      assert.deepEqual(await requests(search), [], search);
    }

    for (const logs of ["/web/logs", "/web/functions/1/logs"]) {
      const { status, headers } = await admin.get(`${logs}?search=1dec6999`);
      assert.deepEqual([status, headers.get("location")], [303, requestPath(ids[2]!)]);
      const several = await admin.get(`${logs}?search=1dec6603`);
      assert.equal(several.status, 200);
      assert.match(several.text, /2 requests begin with <code>1dec6603<\/code>/);
      for (const id of ids.slice(0, 2)) assert.ok(several.text.includes(`href="${requestPath(id)}"`));
      const none = await admin.get(`${logs}?search=1dec6604`);
      assert.deepEqual([none.status, none.text.includes("begin with")], [200, false]);
    }
  });
});

Deno.test("every result's page exists", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const hrefs = new Set<string>();
  for (
    const search of ["", "e", "s", "create", "log", "key", "setting", "secrets", "sandbox", "a", "user", "rotation"]
  ) {
    for (const one of await found(admin, search)) hrefs.add(one.split(" ").at(-1)!.split("#")[0]!);
  }
  assert.ok(hrefs.size > 30);
  for (const href of hrefs) assert.equal((await admin.get(href)).status, 200, href);
});

Deno.test("signs that mean something to SQL, patterns or HTML are searched for as they are", async () => {
  await using server = await startApp();
  const groupId = await createGroup(server, "a_b");
  await createKey(server, groupId, `50%_\\'"<b>`);
  await createKey(server, groupId, "50 others");
  const admin = await setUp(server);
  for (const search of ["%", "_\\", "%_", "'\"", "<b>"]) {
    const keys = (await found(admin, search)).filter((one) => one.startsWith("API key"));
    assert.deepEqual(keys.length, 1, search);
  }
  for (const search of ["\u0000", "\ud800", "😀", "a".repeat(5_000), "%".repeat(200), "'; DROP TABLE secrets; --"]) {
    await found(admin, search);
    assert.equal((await admin.get(`/web/search?${new URLSearchParams({ q: search })}`)).status, 200);
  }
});

Deno.test("among 10,000 secrets and 1,000 functions the best are found, in a small answer", async () => {
  await withFolder(async (folder) => {
    fillWithOwners(folder, { functions: 1_000, groups: 50, secrets: 10_000 });
    await using server = await startApp({ folder });
    const admin = await setUp(server);
    assert.match((await found(admin, "f777"))[0]!, /^Function: f777 /);
    assert.match((await found(admin, "SHARED"))[0]!, /^Secret: SHARED /);
    for (const search of ["s", "e", "f", "k1", "zzzz"]) {
      const { text } = await admin.get(`/web/search?q=${search}`, { "HX-Request": "true" });
      assert.ok(text.length < 10_000, `${search}: ${text.length}`);
      assert.ok((await found(admin, search)).length <= 30);
    }
  });
});

Deno.test("nobody searches without a session", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  admin.cookies.clear();
  assert.equal((await admin.get("/web/search?q=a")).status, 303);
  assert.equal((await admin.get("/web/search?q=a", { "HX-Request": "true" })).status, 401);
});

Deno.test("a page that does not exist offers to search for the end of its address, to users alone", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const { status, text } = await admin.get("/web/order-status");
  assert.equal(status, 404);
  assert.match(text, /<form method="get" action="\/web\/search"[^>]*>.*value="order-status"/s);
  assert.match((await admin.get("/web/functions/999")).text, /action="\/web\/search"[^>]*>.*value=""/s);
  assert.doesNotMatch((await admin.get("/web/%3Cb%3E")).text, /<b>/);
});
