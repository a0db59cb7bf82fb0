// `keys create`: the way in for an admin who has no key.

import assert from "node:assert/strict";
import { call } from "../http/server.ts";
import { makeHome } from "./cli.ts";

Deno.test("a key made beside a running server is good for the next request, and its value is shown once", async () => {
  await using home = makeHome();
  await using server = await home.start();
  const made = await home.cli(["keys", "create", "--group", "management", "--name", "way in", "--description", "lost"]);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^cf_[\w-]{43}\n$/, "the value alone, for scripts");
  const listed = await call("GET", `${server.url}/api/keys`, undefined, { "X-API-Key": made.stdout.trim() });
  assert.equal(listed.status, 200);
  const { name, groupName, description } = listed.body.keys.at(-1);
  assert.deepEqual({ name, groupName, description }, { name: "way in", groupName: "management", description: "lost" });

  const asJson = await home.cli(["keys", "create", "--group=management", "--name=another", "--json"]);
  assert.deepEqual({ ...asJson.json, value: "" }, { id: 3, name: "another", group: "management", value: "" });
  assert.equal((await server.api("GET", "/api/keys/3?includeValues=true")).body.key.value, asJson.json.value);
  assert.ok(!server.logs().includes(asJson.json.value));
});

Deno.test("a key is made in a group that is there, and under a name that is free", async () => {
  await using home = makeHome();
  await using server = await home.start();
  const refusals: [string[], RegExp][] = [
    [["--group", "nobody", "--name", "x"], /^There is no key group named "nobody"\.\n$/],
    [["--group", "management", "--name", "bootstrap"], /^This group already has a key named "bootstrap"\.\n$/],
  ];
  for (const [options, message] of refusals) {
    const refused = await home.cli(["keys", "create", ...options]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, message);
  }
  const { body } = await server.api("GET", "/api/keys");
  assert.deepEqual(body.keys.map((key: { id: number }) => key.id), [1]);
  const { body: groups } = await server.api("GET", "/api/key-groups");
  assert.deepEqual(groups.groups.map((group: { name: string }) => group.name), ["management"]);
});

Deno.test("a key can be made while no server runs", async () => {
  await using home = makeHome();
  await (await home.start()).stop();
  const made = await home.cli(["keys", "create", "--group", "management", "--name", "offline"]);
  assert.equal(made.code, 0, made.stderr);
  await using server = await home.start();
  const answer = await call("GET", `${server.url}/api/keys`, undefined, { "X-API-Key": made.stdout.trim() });
  assert.equal(answer.status, 200);
});
