// What `deno check` says of a handler, as problems of the author's own text.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../../deno.json" with { type: "json" };
import { ConfinedDeno } from "../../src/code/modules/confined_deno.ts";
import { annotate } from "../../src/code/checks/handler_type_injection.ts";
import { readDiagnostics } from "../../src/code/checks/diagnostics.ts";
import { EMPTY_LOCK } from "../../src/code/packages/lock.ts";
import { createFiles } from "../../src/code/files/files.ts";
import { createTypeCheck, type Source } from "../../src/code/checks/type_check.ts";
import { prepareRuntime, type RuntimeOptions } from "../../src/sandbox/process/toolchain.ts";
import { declarations, denoConfig } from "../../src/crude/project/template.ts";
import { startNpmRegistry } from "./npm_registry.ts";
import { WITHOUT_HISTORY } from "../unit/without_history.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

interface Bench extends AsyncDisposable {
  codeDir: string;
  check(code: string, more?: Partial<Source>): Promise<string[]>;
}

/** `check` tells problems as "path line:column-end message". */
async function bench(options: RuntimeOptions = {}): Promise<Bench> {
  const home = await Deno.realPath(await Deno.makeTempDir({ prefix: "crude-functions-check-" }));
  await Deno.chmod(home, 0o711);
  const codeDir = join(home, "code");
  await Deno.mkdir(codeDir, { mode: 0o700 });
  const runtime = await prepareRuntime(ROOT, options);
  const typeCheck = createTypeCheck({
    deno: new ConfinedDeno(runtime),
    files: createFiles({ codeDir, record: () => {}, ...WITHOUT_HISTORY }),
    runtime,
    runDir: home,
    codeDir,
    locks: { starting: () => EMPTY_LOCK },
    importHosts: () => [],
  });
  return {
    codeDir,
    async check(content, more = {}) {
      const problems = await typeCheck.check({ path: "handler.ts", content, isHandler: true, ...more });
      return problems.map(({ path, line, column, endColumn, message }) =>
        `${path} ${line}:${column}-${endColumn} ${message}`
      );
    },
    [Symbol.asyncDispose]: () => Deno.remove(home, { recursive: true }),
  };
}

Deno.test("a handler as the guide writes it, without a type in it, has no problems", async () => {
  await using bed = await bench();
  const problems = await bed.check(`export default async function (c, ctx) {
  const apiKey = await ctx.getSecret("STRIPE_API_KEY");
  if (!apiKey) {
    return c.json({ error: "Stripe API key not configured" }, 500);
  }
  const response = await fetch("https://api.stripe.com/v1/charges", {
    headers: { "Authorization": \`Bearer \${apiKey}\` },
  });
  return c.json(await response.json());
}
`);
  assert.deepEqual(problems, []);
});

Deno.test("an app with a fetch method is a handler, too, and has to return a Response", async () => {
  await using bed = await bench();
  const apps = [
    `export default { fetch: (request, env, ctx) => Response.json([request.url, env, ctx.requestId]) };`,
    `export default { async fetch(request: Request) { return new Response(await request.text()); } };`,
    `import { Hono } from "npm:hono@4.13.19";
const app = new Hono<{ Bindings: { ctx: { requestId: string } } }>();
app.get("/", (c) => c.text(c.env.ctx.requestId));
export default app;`,
  ];
  for (const app of apps) assert.deepEqual(await bed.check(app), [], app);
  const wrong = await bed.check(`export default { fetch: () => "text" };`);
  assert.match(wrong.join(), /^handler\.ts 1:1-2 The default export is not a handler that returns a Response/);
  assert.match((await bed.check(`export default { get: () => new Response() };`)).join(), /^handler\.ts 1:1-2 /);
});

Deno.test("mistakes are told at their lines and columns, also behind parameters that were given types", async () => {
  await using bed = await bench();
  const [first, second, third, ...more] = await bed.check(`export default async (c, ctx) => { c.jsonn({});
  const days: number = "seven";
  return c.text(ctx.getSecrets("A"));
};
`);
  assert.match(
    first!,
    /^handler\.ts 1:38-43 Property 'jsonn' does not exist on type 'Context<.*\. Did you mean 'json'/,
  );
  assert.match(second!, /^handler\.ts 2:9-13 Type 'string' is not assignable to type 'number'/);
  assert.match(third!, /^handler\.ts 3:21-31 Property 'getSecrets' does not exist.*Did you mean 'getSecret'/);
  assert.deepEqual(more, []);
});

Deno.test("a default export that is missing, or returns no Response, is told where it stands", async () => {
  await using bed = await bench();
  const missing = await bed.check("export const handler = 1;\n");
  assert.match(missing.join(), /^handler\.ts 1:1-2 A handler is the default export/);
  const forgotten = await bed.check("const a = 1;\nexport default function (c) {\n  c.json({ a });\n}\n");
  assert.match(forgotten.join(), /^handler\.ts 2:1-2 The default export is not a handler that returns a Response/);
});

Deno.test("a source that cannot be parsed is told at the place", async () => {
  await using bed = await bench();
  const problems = await bed.check("export default function (c) {\n  return c.json({ ;\n}\n");
  assert.match(problems.join(), /^handler\.ts 2:19-\d+ Unexpected token/);
});

Deno.test("imports from the code folder are checked with it, in folders too; a missing one is told", async () => {
  await using bed = await bench();
  await Deno.mkdir(join(bed.codeDir, "lib"));
  await Deno.writeTextFile(join(bed.codeDir, "lib/price.ts"), `export { tax } from "./tax.ts";\n`);
  await Deno.writeTextFile(join(bed.codeDir, "lib/tax.ts"), "export const tax: number = 19;\n");
  const code = (path: string) =>
    `import { tax } from "${path}";
export default (c) => c.text(tax);
`;
  const [wrong, ...more] = await bed.check(code("./lib/price.ts"));
  assert.match(wrong!, /^handler\.ts 2:\d+-\d+ No overload|^handler\.ts 2:\d+-\d+ Argument of type 'number'/);
  assert.deepEqual(more, []);
  const [missing] = await bed.check(code("./lib/none.ts"));
  assert.match(missing!, /^handler\.ts 1:21-\d+ Cannot find module 'lib\/none\.ts'/);
});

Deno.test("no file outside of the code folder is read for a check, or quoted", async () => {
  await using bed = await bench();
  const outside = join(bed.codeDir, "..", "keys.json");
  await Deno.writeTextFile(outside, `{"lookupKey": "hush"}`);
  await Deno.symlink(outside, join(bed.codeDir, "link.json"));
  for (const path of ["../keys.json", `file://${outside}`, outside, "../../keys.json", "./link.json"]) {
    const problems = await bed.check(`import keys from ${JSON.stringify(path)} with { type: "json" };
export default (c) => c.text(keys);
const wrong: number = keys;
`);
    assert.ok(problems.length > 0, path);
    assert.ok(!problems.join().includes("lookupKey"), `${path}: ${problems}`);
  }
  // Types alone, too.
  const types = await bed.check(`import type a from "file://${outside}";
const wrong: number = null as unknown as typeof a;
export default (c) => c.text("");
`);
  assert.match(types.join(), /outside the code folder/);
});

Deno.test("packages that were not fetched are not fetched for a check", async () => {
  await using registry = startNpmRegistry();
  await registry.publish({ name: "crude-pad", version: "1.0.0", files: { "index.js": "module.exports = () => 'a';" } });
  // A cache of its own, in which the package cannot be.
  const cacheDir = await Deno.makeTempDir({ prefix: "crude-functions-cache-" });
  await Deno.chmod(cacheDir, 0o711);
  try {
    await using bed = await bench({ cacheDir, fetchEnv: { NPM_CONFIG_REGISTRY: registry.url } });
    const problems = await bed.check(`import pad from "npm:crude-pad@1.0.0";
export default (c) => c.text(pad("a", 2));
`);
    assert.match(problems.join(), /crude-pad/);
    assert.deepEqual(registry.asked.filter((path) => path.includes("crude-pad")), []);
  } finally {
    await Deno.remove(cacheDir, { recursive: true });
  }
});

Deno.test("what is not a handler need not have a default export, and no parameter but c is taken for a context", async () => {
  await using bed = await bench();
  assert.deepEqual(
    await bed.check("export default function add(a, b) {\n  return a + b;\n}\n", { path: "add.ts", isHandler: false }),
    [],
  );
});

Deno.test("of checks that are asked for at once, so many wait and the rest is refused", async () => {
  await using bed = await bench();
  const answers = await Promise.allSettled(Array.from({ length: 9 }, () => bed.check("export default (;\n")));
  const refused = answers.filter(({ status }) => status === "rejected");
  assert.equal(refused.length, 1);
  assert.match(String((refused[0] as PromiseRejectedResult).reason), /Too many checks/);
});

Deno.test("columns behind annotations are those of the author's text", () => {
  const { source, originalColumn, exportLine } = annotate("// hi\nexport default (c, ctx) => c;\n", ["C", "X"], false);
  assert.equal(source, "// hi\nexport default (c: C, ctx: X) => c;\n");
  assert.equal(exportLine, 1);
  const at = (text: string) => originalColumn(1, source.split("\n")[1]!.indexOf(text));
  assert.deepEqual([at("c:"), at(", ctx"), at("ctx"), at(") =>"), at("c;")], [16, 17, 19, 22, 27]);
  assert.equal(originalColumn(0, 3), 3);
});

Deno.test("an error without a place is told without one", () => {
  assert.deepEqual(readDiagnostics("error: Something else\n    more of it\n"), [
    { address: "", line: 1, column: 1, endColumn: undefined, message: "Something else" },
  ]);
  assert.deepEqual(readDiagnostics("nothing at all"), []);
});

Deno.test("types of a file that deno.json maps to are those of that file, as crude types writes it", async () => {
  await using bed = await bench();
  await Deno.writeTextFile(join(bed.codeDir, "deno.json"), denoConfig());
  await Deno.writeTextFile(join(bed.codeDir, "crude.d.ts"), declarations(manifest.imports.hono, ["A"]));
  const handler = (body: string) =>
    `import type { Handler } from "crude";\nexport default (async (c, ctx) => { ${body} }) satisfies Handler;\n`;
  assert.deepEqual(await bed.check(handler(`return c.json({ a: await ctx.getSecret("A") });`)), []);
  const [problem, ...more] = await bed.check(handler("return c.jsn({});"));
  assert.deepEqual(more, []);
  assert.match(problem!, /^handler\.ts 2:\d+-\d+ Property 'jsn' does not exist on type/);
});
