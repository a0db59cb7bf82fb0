// ETag and If-Match: a change to a version that is no longer there is not made.

import assert from "node:assert/strict";
import { createGroup, createKey, createSecret, deploy, save } from "./handlers.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";

/** A resource of each kind, and a change to it. */
interface Resource {
  /** How an error names it. */
  name: string;
  path: string;
  change: { method: string; path: string; body?: unknown };
  /** A resource of the same kind, which has another version. */
  other: string | undefined;
}

async function resources(server: Server): Promise<Resource[]> {
  const [groupId, otherGroup] = [
    await createGroup(server, "staging"),
    await createGroup(server, "other"),
  ];
  const [key, otherKey] = [
    await createKey(server, groupId, "acme"),
    await createKey(server, groupId, "umbrella"),
  ];
  const [secret, otherSecret] = [
    await createSecret(server, "DB", "one"),
    await createSecret(server, "API", "two"),
  ];
  const code = "export default (c) => c.text('hello');";
  const [hello, otherFunction] = [
    await deploy(server, "hello", code),
    await deploy(server, "bye", code),
  ];
  await save(server, "note.txt", "first");
  const item = (
    name: string,
    kind: string,
    id: number,
    other: number,
    body: unknown,
  ): Resource => {
    const path = `/api/${kind}/${id}`;
    return {
      name,
      path,
      change: { method: "PUT", path, body },
      other: `/api/${kind}/${other}`,
    };
  };
  return [
    item('function "hello"', "functions", hello, otherFunction, { description: "changed" }),
    item('key group "staging"', "key-groups", groupId, otherGroup, { description: "changed" }),
    item('API key "staging/acme"', "keys", key.id, otherKey.id, { description: "changed" }),
    item('secret "DB" in the global scope', "secrets", secret, otherSecret, { value: "changed" }),
    {
      name: 'function "hello"',
      path: `/api/functions/${hello}`,
      change: { method: "PUT", path: `/api/functions/${hello}/disable` },
      other: `/api/functions/${otherFunction}`,
    },
    {
      name: 'function "hello"',
      path: "/api/functions/by-name/hello",
      change: {
        method: "PUT",
        path: "/api/functions/by-name/hello",
        body: { handler: "hello.ts", route: "/replaced" },
      },
      other: `/api/functions/by-name/bye`,
    },
    {
      name: 'key group "staging"',
      path: "/api/key-groups/by-name/staging",
      change: { method: "PUT", path: "/api/key-groups/by-name/staging", body: { description: "replaced" } },
      other: `/api/key-groups/by-name/other`,
    },
    {
      name: 'secret "DB" in the global scope',
      path: "/api/secrets/by-name/DB?scope=global",
      change: { method: "PUT", path: "/api/secrets/by-name/DB", body: { scope: "global", value: "replaced" } },
      other: `/api/secrets/by-name/API?scope=global`,
    },
    {
      name: "file note.txt",
      path: "/api/files/note.txt",
      change: { method: "PUT", path: "/api/files/note.txt", body: "changed" },
      other: "/api/files/hello.ts",
    },
    {
      name: "one of the settings",
      path: "/api/settings",
      change: {
        method: "PUT",
        path: "/api/settings",
        body: { settings: { "log.level": "error" } },
      },
      other: undefined,
    },
    {
      name: "state of the rotation",
      path: "/api/encryption-keys/rotation",
      change: { method: "POST", path: "/api/encryption-keys/rotation" },
      other: undefined,
    },
  ];
}

async function etagOf(server: Server, path: string): Promise<string> {
  const { status, headers } = await server.api("GET", path);
  assert.equal(status, 200, path);
  const etag = headers.get("etag");
  assert.match(etag ?? "", /^"[\w+/=-]{20,}"$/, path);
  return etag!;
}

Deno.test("every resource has a version, and a change to another one is refused with 412 and not made", async () => {
  await using server = await startApp();
  for (const { name, path, change, other } of await resources(server)) {
    const about = `${change.method} ${change.path}`;
    const before = await etagOf(server, path);
    assert.equal(
      await etagOf(server, path),
      before,
      `${path} has one version as long as nothing changes`,
    );
    const wrong = [
      `"stale"`,
      `W/${before}`,
      before.slice(1, -1),
      `"a", "b"`,
      ...(other ? [await etagOf(server, other)] : []),
    ];
    for (const tag of wrong) {
      const { status, body } = await server.api(
        change.method,
        change.path,
        change.body,
        { "If-Match": tag },
      );
      assert.equal(status, 412, `${about} If-Match: ${tag}`);
      assert.equal(body.code, "PreconditionFailed");
      assert.ok(body.error.includes(`${name} changed since the version that you have.`), body.error);
      assert.equal(await etagOf(server, path), before, "nothing was changed");
    }
    const made = await server.api(change.method, change.path, change.body, {
      "If-Match": `"x", ${before}`,
    });
    assert.equal(made.status, 200, `${about}: ${JSON.stringify(made.body)}`);
    const after = await etagOf(server, path);
    assert.notEqual(after, before, about);
    assert.equal(
      made.headers.get("etag"),
      after,
      "the answer to the change has the new version",
    );
    const again = await server.api(change.method, change.path, change.body, {
      "If-Match": before,
    });
    assert.equal(again.status, 412, `${about}: the old version`);
    const any = await server.api(change.method, change.path, change.body, {
      "If-Match": "*",
    });
    assert.equal(any.status, 200, about);
  }
});

Deno.test("the document says of each resource that a path names whether it has a version, and all have one", async () => {
  await using server = await startApp();
  const { body: document } = await server.api("GET", "/api/openapi.json");
  const without: string[] = [];
  // deno-lint-ignore no-explicit-any
  for (const [path, { get }] of Object.entries<any>(document.paths)) {
    if (get && path.endsWith("}") && !get.responses[200].headers?.ETag) without.push(path);
  }
  assert.deepEqual(without, []);
  await save(server, "note.txt", "first");
  assert.equal((await server.api("POST", "/api/deployments", { files: {} })).status, 201);
  for (const path of ["/api/versions/1", "/api/versions/1/files/note.txt", "/api/deployments/1"]) {
    assert.equal(await etagOf(server, path), await etagOf(server, path));
  }
});

Deno.test("of two changes to one version at once, one is made and the other is refused", async () => {
  await using server = await startApp();
  for (const { path, change } of await resources(server)) {
    if (change.path.includes("rotation")) continue; // A second one at once is a 409.
    const etag = await etagOf(server, path);
    const send = () => server.api(change.method, change.path, change.body, { "If-Match": etag });
    const statuses = (await Promise.all([send(), send(), send()])).map((
      { status },
    ) => status);
    assert.deepEqual(statuses.sort(), [200, 412, 412], change.path);
  }
});

Deno.test("a delete takes If-Match, too, and a file that is not there matches nothing", async () => {
  await using server = await startApp();
  const paths = [...new Set((await resources(server)).map(({ path }) => path))]
    // By name, they are the same resources.
    .filter((path) => /\/[^/]+\/[^/]+\//.test(path) && !path.includes("by-name"));
  // The key before its group, which cannot be deleted while it has keys.
  const groups = (path: string) => Number(path.includes("key-groups"));
  for (
    const path of paths.filter((path) => !path.includes("rotation")).sort((
      a,
      b,
    ) => groups(a) - groups(b))
  ) {
    const etag = await etagOf(server, path);
    assert.equal(
      (await server.api("DELETE", path, undefined, { "If-Match": '"stale"' }))
        .status,
      412,
      path,
    );
    if (path.includes("key-groups")) continue;
    assert.equal(
      (await server.api("DELETE", path, undefined, { "If-Match": etag }))
        .status,
      200,
      path,
    );
    assert.equal(
      (await server.api("DELETE", path, undefined, { "If-Match": etag }))
        .status,
      404,
      path,
    );
  }
  for (const tag of ["*", '"stale"']) {
    const { status } = await server.api("PUT", "/api/files/none.txt", "new", {
      "If-Match": tag,
    });
    assert.equal(status, 412, tag);
  }
  assert.equal((await server.api("GET", "/api/files/none.txt")).status, 404);
});

Deno.test("a use of a key and a rotation are no changes; two changes in a row always are", async () => {
  await using server = await startApp();
  const id = await createSecret(server, "DB", "one");
  const secret = await etagOf(server, `/api/secrets/${id}`);
  const key = await etagOf(server, "/api/keys/1");
  assert.equal(
    (await server.api("POST", "/api/encryption-keys/rotation")).status,
    200,
  );
  assert.equal(await etagOf(server, `/api/secrets/${id}`), secret);
  assert.equal(await etagOf(server, "/api/keys/1"), key);
  const seen = new Set<string>();
  for (let n = 0; n < 50; n++) {
    const { headers } = await server.api("PUT", `/api/secrets/${id}`, {
      value: n % 2 ? "odd" : "even",
    });
    seen.add(headers.get("etag")!);
  }
  assert.equal(seen.size, 50);
});

Deno.test("a precondition is never ignored: what has no version matches none", async () => {
  await using server = await startApp();
  const headers = { "If-Match": '"some-version"' };
  const made = await server.api(
    "POST",
    "/api/key-groups",
    { name: "made" },
    headers,
  );
  assert.equal(made.status, 412);
  assert.equal(
    (await server.api("DELETE", "/api/logs/999", undefined, headers)).status,
    412,
  );
  const { body: { groups } } = await server.api(
    "GET",
    "/api/key-groups",
    undefined,
    headers,
  );
  assert.ok(!groups.some(({ name }: { name: string }) => name === "made"));
});
