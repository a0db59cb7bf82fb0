// What `crude init` and `crude types` write, as Deno sees it: it checks, tests and runs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startApp } from "../http/app.ts";
import { ROOT } from "../http/server.ts";
import { deploy } from "../http/handlers.ts";
import { type CrudeHome, makeCrudeHome } from "./crude.ts";

async function deno(cwd: string, ...args: string[]): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

async function passes(cwd: string, ...args: string[]): Promise<void> {
  const { code, output } = await deno(cwd, ...args);
  assert.equal(code, 0, `deno ${args.join(" ")}: ${output}`);
}

async function writeTypes(home: CrudeHome, secrets: readonly string[]): Promise<string> {
  await using server = await startApp();
  const env = { CRUDE_URL: server.url, CRUDE_KEY: server.key };
  for (const name of secrets) await home.crude(["secrets", "set", name], { env, input: "value" });
  const dir = join(home.path, "project");
  await Deno.mkdir(dir);
  const { code, stderr } = await home.crude(["types", "project"], { env });
  assert.equal(code, 0, stderr);
  return dir;
}

Deno.test("a new project is formatted, without lint, and its check and its test pass", async () => {
  await using home = makeCrudeHome();
  const { code, json } = await home.crude(["init", "shop", "--json"]);
  assert.equal(code, 0);
  const dir = join(home.path, "shop");
  assert.equal(json.dir, await Deno.realPath(dir));
  await passes(dir, "task", "check");
  await passes(dir, "task", "test");
  await passes(dir, "fmt", "--check");
  await passes(dir, "lint");
  const again = await home.crude(["init", "shop"]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /already .*hello\.ts.*Nothing was written/);
});

Deno.test("the function of a new project loads on the server and answers", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  await home.crude(["init"]);
  for (const name of ["deno.json", "crude.d.ts", "crude.json"]) {
    const text = await Deno.readTextFile(join(home.path, name));
    assert.equal((await server.api("PUT", `/api/files/${name}`, text)).status, 201);
  }
  const handler = await Deno.readTextFile(join(home.path, "hello.ts"));
  await deploy(server, "hello", handler, { route: "/hello/:name" });
  const answer = await fetch(`${server.url}/run/hello/ada`);
  assert.equal(answer.status, 200);
  assert.equal((await answer.json()).message, "Hello, ada!");
});

Deno.test("with the types, README's own handler checks as it stands, and mistakes are found in typed ones", async () => {
  await using home = makeCrudeHome();
  const dir = await writeTypes(home, ["SIGNING_KEY", "OTHER"]);
  const readme = await Deno.readTextFile(join(ROOT, "README.md"));
  const [, handler] = /api\/files\/hello\.ts <<'END'\n([\s\S]*?)^END$/m.exec(readme)!;
  await Deno.writeTextFile(join(dir, "hello.ts"), handler!);
  await passes(dir, "check", "hello.ts");

  const typed = (body: string) =>
    Deno.writeTextFile(
      join(dir, "typed.ts"),
      `import type { Handler } from "crude";\nexport default (async (c, ctx) => { ${body} }) satisfies Handler;\n`,
    );
  await typed(`const key = await ctx.getSecret("LATER", "group"); return c.json({ key, to: ctx.params.id });`);
  await passes(dir, "check", "typed.ts");
  for (
    const mistake of [
      `return c.jsn({})`,
      `return c.text(await ctx.getSecret("OTHER"))`,
      `await ctx.getSecret("OTHER", "team"); return c.text("")`,
      `return c.text(ctx.requestID)`,
    ]
  ) {
    await typed(mistake);
    assert.equal((await deno(dir, "check", "typed.ts")).code, 1, mistake);
  }
});

Deno.test("the names of secrets are offered by editors: they are members of the union, which stays open", async () => {
  await using home = makeCrudeHome();
  const dir = await writeTypes(home, ["SIGNING_KEY", "OTHER"]);
  const text = await Deno.readTextFile(join(dir, "crude.d.ts"));
  assert.match(text, /SecretName =\n {2}\| "OTHER"\n {2}\| "SIGNING_KEY"\n {2}\| \(string & \{\}\);/);
});

Deno.test("the types are those of what handlers are given", async () => {
  await using home = makeCrudeHome();
  const dir = await writeTypes(home, []);
  const context = pathToFileURL(join(ROOT, "workers/context.ts")).href;
  await Deno.writeTextFile(
    join(dir, "same.ts"),
    `import type { CompleteSecret as Given, HandlerContext } from "${context}";
import type { CompleteSecret, FunctionContext } from "crude";
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : never;
const keys: Same<keyof HandlerContext, keyof FunctionContext> = true;
const complete: Same<keyof Given, keyof CompleteSecret> = true;
export const written = (ctx: HandlerContext, secret: Given): [FunctionContext, CompleteSecret] => [ctx, secret];
export const given = (ctx: FunctionContext, secret: CompleteSecret): [HandlerContext, Given] => [ctx, secret];
void [keys, complete];
`,
  );
  await passes(dir, "check", "same.ts");
});

Deno.test("types names the imports that an existing deno.json lacks, and leaves it as it is", async () => {
  await using server = await startApp();
  await using home = makeCrudeHome();
  const text = `{ // with a comment\n  "imports": { "crude": "./crude.d.ts" }\n}\n`;
  home.write("deno.json", text);
  const { stdout } = await home.crude(["types"], { env: { CRUDE_URL: server.url, CRUDE_KEY: server.key } });
  assert.match(stdout, /Add to "imports" of deno\.json: "crude\/testing": "\.\/crude_testing\.ts"/);
  assert.doesNotMatch(stdout, /"crude":/);
  assert.equal(await Deno.readTextFile(join(home.path, "deno.json")), text);
});

Deno.test("crude/testing calls handlers and apps as the server does", async () => {
  await using home = makeCrudeHome();
  const dir = await writeTypes(home, []);
  await Deno.writeTextFile(
    join(dir, "stub_test.ts"),
    `import assert from "node:assert/strict";
import { call, createContext } from "crude/testing";
import { Hono } from "npm:hono@4.13.19";

Deno.test("params, query, body, group and secrets", async () => {
  let later = "";
  const response = await call(async (c, ctx) => {
    ctx.waitUntil(Promise.resolve().then(() => later = "done"));
    return c.json({ params: ctx.params, query: ctx.query, group: ctx.authenticatedKeyGroup, body: await c.req.json(),
      key: await ctx.getSecret("A"), global: await ctx.getSecret("A", "global"), none: await ctx.getSecret("B") ?? null,
      complete: await ctx.getCompleteSecret("A") });
  }, { route: "/a/:id", path: "/a/7?x=1", method: "POST", body: { n: 1 }, group: "staging", key: "acme",
    secrets: { A: { key: "narrow", global: "wide" } } });
  assert.equal(later, "done");
  assert.deepEqual(await response.json(), { params: { id: "7" }, query: { x: "1" }, group: "staging", body: { n: 1 },
    key: "narrow", global: "wide", none: null, complete: { global: "wide",
    key: { value: "narrow", groupId: 1, groupName: "staging", keyId: 1, keyName: "acme" } } });
});

Deno.test("apps are mounted at the route", async () => {
  const app = new Hono<{ Bindings: { ctx: { getSecret(name: string): Promise<string | undefined> } } }>();
  app.get("/items/:id", async (c) => c.text(c.req.param("id") + await c.env.ctx.getSecret("A")));
  const response = await call(app, { route: "/shop/*", path: "/shop/items/7", secrets: { A: "!" } });
  assert.equal(await response.text(), "7!");
});

Deno.test("what a handler throws fails the test", async () => {
  await assert.rejects(() => call(() => { throw new Error("broken") }), /broken/);
  assert.equal(createContext({ params: { a: "b" } }).params.a, "b");
});
`,
  );
  await passes(dir, "test");
});
