// /api/deployments: files and functions change together, after checks, and an earlier state comes back.

import assert from "node:assert/strict";
import { join } from "node:path";
import { sha256Of } from "../../src/sha256.ts";
import { startApp } from "./app.ts";
import { deployed, on, post, saying } from "./deploying.ts";
import { createGroup, createKey, createSecret, deploy, save } from "./handlers.ts";
import type { Server } from "./server.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

const run = async (server: Server, path: string, headers: Record<string, string> = {}) => {
  const { status, body } = await server.api("GET", `/run${path}`, undefined, { "X-API-Key": "", ...headers });
  return status === 200 ? body : status;
};

Deno.test("contents are stored under their SHA-256, and a deployment names those that are missing", async () => {
  await using server = await startApp();
  const [first, second] = [saying("one"), saying("two")];
  const [one, two] = [sha256Of(first), sha256Of(second)];
  const missing = await server.api("POST", "/api/blobs/missing", { sha256: [two, one, one] });
  assert.deepEqual([missing.status, missing.body], [200, { missing: [one, two].sort() }]);
  const put = (sha256: string, content: string) =>
    server.api("PUT", `/api/blobs/${sha256}`, content, { "Content-Type": "text/plain" });
  assert.deepEqual(await put(one, first).then(({ status, body }) => [status, body]), [201, {
    sha256: one,
    size: first.length,
  }]);
  assert.equal((await put(one, first)).status, 200);
  const wrong = await put(two, first);
  assert.deepEqual([wrong.status, Object.keys(wrong.body.details)], [400, ["sha256"]]);
  assert.equal((await put("ABC", first)).status, 400);
  assert.equal((await put(two.toUpperCase(), second)).status, 400);
  const answer = await server.api("POST", "/api/deployments", { files: { "a.ts": one, "b.ts": two } });
  assert.deepEqual([answer.status, answer.body.code, answer.body.details], [409, "MissingBlobs", { missing: [two] }]);
  assert.deepEqual((await server.api("GET", "/api/files")).body.files, []);
});

Deno.test("files and functions are deployed together: the plan, the version, the audit, and calls", async () => {
  await using server = await startApp();
  const project = {
    message: "First release",
    files: {
      "hello.ts": `import { word } from "./lib/word.ts";\n${saying("x").replace('"x"', "word")}`,
      "lib/word.ts": `export const word = "hello";\n`,
    },
    functions: { hello: on("/hello", "hello.ts") },
  };
  const rehearsal = await post(server, { ...project, dryRun: true });
  assert.equal(rehearsal.status, 200);
  assert.deepEqual(rehearsal.body, {
    plan: {
      files: { created: ["hello.ts", "lib/word.ts"], changed: [], deleted: [], unchanged: 0 },
      functions: { created: ["hello"], changed: [], deleted: [], unchanged: 0 },
    },
    problems: [],
    warnings: [],
  });
  assert.deepEqual((await server.api("GET", "/api/functions")).body.functions, []);
  const first = await deployed(server, project);
  assert.deepEqual([first.id, first.version, first.message, first.actor.name], [
    1,
    1,
    "First release",
    "management/bootstrap",
  ]);
  assert.deepEqual(first.plan, rehearsal.body.plan);
  assert.equal(await run(server, "/hello"), "hello");
  assert.equal(await Deno.readTextFile(join(server.codeDir, "lib", "word.ts")), `export const word = "hello";\n`);

  const second = await deployed(server, {
    files: {
      "lib/word.ts": `export const word = "hi";\n`,
      "bye.ts": saying("bye"),
      "hello.ts": project.files["hello.ts"],
    },
    functions: { hello: on("/hello", "hello.ts"), bye: on("/bye", "bye.ts") },
  });
  assert.deepEqual(second.plan, {
    files: { created: ["bye.ts"], changed: ["lib/word.ts"], deleted: [], unchanged: 1 },
    functions: { created: ["bye"], changed: [], deleted: [], unchanged: 1 },
  });
  assert.deepEqual([await run(server, "/hello"), await run(server, "/bye")], ["hi", "bye"]);
  const { body } = await server.api("GET", "/api/versions");
  assert.deepEqual(body.versions.map(({ cause, message }: Json) => [cause, message]), [
    ["deployment", ""],
    ["deployment", "First release"],
  ]);
  const audit = await server.api("GET", "/api/audit?action=code.deployed");
  assert.deepEqual(audit.body.entries[1].after, {
    version: 1,
    files: { created: 2, changed: 0, deleted: 0 },
    functions: { created: 1, changed: 0, deleted: 0 },
  });
});

Deno.test("with prune, what is not listed goes; a function with secrets of its own only by force", async () => {
  await using server = await startApp();
  await deployed(server, {
    files: { "a.ts": saying("a"), "b.ts": saying("b"), "lib/c.ts": "1" },
    functions: { a: on("/a", "a.ts"), b: on("/b", "b.ts") },
  });
  // Without it, they stay, and null deletes one.
  await deployed(server, { files: { "lib/c.ts": null } });
  assert.deepEqual([...Deno.readDirSync(server.codeDir)].map(({ name }) => name).sort(), ["a.ts", "b.ts"]);
  const { body } = await server.api("GET", "/api/functions");
  const id = body.functions.find(({ name }: Json) => name === "b").id;
  await createSecret(server, "OWN", "value", { scope: "function", functionId: id });
  const project = { files: { "a.ts": saying("a") }, functions: { a: on("/a", "a.ts") }, prune: true };
  const refused = await post(server, project);
  assert.equal(refused.status, 422);
  assert.deepEqual(refused.body.details.problems.map(({ kind, function: name }: Json) => [kind, name]), [[
    "secret",
    "b",
  ]]);
  assert.equal(await run(server, "/b"), "b");
  const { plan } = await deployed(server, { ...project, force: true });
  assert.deepEqual([plan.files.deleted, plan.functions.deleted], [["b.ts"], ["b"]]);
  assert.equal(await run(server, "/b"), 404);
  assert.equal(await run(server, "/a"), "a");
});

Deno.test("problems of the code stop a deployment, with kind, function, file and line, and nothing is changed", async () => {
  await using server = await startApp({ checksLoads: true });
  await deployed(server, {
    files: { "ok.ts": saying("ok"), "lib/name.ts": `export const name = "ok";\n` },
    functions: { ok: on("/ok", "ok.ts") },
  });
  await createGroup(server, "partners");
  const cases: Record<
    string,
    [string, Record<string, unknown>, kind: string, message: RegExp, file?: string, line?: number]
  > = {
    "an import that is not there": [`import "./lib/none.ts";\n${saying("x")}`, {}, "import", /none\.ts/, "bad.ts"],
    "a package that is not declared": [
      `\n\nimport ms from "ms-not-declared";\n${saying("x")}`,
      {},
      "import",
      /ms-not-declared/,
      "bad.ts",
    ],
    "a throw while loading": [`\nthrow new Error("no luck");\n`, {}, "load", /no luck/, "bad.ts", 2],
    "no handler": ["export const a = 1;\n", {}, "load", /default export/, "bad.ts"],
    "a syntax error": ["export default (c) => {", {}, "load", /bad\.ts/, "bad.ts"],
    "a group that is not there": [saying("x"), { keys: ["strangers"] }, "group", /strangers/],
    "a route that is taken": [saying("x"), { route: "/ok" }, "route", /already answered by the function "ok"/],
    "a secret without a value": [
      `export default async (c, ctx) => c.text("Bearer " + await ctx.getSecret("MISSING"));\n`,
      {},
      "secret",
      /"MISSING" has no value for callers of a public function/,
      "bad.ts",
      1,
    ],
    "a secret that its patterns close": [
      `export default async (c, ctx) => {\n  const key = await ctx.getSecret("CLOSED");\n  return c.text(key);\n};\n`,
      { secrets: ["OPEN_*"] },
      "secret",
      /may not ask for the secret "CLOSED"/,
      "bad.ts",
      2,
    ],
  };
  for (const [about, [code, entry, kind, message, file, line]] of Object.entries(cases)) {
    const project = {
      files: { "bad.ts": code, "ok.ts": saying("new") },
      functions: { bad: { ...on("/bad", "bad.ts"), ...entry } },
    };
    const { status, body } = await post(server, project);
    assert.deepEqual([status, body.code], [422, "DeploymentProblems"], `${about}: ${JSON.stringify(body)}`);
    const [problem] = body.details.problems;
    assert.deepEqual([problem.kind, problem.function], [kind, "bad"], `${about}: ${JSON.stringify(problem)}`);
    assert.match(problem.message, message, about);
    if (file) assert.equal(problem.file, file, about);
    if (line) assert.equal(problem.line, line, `${about}: ${JSON.stringify(problem)}`);
    const dry = await post(server, { ...project, dryRun: true });
    assert.deepEqual([dry.status, dry.body.problems], [200, body.details.problems], about);
  }
  const typed = { files: { "ok.ts": `export default (c): number => c.text("ok");\n` } };
  const types = await post(server, { ...typed, types: true });
  const [wrong] = types.body.details.problems;
  assert.deepEqual([types.status, wrong.kind, wrong.function, wrong.file, wrong.line], [422, "type", "ok", "ok.ts", 1]);
  await deployed(server, { files: { "ok.ts": `export default (c) => c.text("typed");\n` }, types: true });
  await deployed(server, { files: { "ok.ts": saying("ok") } });
  // An importer of a changed file is checked, too.
  const importer = await post(server, {
    files: {
      "lib/name.ts": "export const other = 1;\n",
      "ok.ts": `import { name } from "./lib/name.ts";\nexport default (c) => c.text(name);\n`,
    },
  });
  assert.equal(importer.status, 422);
  await deployed(server, {
    files: { "ok.ts": `import { name } from "./lib/name.ts";\nexport default (c) => c.text(name);\n` },
  });
  const broken = await post(server, { files: { "lib/name.ts": "export const other = 1;\n" } });
  assert.deepEqual([broken.status, broken.body.details.problems[0].function], [422, "ok"]);
  const gone = await post(server, { files: { "ok.ts": null } });
  assert.match(gone.body.details.problems[0].message, /There is no file ok\.ts/);
  assert.equal(await run(server, "/ok"), "ok");
  assert.equal((await server.api("GET", "/api/functions")).body.functions.length, 1);
  // Deployed nevertheless, if that is wanted.
  await deployed(server, { files: { "lib/name.ts": "export const other = 1;\n" }, force: true });
  assert.equal(await run(server, "/ok"), 500);
});

Deno.test("a secret counts as there for every group that may call, in whichever scope; a default needs none", async () => {
  await using server = await startApp();
  const partners = await createGroup(server, "partners");
  const key = await createKey(server, partners, "acme");
  const files = {
    "pay.ts": `export default async (c, ctx) => {
  const needed = await ctx.getSecret("NEEDED");
  const level = await ctx.getSecret("LOG_LEVEL") ?? "info";
  const optional = await ctx.getSecret("OPTIONAL");
  if (!optional) console.log(level);
  return c.text(needed);
};\n`,
  };
  const functions = { pay: on("/pay", "pay.ts", { keys: ["partners"] }) };
  const refused = await post(server, { files, functions });
  assert.deepEqual(refused.body.details.problems.map(({ message }: Json) => message), [
    'The secret "NEEDED" has no value for keys of the group "partners".',
  ]);
  await createSecret(server, "NEEDED", "for one key", { scope: "key", keyId: key.id });
  const { body } = await post(server, { files, functions });
  // What the code can do without is a warning.
  assert.deepEqual(body.warnings.map(({ message }: Json) => /"(\w+)"/.exec(message)![1]).sort(), [
    "LOG_LEVEL",
    "OPTIONAL",
  ]);
  await createKey(server, partners, "second");
  assert.equal((await post(server, { files: { "pay.ts": files["pay.ts"] + "//\n" }, functions })).status, 422);
  await createSecret(server, "NEEDED", "for the group", { scope: "group", groupId: partners });
  assert.equal((await post(server, { files: { "pay.ts": files["pay.ts"] + "//\n" }, functions })).status, 201);
});

Deno.test("names are found whichever function of ctx asks for them, and each says what it can do without", async () => {
  await using server = await startApp();
  const files = {
    "sign.ts": `export default async (c, ctx) => {
  const versions = await ctx.getSecretVersions("SIGNING_KEY");
  const others = await ctx.getSecretVersions("OTHER_KEYS") ?? [];
  const all = await ctx.getCompleteSecret("ALL");
  if (all) console.log(others.length);
  return c.text(versions[0].value + (await ctx.getCompleteSecret(\`NEEDED\`)).name);
};\n`,
  };
  const { status, body } = await post(server, { files, functions: { sign: on("/sign", "sign.ts") } });
  assert.equal(status, 422);
  const named = (found: Json[]) => found.map(({ message, line }: Json) => [/"(\w+)"/.exec(message)![1], line]);
  assert.deepEqual(named(body.details.problems), [["SIGNING_KEY", 2], ["NEEDED", 6]]);
  for (const name of ["SIGNING_KEY", "NEEDED"]) await createSecret(server, name, "value");
  const deployed = await post(server, { files, functions: { sign: on("/sign", "sign.ts") } });
  assert.equal(deployed.status, 201);
  assert.deepEqual(named(deployed.body.warnings), [["OTHER_KEYS", 3], ["ALL", 4]]);
});

Deno.test("secrets are found in code that is nested as deep as a chain of 5,000 calls", async () => {
  await using server = await startApp();
  const chain = `const list = () => [1]${".concat(2)".repeat(5_000)};\n`;
  const code = `${chain}export default async (c, ctx) => c.text((await ctx.getSecret("DEEP")).trim());\n`;
  const { status, body } = await post(server, { files: { "a.ts": code }, functions: { a: on("/a", "a.ts") } });
  // The module itself may be too deep to load.
  assert.deepEqual([status, body.details.problems.at(-1).kind], [422, "secret"]);
});

Deno.test("functions swap their routes, and what is closed is not opened by leaving it out, even by force", async () => {
  await using server = await startApp();
  await createGroup(server, "partners");
  const files = { "a.ts": saying("a"), "b.ts": saying("b") };
  await deployed(server, { files, functions: { a: on("/one", "a.ts"), b: on("/two", "b.ts") } });
  await deployed(server, { files: {}, functions: { a: on("/two", "a.ts"), b: on("/one", "b.ts") } });
  assert.deepEqual([await run(server, "/one"), await run(server, "/two")], ["b", "a"]);
  await deployed(server, { files: {}, functions: { a: on("/two", "a.ts", { keys: ["partners"], secrets: ["A_*"] }) } });
  for (const force of [false, true]) {
    const opened = await post(server, { files: {}, functions: { a: on("/two", "a.ts") }, force });
    assert.deepEqual([opened.status, Object.keys(opened.body.details)], [400, ["functions.a.keys"]]);
  }
  const { body } = await post(server, { files: {}, functions: { a: on("/two", "a.ts") }, dryRun: true });
  assert.deepEqual(body.problems.map(({ kind }: Json) => kind), ["group", "secret"]);
  assert.equal(await run(server, "/two"), 401);
});

Deno.test("a rollback brings files and functions back, renamed and deleted ones too, and is a deployment itself", async () => {
  await using server = await startApp();
  const good = await deployed(server, {
    files: { "a.ts": saying("good a"), "b.ts": saying("good b") },
    functions: { a: on("/a", "a.ts"), b: on("/b", "b.ts") },
  });
  const before = (await server.api("GET", "/api/functions")).body.functions;
  const b = before.find(({ name }: Json) => name === "b").id;
  await createSecret(server, "OWN", "kept", { scope: "function", functionId: b });
  await deployed(server, {
    files: { "a.ts": saying("bad a"), "b.ts": null, "c.ts": saying("c") },
    functions: { c: on("/c", "c.ts"), b: on("/b2", "c.ts") },
  });
  await server.api("PUT", `/api/functions/${b}`, { name: "renamed" });
  await save(server, "a.ts", saying("worse a"));
  const dry = await server.api("POST", `/api/deployments/${good.id}/rollback`, { dryRun: true });
  assert.deepEqual(dry.body.plan.functions, { created: [], changed: ["b"], deleted: ["c"], unchanged: 1 });
  assert.equal(await run(server, "/a"), "worse a");
  const { status, body } = await server.api("POST", `/api/deployments/${good.id}/rollback`);
  assert.equal(status, 201, JSON.stringify(body));
  const { deployment } = body;
  assert.deepEqual([deployment.rollbackOf, deployment.state], [good.id, good.state]);
  assert.deepEqual([await run(server, "/a"), await run(server, "/b"), await run(server, "/c")], [
    "good a",
    "good b",
    404,
  ]);
  const after = (await server.api("GET", "/api/functions")).body.functions;
  assert.deepEqual(
    after.map(({ id, name, route }: Json) => [id, name, route]),
    before.map(({ id, name, route }: Json) => [id, name, route]),
  );
  assert.equal((await server.api("GET", "/api/secrets")).body.secrets[0].scopeName, "b");
  const listed = await server.api("GET", "/api/deployments?limit=2");
  assert.deepEqual(listed.body.deployments.map(({ id, rollbackOf }: Json) => [id, rollbackOf]), [[3, 1], [2, null]]);
  assert.equal(listed.body.live, good.state);
  const rest = await server.api("GET", `/api/deployments?cursor=${listed.body.next}`);
  assert.deepEqual(rest.body.deployments.map(({ id }: Json) => id), [1]);
  assert.deepEqual((await server.api("GET", "/api/deployments/1")).body.deployment, { ...good });
});

Deno.test("deployments come one after the other, and one that is late for its version gets 412", async () => {
  await using server = await startApp();
  const word = (n: number) => ({
    files: { [`f${n}.ts`]: saying(`${n}`) },
    functions: { [`f${n}`]: on(`/f${n}`, `f${n}.ts`) },
  });
  const all = await Promise.all(Array.from({ length: 5 }, (_, n) => deployed(server, word(n))));
  assert.deepEqual(all.map(({ version }) => version).sort(), [1, 2, 3, 4, 5]);
  for (let n = 0; n < 5; n++) assert.equal(await run(server, `/f${n}`), `${n}`);
  const late = await post(server, { ...word(7), ifVersion: 4 });
  assert.deepEqual([late.status, late.body.code], [412, "PreconditionFailed"]);
  await Deno.writeTextFile(join(server.codeDir, "f0.ts"), saying("edited"));
  // The edit on disk becomes a version first.
  const edited = await post(server, { ...word(7), ifVersion: 5 });
  assert.equal(edited.status, 412);
  const { version } = await deployed(server, { ...word(7), ifVersion: 6 });
  assert.equal(version, 7);
  assert.equal(await run(server, "/f0"), "edited");
});

Deno.test("a deployment outlasts files that are saved one after the other while it is checked", async () => {
  await using server = await startApp();
  const saving = (async () => {
    for (let number = 0; number < 200; number++) await save(server, "note.txt", `${number}`);
  })();
  await deployed(server, { files: { "a.ts": saying("a") }, functions: { a: on("/a", "a.ts") } });
  await saving;
  assert.deepEqual([await run(server, "/a"), (await server.api("GET", "/api/files/note.txt")).body], ["a", "199"]);
});

Deno.test("calls under way finish on the old code, the next call gets the new, and none fails", async () => {
  await using server = await startApp();
  const slow = (word: string) =>
    `export default async (c) => {
  const early = c.text("${word}");
  if (c.req.query("wait")) await new Promise((resolve) => setTimeout(resolve, 700));
  return early;
};\n`;
  await deployed(server, { files: { "slow.ts": slow("old") }, functions: { slow: on("/slow", "slow.ts") } });
  assert.equal(await run(server, "/slow"), "old");
  const underWay = run(server, "/slow?wait=1");
  let calling = true;
  const answers: unknown[] = [];
  const callers = Array.from({ length: 3 }, async () => {
    while (calling) answers.push(await run(server, "/slow"));
  });
  await deployed(server, { files: { "slow.ts": slow("new") } });
  assert.equal(await run(server, "/slow"), "new");
  await server.api("POST", "/api/deployments/1/rollback");
  assert.equal(await run(server, "/slow"), "old");
  calling = false;
  await Promise.all(callers);
  assert.equal(await underWay, "old");
  assert.deepEqual([...new Set(answers)].filter((answer) => answer !== "old" && answer !== "new"), []);
});

Deno.test("what a deployment must not name is refused by its path, and nothing is written", async () => {
  await using server = await startApp();
  const sha256 = sha256Of(saying("x"));
  await server.api("PUT", `/api/blobs/${sha256}`, saying("x"), { "Content-Type": "text/plain" });
  const cases: [body: unknown, field: string][] = [
    [{ files: { "../x.ts": sha256 } }, "files.../x.ts"],
    [{ files: { "/x.ts": sha256 } }, "files./x.ts"],
    [{ files: { ".env": sha256 } }, "files..env"],
    [{ files: { "lib/.env.local": sha256 } }, "files.lib/.env.local"],
    [{ files: { ".git/config": sha256 } }, "files..git/config"],
    [{ files: { "node_modules/a.js": sha256 } }, "files.node_modules/a.js"],
    [{ files: { "a": sha256, "a/b.ts": sha256 } }, "files.a/b.ts"],
    [{ files: JSON.parse(`{"__proto__": "${sha256}"}`) }, "files.__proto__"],
    [{ files: { "a.ts": "abc" } }, "files.a.ts"],
    [{ files: { "a.ts": 5 } }, "files.a.ts"],
    [{ files: [] }, "files"],
    [{}, "files"],
    [{ files: {}, prune: "yes" }, "prune"],
    [{ files: {}, ifVersion: -1 }, "ifVersion"],
    [{ files: {}, message: "a\nb" }, "message"],
    [{ files: {}, other: 1 }, "other"],
    [{ files: {}, functions: { x: { route: "/x" } } }, "functions.x.handler"],
    [{ files: {}, functions: { x: { route: "x", handler: "a.ts" } } }, "functions.x.route"],
    [{ files: {}, functions: { "": { route: "/x", handler: "a.ts" } } }, "functions."],
  ];
  for (const [body, field] of cases) {
    const answer = await server.api("POST", "/api/deployments", body);
    assert.equal(answer.status, 400, `${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`);
    assert.ok(
      Object.keys(answer.body.details).some((name) => name === field),
      `${field}: ${JSON.stringify(answer.body)}`,
    );
  }
  assert.equal((await server.api("POST", "/api/deployments?dryRun=true", { files: {} })).status, 400);
  assert.equal((await server.api("POST", "/api/deployments/9/rollback")).status, 404);
  assert.deepEqual((await server.api("GET", "/api/versions")).body.versions, []);
  // A link or a folder in the way.
  await Deno.mkdir(join(server.codeDir, "taken.ts"));
  const taken = await server.api("POST", "/api/deployments", { files: { "taken.ts": sha256 } });
  assert.deepEqual([taken.status, taken.body.code], [409, "Conflict"]);
  await Deno.symlink("/tmp", join(server.codeDir, "link"));
  assert.equal((await server.api("POST", "/api/deployments", { files: { "link/x.ts": sha256 } })).status, 409);
  assert.deepEqual([...Deno.readDirSync(server.codeDir)].map(({ name }) => name).sort(), ["link", "taken.ts"]);
});

Deno.test("a folder becomes a file and a file a folder, there and back, but not if another file is in the folder", async () => {
  await using server = await startApp();
  await deployed(server, { files: { "a/b/c.ts": "1", "d": "2" } });
  await deployed(server, { files: { "a/b/c.ts": null, "a": "3", "d": null, "d/e.ts": "4" } });
  const paths = async () => (await server.api("GET", "/api/files")).body.files.map(({ path }: Json) => path);
  assert.deepEqual(await paths(), ["a", "d/e.ts"]);
  assert.equal((await server.api("POST", "/api/deployments/1/rollback")).status, 201);
  assert.deepEqual(await paths(), ["a/b/c.ts", "d"]);
  await Deno.writeTextFile(join(server.codeDir, "a/.env"), "KEPT=1");
  const kept = await post(server, { files: { "a/b/c.ts": null, "a": "5" } });
  assert.deepEqual([kept.status, kept.body.error], [409, "a cannot be written: a is a folder that stays."]);
  assert.deepEqual(await paths(), ["a/.env", "a/b/c.ts", "d"]);
});

Deno.test("a deployment changes nothing behind a link, and no file that is too large for versions", async () => {
  await using server = await startApp();
  await deployed(server, { files: { "lib/a.ts": "1", "lib/b.ts": "2", "large.txt": "3" } });
  const outside = await Deno.makeTempDir();
  await Deno.writeTextFile(join(outside, "a.ts"), "1");
  await Deno.remove(join(server.codeDir, "lib"), { recursive: true });
  await Deno.symlink(outside, join(server.codeDir, "lib"));
  await Deno.truncate(join(server.codeDir, "large.txt"), 33 * 1024 * 1024);
  const [version] = (await server.api("GET", "/api/versions?limit=1")).body.versions;
  assert.deepEqual([version.cause, version.files], ["disk", 3]);
  const over = await post(server, { files: { "large.txt": "4" } });
  assert.deepEqual([over.status, Object.keys(over.body.details)], [409, ["large.txt"]]);
  assert.equal((await post(server, { files: { "lib/a.ts": "5" } })).status, 409);
  await deployed(server, { files: { "c.ts": "6" }, prune: true });
  assert.equal(await Deno.readTextFile(join(outside, "a.ts")), "1");
  assert.equal((await Deno.stat(join(server.codeDir, "large.txt"))).size, 33 * 1024 * 1024);
  await Deno.remove(outside, { recursive: true });
});

Deno.test("a stored content that was damaged counts as missing, and can be sent again", async () => {
  await using server = await startApp();
  const content = saying("whole");
  const sha256 = sha256Of(content);
  const put = () => server.api("PUT", `/api/blobs/${sha256}`, content, { "Content-Type": "text/plain" });
  const damage = () =>
    Deno.writeTextFile(join(server.dataDir, "blobs", sha256.slice(0, 2), sha256.slice(2)), saying("other"));
  assert.equal((await put()).status, 201);
  await damage();
  const answer = await server.api("POST", "/api/deployments", { files: { "a.ts": sha256 } });
  assert.deepEqual([answer.body.code, answer.body.details], ["MissingBlobs", { missing: [sha256] }]);
  assert.equal((await put()).status, 201);
  await damage();
  assert.equal((await put()).status, 201);
  await deployed(server, { files: { "a.ts": content }, functions: { a: on("/a", "a.ts") } });
  assert.equal(await run(server, "/a"), "whole");
});

Deno.test("a deployment whose content was purged cannot come back, and the answer names the file", async () => {
  await using server = await startApp();
  const functions = { a: on("/a", "a.ts") };
  await deployed(server, { files: { "a.ts": saying("purged") }, functions });
  await deployed(server, { files: { "a.ts": saying("kept") }, functions });
  assert.equal((await server.api("DELETE", "/api/versions/1/files/a.ts")).status, 200);
  const { status, body } = await server.api("POST", "/api/deployments/1/rollback");
  assert.deepEqual([status, body.code, body.details], [409, "Conflict", { "a.ts": "is no longer stored" }]);
  assert.equal(await run(server, "/a"), "kept");
});

Deno.test("an altered deployment or version is not used", async () => {
  await using server = await startApp();
  await deployed(server, { files: { "a.ts": saying("a") }, functions: { a: on("/a", "a.ts") } });
  await deploy(server, "other", saying("other"));
  const { DatabaseSync } = await import("node:sqlite");
  {
    using db = new DatabaseSync(join(server.dataDir, "database.db"));
    db.exec(
      "UPDATE deployments SET message = 'x'; UPDATE version_files SET size_bytes = 1 WHERE version_id = 1",
    );
  }
  for (const path of ["/api/deployments/1", "/api/versions/1"]) {
    assert.deepEqual([(await server.api("GET", path)).status, (await server.api("GET", path)).body.code], [
      409,
      "TamperedVersion",
    ]);
  }
  assert.equal((await server.api("POST", "/api/deployments/1/rollback")).body.code, "TamperedVersion");
  assert.equal((await server.api("POST", "/api/versions/1/restore")).body.code, "TamperedVersion");
});
