// /api/openapi.json and /api/docs.

import assert from "node:assert/strict";
import manifest from "../../deno.json" with { type: "json" };
import { setUp } from "./admin.ts";
import { startApp } from "./app.ts";
import { call } from "./server.ts";

Deno.test("the OpenAPI document describes every endpoint, with all of its parameters and errors", async () => {
  await using server = await startApp();
  const { status, body: document } = await call("GET", `${server.url}/api/openapi.json`);
  assert.equal(status, 200);
  assert.equal(document.openapi, "3.1.0");
  assert.deepEqual(Object.entries(document.paths).map(([path, item]) => `${path} ${Object.keys(item as object)}`), [
    "/api/openapi.json get",
    "/api/docs get",
    "/crude.schema.json get",
    "/api/sessions post",
    "/api/git-source/webhook post",
    "/api/functions get,post",
    "/api/functions/by-name/{name} get,put,delete",
    "/api/functions/{id} get,put,delete",
    "/api/functions/{id}/suggestions get",
    "/api/functions/{id}/enable put",
    "/api/functions/{id}/disable put",
    "/api/files get",
    "/api/files/{path} get,put,post,delete",
    "/api/file-moves post",
    "/api/versions get",
    "/api/versions/{id} get",
    "/api/versions/{id}/restore post",
    "/api/versions/{id}/files/{path} get,delete",
    "/api/blobs/missing post",
    "/api/blobs/{sha256} put",
    "/api/deployments post,get",
    "/api/deployments/{id} get",
    "/api/deployments/{id}/rollback post",
    "/api/git-source get,put,delete",
    "/api/git-source/sync post",
    "/api/packages get",
    "/api/packages/{name}/update post",
    "/api/key-groups get,post",
    "/api/key-groups/by-name/{name} get,put,delete",
    "/api/key-groups/{id} get,put,delete",
    "/api/keys get,post",
    "/api/keys/{id} get,put,delete",
    "/api/keys/{id}/roll post",
    "/api/keys/{id}/previous-value delete",
    "/api/secrets/resolve get",
    "/api/secrets/import post",
    "/api/secrets/export get",
    "/api/secrets/{id}/copy post",
    "/api/secrets/deleted get",
    "/api/secrets/deleted/{id} get,delete",
    "/api/secrets/deleted/{id}/restore post",
    "/api/secrets/{id}/versions get",
    "/api/secrets/{id}/versions/{number}/restore post",
    "/api/secrets/{id}/versions/{number} delete",
    "/api/secrets/exposure get",
    "/api/secrets get,post",
    "/api/secrets/by-name/{name} get,put,delete",
    "/api/secrets/{id} get,put,delete",
    "/api/encryption-keys/rotation get,post",
    "/api/settings get,put",
    "/api/webhooks get,post",
    "/api/webhooks/{id} get,put,delete",
    "/api/webhooks/{id}/test post",
    "/api/mail-server get,put,delete",
    "/api/mail-recipients get,post",
    "/api/mail-recipients/{id} get,put,delete",
    "/api/mail-recipients/{id}/test post",
    "/api/logs/stream get",
    "/api/logs get",
    "/api/logs/export get",
    "/api/logs/{functionId} delete",
    "/api/metrics get",
    "/api/cluster get",
    "/api/secrets/{id}/reads get",
    "/api/audit get",
    "/api/audit/export get",
    "/api/sessions/current delete",
  ]);
  // deno-lint-ignore no-explicit-any
  for (const [path, operations] of Object.entries<any>(document.paths)) {
    // deno-lint-ignore no-explicit-any
    for (const [method, operation] of Object.entries<any>(operations)) {
      const about = `${method} ${path}`;
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = (operation.parameters ?? []).filter((p: { in: string }) => p.in === "path");
      assert.deepEqual(declared.map((p: { name: string }) => p.name), inPath, about);
      assert.ok(operation.summary, about);
      if (operation.security) continue; // May be read by anybody.
      for (const code of ["401", "403", "500"]) assert.ok(operation.responses[code], `${about} ${code}`);
      if (operation.requestBody) {
        for (const code of ["400", "413"]) assert.ok(operation.responses[code], `${about} ${code}`);
      }
    }
  }
});

Deno.test("the document has the program's version, and each operation a name of its own", async () => {
  await using server = await startApp();
  const { body: document } = await call("GET", `${server.url}/api/openapi.json`);
  assert.equal(document.info.version, manifest.version);
  assert.match(manifest.version, /^\d+\.\d+\.\d+$/);
  // deno-lint-ignore no-explicit-any
  const operations = Object.values<any>(document.paths).flatMap((path) => Object.values<any>(path));
  const ids = operations.map(({ operationId }) => operationId);
  for (const id of ids) assert.match(String(id), /^[a-z]+([A-Z][a-z]+)*$/);
  assert.equal(new Set(ids).size, operations.length);
  // Clients are generated from them: a name that changed would be a method that is gone.
  assert.deepEqual(
    [document.paths["/api/functions/{id}"].put, document.paths["/api/files/{path}"].put].map((op) => op.operationId),
    ["updateFunction", "putFile"],
  );
});

Deno.test("every reference in the OpenAPI document leads somewhere", async () => {
  await using server = await startApp();
  const { body: document } = await call("GET", `${server.url}/api/openapi.json`);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference!);
  assert.ok(references.length > 0);
  for (const reference of new Set(references)) {
    const parts = reference.split("/").slice(1);
    // deno-lint-ignore no-explicit-any
    assert.ok(parts.reduce<any>((node, part) => node?.[part], document), reference);
  }
  for (const scheme of document.security.flatMap(Object.keys)) assert.ok(document.components.securitySchemes[scheme]);
});

Deno.test("every documented endpoint is there, and answers with a status that is documented", async () => {
  await using server = await startApp();
  const { body: document } = await call("GET", `${server.url}/api/openapi.json`);
  // deno-lint-ignore no-explicit-any
  for (const [template, operations] of Object.entries<any>(document.paths)) {
    const path = template.replace("{id}", "999").replace("{number}", "999").replace("{name}", "X").replace(
      "{path}",
      "x.txt",
    ).replace(
      "{functionId}",
      "999",
    );
    // deno-lint-ignore no-explicit-any
    for (const [method, { responses, requestBody }] of Object.entries<any>(operations)) {
      // Without an end; tests/http/logs.test.ts reads it.
      if (path === "/api/logs/stream") continue;
      const { status, body } = await server.api(method.toUpperCase(), path, requestBody && {});
      assert.ok(responses[status], `${method} ${path}: ${status}`);
      assert.ok(!String(body.error).includes("in the API"), `${method} ${path}`);
    }
  }
});

Deno.test("the documentation page shows every operation, parameter, field and answer, without a script", async () => {
  await using server = await startApp();
  const page = await call("GET", `${server.url}/api/docs`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type")!, /^text\/html/);
  const policy = page.headers.get("content-security-policy")!;
  assert.match(policy, /^default-src 'none'; style-src [\w.:]+\/web\/assets\/; img-src /);
  assert.doesNotMatch(policy, /script|unsafe|https?:|\*|'self'/);
  assert.doesNotMatch(page.body, /<script| (?:src|href|action)="(?:https?:)?\/\/| style=| on\w+="/);

  const { body: document } = await call("GET", `${server.url}/api/openapi.json`);
  const text = page.body.replaceAll(/<[^>]+>/g, " ").replaceAll("&quot;", '"').replaceAll("&#39;", "'");
  // deno-lint-ignore no-explicit-any
  for (const [path, operations] of Object.entries<any>(document.paths)) {
    // deno-lint-ignore no-explicit-any
    for (const [method, operation] of Object.entries<any>(operations)) {
      const begin = page.body.indexOf(`id="${operation.operationId}"`);
      const section = page.body.slice(begin, page.body.indexOf('class="operation"', begin));
      const about = `${method} ${path}`;
      assert.ok(section.includes(`<code>${method.toUpperCase()} ${path}</code>`), about);
      for (const { name } of operation.parameters ?? []) assert.ok(section.includes(`<code>${name}</code>`), about);
      for (const status of Object.keys(operation.responses)) assert.ok(section.includes(`<dt>${status}</dt>`), about);
      for (const type of Object.keys(operation.requestBody?.content ?? {})) assert.ok(section.includes(type), about);
    }
  }
  // deno-lint-ignore no-explicit-any
  for (const [name, schema] of Object.entries<any>(document.components.schemas)) {
    assert.ok(page.body.includes(`id="schema-${name}"`), name);
    for (const field of Object.keys(schema.properties ?? {})) {
      assert.ok(text.includes(` ${field} `), `${name}.${field}`);
    }
  }
  // Every link within the page leads somewhere, and every style is there.
  for (const [, id] of page.body.matchAll(/href="#([^"]+)"/g)) assert.ok(page.body.includes(`id="${id}"`), id);
  for (const [, path] of page.body.matchAll(/href="(\/web\/assets\/[^"]+)"/g)) {
    assert.equal((await call("GET", server.url + path)).status, 200, path);
  }
});

Deno.test("each page of somebody who is signed in has the program's version at its foot, and the others do not", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  for (const path of ["/web", "/web/functions", "/web/settings/encryption", "/web/account"]) {
    const [, footer] = /<footer[^>]*>(.*)<\/footer>/s.exec((await admin.get(path)).text) ?? [];
    assert.ok(footer!.endsWith(`<span>Crude Functions ${manifest.version}</span>`), path);
    assert.deepEqual([...footer!.matchAll(/<a href="([^"]+)"/g)].map(([, href]) => href), ["/web/docs", "/api/docs"]);
  }
  const strangers = await call("GET", `${server.url}/web/sign-in`);
  assert.doesNotMatch(strangers.body, /<footer/);
});

Deno.test("nothing warns of packages when the server starts", async () => {
  await using server = await startApp();
  assert.doesNotMatch(server.logs(), /Ignored build scripts|Warning/);
});
