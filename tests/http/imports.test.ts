// Bare imports, config files, endings, CommonJS, JSX and raw imports, as in the projects that people have.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deploy, run, save } from "./handlers.ts";
import { startNpmRegistry } from "./npm_registry.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";

/** Writes files into the code folder as an editor does. */
async function write(
  server: Server,
  files: Record<string, string>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await Deno.mkdir(join(server.codeDir, path, ".."), { recursive: true });
    await Deno.writeTextFile(join(server.codeDir, path), content);
  }
}

async function answer(server: Server, path: string): Promise<string> {
  const { status, body } = await run(server, path);
  return `${status} ${typeof body === "string" ? body : JSON.stringify(body)}`;
}

Deno.test("imports as projects have them", async (t) => {
  await using server = await startApp();

  await t.step(
    "a bare import is resolved by the nearest deno.json, for each module by its own",
    async () => {
      await write(server, {
        "deno.jsonc":
          '{\n  // Used by all.\n  "imports": { "ms": "npm:ms@2.1.3", "@lib/": "./lib/", "money": "./lib/money.ts" },\n}',
        "lib/money.ts": 'import ms from "ms"; export const rate = ms(60000);',
        "old/deno.json": '{"imports": {"ms": "npm:ms@1.0.0", "unused": "npm:does-not-exist-for-certain@1"}}',
        "old/time.ts": 'import ms from "ms"; export const time = String(ms("1 year"));',
      });
      await deploy(
        server,
        "bare",
        `import { rate } from "@lib/money.ts"; import { rate as same } from "money"; import ms from "ms";
       import { time } from "./old/time.ts";
       export default (c) => c.json([rate, same, ms("1w"), time]);`,
      );
      // ms 1 knew no weeks.
      assert.equal(
        await answer(server, "/bare"),
        '200 ["1m","1m",604800000,"31557600000"]',
      );
    },
  );

  await t.step(
    "dependencies of the nearest package.json count, and deno.json before them",
    async () => {
      await write(server, {
        "pkg/package.json": '{"dependencies": {"ms": "^2.0.0", "time": "npm:ms@2.1.2"}}',
        "pkg/h.ts": 'import ms from "ms"; import t from "time"; export default (c) => c.text(ms(1000) + t(2000));',
      });
      await save(server, "viapkg.ts", 'export { default } from "./pkg/h.ts";');
      await deploy(server, "pkg", 'export { default } from "./pkg/h.ts";');
      assert.equal(await answer(server, "/pkg"), "200 1s2s");
    },
  );

  await t.step(
    "an edit of the file takes effect with the next call; one that changes nothing does not restart",
    async () => {
      await write(server, {
        "edit/deno.json": '{"imports": {"ms": "npm:ms@2.1.3"}}',
        "edit/h.ts": 'import ms from "ms"; let n = 0; export default (c) => c.json([typeof ms("1w"), ++n]);',
      });
      await deploy(server, "edit", 'export { default } from "./edit/h.ts";');
      assert.equal(await answer(server, "/edit"), '200 ["number",1]');
      await write(server, {
        "edit/deno.json": '{"imports": {"ms": "npm:ms@2.1.3", "chalk": "npm:chalk@5"}}',
      });
      assert.equal(await answer(server, "/edit"), '200 ["number",2]');
      await write(server, {
        "edit/deno.json": '{"imports": {"ms": "npm:ms@1.0.0"}}',
      });
      assert.equal(await answer(server, "/edit"), '200 ["undefined",1]');
    },
  );

  await t.step(
    "a file that appears in a nearer folder counts from then on, and one that goes no more",
    async () => {
      await write(server, {
        "near/h.ts": 'import ms from "ms"; export default (c) => c.text(typeof ms("1w"));',
      });
      await deploy(server, "near", 'export { default } from "./near/h.ts";');
      assert.equal(await answer(server, "/near"), "200 number");
      await write(server, {
        "near/deno.json": '{"imports": {"ms": "npm:ms@1.0.0"}}',
      });
      assert.equal(await answer(server, "/near"), "200 undefined");
      await Deno.remove(join(server.codeDir, "near/deno.json"));
      assert.equal(await answer(server, "/near"), "200 number");
    },
  );

  await t.step(
    "what is not declared is named with the line to add",
    async () => {
      assert.deepEqual(
        await save(
          server,
          "undeclared.ts",
          'import a from "ansi-colors"; export default () => a;',
        ),
        [
          '"ansi-colors" is not declared. Add "ansi-colors": "npm:ansi-colors" to "imports" in deno.jsonc.',
        ],
      );
      await write(server, { "p/package.json": "{}" });
      assert.deepEqual(
        await save(
          server,
          "fs.ts",
          'import fs from "fs"; import { join } from "node:path"; export default () => [fs, join];',
        ),
        [],
      );
    },
  );

  await t.step(
    "endings that are missing, or those of compiled files, lead to the one file that fits",
    async () => {
      await write(server, {
        "ends/util.ts": "export const util = 1;",
        "ends/view.tsx": "export const view = 2;",
        "ends/dir/index.ts": 'export { util as viaIndex } from "../util";',
        "ends/two.ts": "export const two = 1;",
        "ends/two.js": "export const two = 2;",
        "ends/three.js": "export const three = 2;",
        "ends/three.mjs": "export const three = 2;",
      });
      await deploy(
        server,
        "ends",
        `import { util } from "./ends/util"; import { view } from "./ends/view.js"; import { viaIndex } from "./ends/dir";
       import { two } from "./ends/two.js";
       export default (c) => { if (c.req.query("fail")) throw new Error("here"); return c.json([util, view, viaIndex, two]); }`,
      );
      assert.equal(await answer(server, "/ends"), "200 [1,2,1,2]");
      const [problem] = await save(
        server,
        "ambiguous.ts",
        'import { three } from "./ends/three"; export default () => three;',
      );
      assert.match(
        problem!,
        /Module not found "ends\/three"|could be "three\.js" or "three\.mjs"/,
      );
    },
  );

  await t.step(
    "CommonJS with named imports, require and module.exports",
    async () => {
      await write(server, {
        "cjs/main.js":
          'const y = require("./y"); const d = require("./d.json"); const ms = require("ms");\nmodule.exports = { named: 1, y: y.why, d, ms: ms("1m") };',
        "cjs/y.js": "exports.why = require('path').basename('/a/b');",
        "cjs/d.json": '{"k": 1}',
        "typed/package.json": '{"type": "commonjs"}',
        "typed/m.js": "exports.one = 1;",
      });
      await deploy(
        server,
        "cjs",
        `import { named, y } from "./cjs/main.js"; import all from "./cjs/main.js"; import { one } from "./typed/m.js";
       export default (c) => c.json([named, y, all, one]);`,
      );
      assert.equal(
        await answer(server, "/cjs"),
        '200 [1,"b",{"named":1,"y":"b","d":{"k":1},"ms":60000},1]',
      );
    },
  );

  await t.step("CommonJS that re-exports packages, modules of Node and files", async () => {
    const forms: Record<string, string> = {
      all: 'module.exports = require("ms");',
      constant: 'const ms = require("ms"); module.exports = ms;',
      property: 'exports.ms = require("ms");',
      spread: 'module.exports = { two: 2, ...require("path"), ...require("./own") };',
      conditional:
        'if (typeof Deno === "object") module.exports = require("ms"); else module.exports = require("./own");',
      member: 'module.exports = require("node:path").posix;',
      star: 'function __exportStar(m, e) { for (const k in m) e[k] = m[k]; } __exportStar(require("path"), exports);',
      chain: 'module.exports = require("./all");',
      own: "exports.own = 1;",
    };
    await write(
      server,
      Object.fromEntries(Object.entries(forms).map(([name, code]) => [`reexports/${name}.js`, code])),
    );
    await deploy(
      server,
      "reexports",
      `import all from "./reexports/all.js"; import constant from "./reexports/constant.js";
       import { ms } from "./reexports/property.js"; import spread, { own, two } from "./reexports/spread.js";
       import conditional from "./reexports/conditional.js"; import member from "./reexports/member.js";
       import star from "./reexports/star.js"; import chain from "./reexports/chain.js";
       const called = [all, constant, ms, conditional, chain].map((each) => each("1m"));
       export default (c) => c.json([called, own, two, [spread, member, star].map(({ basename }) => basename("/a/b"))]);`,
    );
    assert.equal(await answer(server, "/reexports"), '200 [[60000,60000,60000,60000,60000],1,2,["b","b","b"]]');
  });

  await t.step(
    "JSX is hono's without a pragma, and what deno.json says elsewhere",
    async () => {
      await write(server, {
        "jsx/plain.tsx": "export const plain = (name: string) => String(<b>{name}</b>);",
        "jsx/preact/deno.json":
          '{"imports": {"preact": "npm:preact@10"}, "compilerOptions": {"jsx": "react-jsx", "jsxImportSource": "preact"}}',
        "jsx/preact/view.tsx": "export const view = (<i>x</i>) as any;",
        "jsx/classic/deno.json": '{"compilerOptions": {"jsx": "react", "jsxFactory": "h"}}',
        "jsx/classic/view.tsx": "const h = (...all: unknown[]) => all; export const view = <i>x</i>;",
      });
      await deploy(
        server,
        "jsx",
        `import { plain } from "./jsx/plain.tsx"; import { view } from "./jsx/preact/view.tsx";
       export default (c) => c.json([plain("a<"), view.type, view.props.children]);`,
      );
      assert.equal(
        await answer(server, "/jsx"),
        '200 ["<b>a&lt;</b>","i","x"]',
      );
      await deploy(
        server,
        "classic",
        'import { view } from "./jsx/classic/view.tsx"; export default (c) => c.json(view);',
      );
      assert.equal(await answer(server, "/classic"), '200 ["i",null,"x"]');
      const [problem] = await save(
        server,
        "mixed.ts",
        'import "./jsx/plain.tsx"; import "./jsx/classic/view.tsx"; export default () => 1;',
      );
      assert.match(problem!, /compile JSX in different ways/);
    },
  );

  await t.step("files are imported as bytes, text and JSON", async () => {
    await write(server, {
      "raw/a.bin": "abc",
      "raw/a.txt": "text",
      "raw/a.json": '{"j": 1}',
    });
    await deploy(
      server,
      "raw",
      `import bytes from "./raw/a.bin" with { type: "bytes" }; import text from "./raw/a.txt" with { type: "text" };
       import json from "./raw/a.json" with { type: "json" };
       export default (c) => c.json([[...bytes], text, json]);`,
    );
    assert.equal(
      await answer(server, "/raw"),
      '200 [[97,98,99],"text",{"j":1}]',
    );
    await write(server, { "raw/a.txt": "edited" });
    assert.equal(
      await answer(server, "/raw"),
      '200 [[97,98,99],"edited",{"j":1}]',
    );
  });

  await t.step(
    "a broken file is a problem of the functions that need it, with its line, and of no other",
    async () => {
      await write(server, {
        "broken/deno.json": '{\n  "imports": {\n    "ms": \n  }\n}',
        "broken/wrong/deno.json": '{\n  "imports": []\n}',
        "broken/pkg/package.json": '{\n  "dependencies": {\n    "ms": 5\n  }\n}',
        "broken/git/package.json": '{\n  "dependencies": {\n    "ms": "git+https://example.com/ms.git"\n  }\n}',
      });
      const bare = 'import ms from "ms"; export default () => ms;';
      assert.match(
        (await save(server, "broken/bare.ts", bare))[0]!,
        /^broken\/deno\.json:4: the file is not valid JSON/,
      );
      assert.match(
        (await save(server, "broken/wrong/bare.ts", bare))[0]!,
        /^broken\/wrong\/deno\.json:2: "imports" must be an object/,
      );
      assert.deepEqual(
        await save(server, "broken/plain.ts", "export default () => 1;"),
        [],
      );
      assert.match(
        (await save(server, "broken/git/bare.ts", bare))[0]!,
        /^broken\/git\/package\.json:3: "ms" .*git\+https/,
      );
      assert.match(
        (await save(server, "broken/pkg/bare.ts", bare))[0]!,
        /^broken\/pkg\/package\.json:3: "ms" in "dependencies" must be a string/,
      );
    },
  );
});

Deno.test("what is wrong with the code is reported once, and what is not declared with an entry that works", async (t) => {
  await using registry = startNpmRegistry();
  const packages = { "crude-ms": "1.0.0", "crude-colors": "1.2.0", "@crude/scoped": "2.0.0", "crude-other": "3.0.0" };
  for (const [name, version] of Object.entries(packages)) {
    const files = { "index.js": `module.exports = "${name}";`, "sub.js": `module.exports = "${name} sub";` };
    await registry.publish({ name, version, files });
  }
  const cacheDir = await Deno.makeTempDir({ prefix: "crude-functions-cache-" });
  await Deno.chmod(cacheDir, 0o711);
  try {
    await using server = await startApp({ env: { NPM_CONFIG_REGISTRY: registry.url, CACHE_DIR: cacheDir } });
    // What is fetched besides is what used to bring a second sentence, of Deno's own.
    const code = (imported: string) =>
      `import ms from "npm:crude-ms@1"; ${imported} export default (c) => c.text(ms + x);`;
    const problemsOf = async (folder: string, files: Record<string, string>): Promise<string[]> => {
      const { "h.ts": handler, ...others } = files;
      await write(
        server,
        Object.fromEntries(Object.entries(others).map(([path, text]) => [`${folder}/${path}`, text])),
      );
      return await save(server, `${folder}/h.ts`, handler!);
    };
    const undeclared: Record<string, { files: Record<string, string>; name: string; works: string }> = {
      "in the handler": {
        files: { "h.ts": code('import x from "crude-colors";') },
        name: "crude-colors",
        works: "crude-mscrude-colors",
      },
      "in a file that it imports": {
        files: { "lib/a.ts": 'export { default } from "crude-colors";', "h.ts": code('import x from "./lib/a.ts";') },
        name: "crude-colors",
        works: "crude-mscrude-colors",
      },
      "by a path in the package": {
        files: { "h.ts": code('import x from "crude-colors/sub.js";') },
        name: "crude-colors",
        works: "crude-mscrude-colors sub",
      },
      "in a scope": {
        files: { "h.ts": code('import x from "@crude/scoped";') },
        name: "@crude/scoped",
        works: "crude-ms@crude/scoped",
      },
      "by require": {
        files: {
          "a.js": 'const x = require("crude-colors");\nmodule.exports = x;',
          "h.ts": code('import x from "./a.js";'),
        },
        name: "crude-colors",
        works: "crude-mscrude-colors",
      },
      "by import()": {
        files: { "h.ts": code('const { default: x } = await import("crude-colors");') },
        name: "crude-colors",
        works: "crude-mscrude-colors",
      },
      "twice": {
        files: { "h.ts": code('import x from "crude-colors"; import "crude-colors/sub.js";') },
        name: "crude-colors",
        works: "crude-mscrude-colors",
      },
      "next to a deno.json": {
        files: { "deno.json": '{"imports": {"ms": "npm:crude-ms@1"}}', "h.ts": code('import x from "crude-colors";') },
        name: "crude-colors",
        works: "crude-mscrude-colors",
      },
      "next to a package.json": {
        files: { "package.json": '{"dependencies": {}}', "h.ts": code('import x from "crude-colors";') },
        name: "crude-colors",
        works: "crude-mscrude-colors",
      },
      "next to a package.json, of no known version": {
        files: { "package.json": '{"dependencies": {}}', "h.ts": code('import x from "crude-other";') },
        name: "crude-other",
        works: "crude-mscrude-other",
      },
    };
    let count = 0;
    /** Names of which a version is known, as a function was saved that has one. */
    const known = new Set<string>();
    for (const [what, { files, name, works }] of Object.entries(undeclared)) {
      await t.step(what, async () => {
        const folder = `u${++count}`;
        const [problem, ...more] = await problemsOf(folder, files);
        assert.deepEqual(more, []);
        const [, target, version, part, file] =
          /^"([^"]+)" is not declared\. Add "\1": "(?:npm:\1@?)?([^"]*)" to "(imports|dependencies)" in ([^ ]+\.json)\./
            .exec(problem!) ?? assert.fail(problem);
        assert.equal(target, name);
        assert.match(version!, known.has(name) ? /^\^\d\.\d\.0$/ : /^\*?$/);
        // The entry, put where the sentence says.
        const [, entry] = /Add ("[^"]+": "[^"]+") to/.exec(problem!)!;
        const [, whole] = /This file does not exist yet: save one with the content (\{.+\})\.$/.exec(problem!) ?? [];
        const existing = files[file!.replace(`${folder}/`, "")];
        assert.equal(whole === undefined, existing !== undefined, problem);
        const config = JSON.parse(whole ?? existing!);
        if (whole === undefined) Object.assign(config[part!], JSON.parse(`{${entry}}`));
        await write(server, { [existing === undefined ? `${folder}/${file}` : file!]: JSON.stringify(config) });
        const { "deno.json": _, "package.json": __, ...others } = files;
        assert.deepEqual(await problemsOf(folder, others), []);
        known.add(name);
        await deploy(server, folder, `export { default } from "./${folder}/h.ts";`);
        assert.equal(await answer(server, `/${folder}`), `200 ${works}`);
      });
    }

    await t.step("names that no package can have", async () => {
      for (const name of ["@/lib/x.ts", "~/x.ts", "$lib", "_x/y"]) {
        const problems = await problemsOf("alias", { "h.ts": code(`import x from "${name}";`) });
        assert.equal(problems.length, 1, problems.join("\n"));
        const [, key] = /is not declared\. Add "([^"]+)": ".\/" to "imports" in deno\.json, with the folder/.exec(
          problems[0]!,
        )!;
        assert.ok(`${name}/`.startsWith(key!), name);
      }
      const hash = await problemsOf("hash", { "h.ts": code('import x from "#lib/x";') });
      assert.equal(hash.length, 1);
      assert.match(hash[0]!, /^hash\/h\.ts:1: "#lib\/x" cannot be declared because it begins with "#"/);
      const std = await problemsOf("std", { "h.ts": code('import x from "@std/none";') });
      assert.equal(std.length, 1);
      assert.match(std[0]!, /"@std\/none": "jsr:@std\/none"/);
    });

    await t.step("other mistakes next to a package that is fetched", async () => {
      const mistakes: Record<string, [files: Record<string, string>, message: RegExp]> = {
        syntax: [{ "a.ts": "export const = 1;", "h.ts": code('import x from "./a.ts";') }, /^SyntaxError/],
        missing: [{ "h.ts": code('import x from "./none.ts";') }, /^Module not found "missing\/none\.ts"/],
        outside: [{ "h.ts": code('import x from "../../none.ts";') }, /is outside the code folder/],
        "no-tls": [
          { "h.ts": code('import x from "http://x.example/y.ts";') },
          /"x\.example:80" may not .* sandbox\.import-hosts/,
        ],
        "no-host": [
          { "h.ts": code('import x from "https://x.example/y.ts";') },
          /"x\.example:443" may not .* sandbox\.import-hosts/,
        ],
        "later": [{
          "a.ts": 'export default await import("https://x.example/y");',
          "h.ts": code('import x from "./a.ts";'),
        }, /sandbox\.import-hosts/],
        entry: [
          { "deno.json": '{"imports": {"x": "y"}}', "h.ts": code('import x from "x";') },
          /^entry\/deno\.json:1: "x" in "imports" must be/,
        ],
      };
      for (const [folder, [files, message]] of Object.entries(mistakes)) {
        const problems = await problemsOf(folder, files);
        assert.equal(problems.length, 1, problems.join("\n"));
        assert.match(problems[0]!, message);
      }
    });

    await t.step("ranges of package.json that a specifier cannot hold", async () => {
      const versions = ["0.3.0", "1.0.0", "1.4.2", "2.0.0", "2.3.4", "3.0.0"];
      for (const version of versions) {
        const files = { "index.js": `module.exports = "${version}";` };
        await registry.publish({ name: "crude-many", version, files });
      }
      const wanted: Record<string, string> = {
        "^1.0.0": "1.4.2",
        "~1.4.0": "1.4.2",
        "1.x": "1.4.2",
        "2": "2.3.4",
        "v2.0.0": "2.0.0",
        "=2.0.0": "2.0.0",
        ">=1.0.0 <2": "1.4.2",
        "1.0.0 - 2.0.0": "1.4.2",
        "<3": "2.3.4",
        "<1.0.0": "0.3.0",
        "<=1.4.2": "1.4.2",
        "^1.0.0 || ^2.0.0": "2.3.4",
        "2.x || 1.x": "2.3.4",
        ">=3": "3.0.0",
        "npm:crude-many@>=1.0.0 <2": "1.4.2",
        "*": "3.0.0",
        "": "3.0.0",
        latest: "3.0.0",
      };
      const found: Record<string, unknown> = {};
      const asked = Object.keys(wanted);
      for (const [index, range] of asked.entries()) {
        await write(server, { [`r${index}/package.json`]: JSON.stringify({ dependencies: { "crude-many": range } }) });
        const handler = 'import v from "crude-many"; export default (c) => c.text(v);';
        assert.deepEqual(await save(server, `r${index}/h.ts`, handler), [], range);
        const created = { name: `r${index}`, handler: `r${index}/h.ts`, route: `/r${index}` };
        assert.equal((await server.api("POST", "/api/functions", created)).status, 201);
        found[range] = (await run(server, `/r${index}`)).body;
      }
      assert.deepEqual(found, wanted);
    });

    await t.step("types that cannot be had keep nothing from running", async () => {
      const files = { "h.ts": code('import type { X } from "crude-types"; const x: X = 1;') };
      assert.deepEqual(await problemsOf("types", files), []);
    });
  } finally {
    await Deno.remove(cacheDir, { recursive: true });
  }
});

/** Prints what an import leads to, or why it fails. */
const PEEK = (specifier: string, how = "") =>
  `export default async (c) => c.text(await import(${JSON.stringify(specifier)}${how})
    .then((found) => "got " + JSON.stringify(found.default ?? Object.keys(found)), (error) => "refused"));`;

Deno.test("config files lead nowhere that code may not be imported from, and do nothing else", async (t) => {
  await using server = await startApp();
  const keyFile = join(server.dataDir, "encryption-keys.json");
  const outside = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  await Deno.writeTextFile(join(outside, "secret.json"), '"stolen"');
  await Deno.mkdir(join(outside, "deno"));
  await Deno.writeTextFile(join(outside, "deno/deno.json"), '{"imports": {"x": "stolen-line"}, "stolen": true');
  const workers = fileURLToPath(new URL("../../workers/supervisor.ts", import.meta.url));
  let count = 0;
  /** Problems at saving, and what the call answers. */
  const attempt = async (config: unknown, specifier: string, how = "", name = "deno.json"): Promise<string> => {
    const folder = `a${++count}`;
    await write(server, { [`${folder}/${name}`]: typeof config === "string" ? config : JSON.stringify(config) });
    const problems = await save(server, `${folder}/h.ts`, PEEK(specifier, how));
    await deploy(server, folder, `export { default } from "./${folder}/h.ts";`);
    const { body } = await run(server, `/${folder}`);
    assert.ok(!JSON.stringify([problems, body]).includes("stolen"), JSON.stringify([problems, body]));
    return `${body} ${problems.join(" ")}`;
  };
  const json = ", { with: { type: 'json' } }";

  await t.step("values that are not allowed are problems with their line, and open nothing", async () => {
    const up = "../".repeat(20);
    for (
      const value of [
        keyFile,
        `file://${keyFile}`,
        `${up.slice(0, -1)}${keyFile}`,
        `./${up}${keyFile.slice(1)}`,
        `./${encodeURIComponent("../").repeat(20)}${keyFile.slice(1)}`,
        `./%2e%2e/%2e%2e/data/encryption-keys.json`,
        `.\\..\\..\\data\\encryption-keys.json`,
        `data:text/javascript,export { default } from ${JSON.stringify(`file://${keyFile}`)} with { type: "json" }`,
        "http://esm.sh/ms",
        "https://example.com/ms.js",
        "https://user@evil.example/x",
        "blob:null/x",
        workers,
        ".",
        "",
        "ms",
      ]
    ) {
      const found = await attempt({ imports: { x: value } }, "x", json);
      assert.match(found, /^refused .*a\d+\/deno\.json:1: "x" in "imports" /, value);
    }
    for (
      const value of [
        "file:../x",
        "link:../x",
        "workspace:*",
        "git+ssh://a@b/c.git",
        "https://x.example/a.tgz",
        "../x",
        "user/repo",
      ]
    ) {
      const found = await attempt({ dependencies: { x: value } }, "x", "", "package.json");
      assert.match(found, /^refused .*a\d+\/package\.json:1: "x" in "dependencies" /, value);
    }
    for (const name of ["../x", "a/b/c", "@x", "..", "x y"]) {
      assert.match(
        await attempt({ dependencies: { [name]: "1" } }, name.startsWith(".") ? "x" : name, "", "package.json"),
        /^refused/,
        name,
      );
    }
  });

  await t.step("keys that are no bare names have no effect, and are named", async () => {
    for (const key of ["./h.ts", "/", "../", "https://esm.sh/", "npm:ms@2", "file:///", "node:fs", "#x"]) {
      const found = await attempt({ imports: { [key]: "./h.ts", x: "./h.ts" } }, "x");
      assert.match(found, /"imports" is not a bare name/, key);
    }
  });

  await t.step("prefixes do not climb out of their folder", async () => {
    for (
      const rest of ["../../data/encryption-keys.json", "%2e%2e/%2e%2e/data/encryption-keys.json", "..%2f..%2fdata/x"]
    ) {
      const found = await attempt({ imports: { "x/": "./lib/" } }, `x/${rest}`, json);
      assert.match(found, /^refused/, rest);
    }
  });

  await t.step("links, also to config files, are not followed", async () => {
    await Deno.mkdir(join(server.codeDir, "links"));
    await Deno.symlink(outside, join(server.codeDir, "links/out"));
    await Deno.symlink(join(outside, "deno/deno.json"), join(server.codeDir, "links/deno.json"));
    const problems = await save(server, "links/h.ts", PEEK("x"));
    assert.match(problems.join(), /links\/deno\.json is not a file, so it is not read/);
    assert.ok(!problems.join().includes("stolen"));
    assert.match(
      await attempt({ imports: { x: "../links/out/secret.json" } }, "x", json),
      /^refused .*leads through a link/,
    );
    assert.match(
      await attempt({ imports: { "x/": "../links/out/" } }, "x/secret.json", json),
      /^refused .*leads through a link/,
    );
  });

  await t.step("jsxImportSource is bound by the same rules", async () => {
    for (
      const source of [`file://${keyFile}`, "../../data", "https://example.com/jsx", keyFile, "data:text/javascript,"]
    ) {
      const folder = `jsx${++count}`;
      await write(server, {
        [`${folder}/deno.json`]: JSON.stringify({ compilerOptions: { jsx: "react-jsx", jsxImportSource: source } }),
      });
      const problems = await save(server, `${folder}/h.tsx`, "export default (c) => c.html(<b>x</b>);");
      assert.match(problems.join(), /deno\.json:1: "jsxImportSource"/, source);
    }
  });

  await t.step("nothing else in them counts: no lock, links, tasks, permissions, workspace or import map", async () => {
    await write(server, {
      "else/linked/package.json": '{"name": "ms", "version": "2.9.9", "main": "index.js"}',
      "else/linked/index.js": "module.exports = () => 'stolen';",
      "else/map.json": '{"imports": {"hidden": "npm:ms@2.1.3"}}',
      "else/node_modules/ms/index.js": "module.exports = () => 'stolen';",
      "else/deno.json": JSON.stringify({
        imports: { ms: "npm:ms@2.1.3" },
        importMap: "./map.json",
        scopes: { "./": { hidden: "npm:ms@2.1.3" } },
        links: ["./linked"],
        patch: ["./linked"],
        lock: "./stolen.lock",
        vendor: true,
        nodeModulesDir: "auto",
        workspace: ["./linked"],
        tasks: { start: "echo stolen > /tmp/stolen" },
        permissions: { default: { read: true } },
        unstable: ["sloppy-imports", "ffi"],
        preload: ["./linked/index.js"],
      }),
    });
    const problems = await save(
      server,
      "else/h.ts",
      `import ms from "ms"; import config from "./deno.json" with { type: "json" };
       export default async (c) => c.json([ms(1000), config.vendor, await import("hid" + "den").catch(() => "refused"),
         await Deno.readTextFile(${JSON.stringify(keyFile)}).catch(() => "refused")]);`,
    );
    assert.deepEqual(problems, []);
    await deploy(server, "else", 'export { default } from "./else/h.ts";');
    assert.equal(await answer(server, "/else"), '200 ["1s",true,"refused","refused"]');
    const left = [...Deno.readDirSync(join(server.codeDir, "else"))].map(({ name }) => name).sort();
    assert.deepEqual(left, ["deno.json", "h.ts", "linked", "map.json", "node_modules"]);
  });

  await t.step("a package.json in the code opens no path with node_modules in it", async () => {
    await write(server, {
      "trap/package.json": '{"name": "trap", "dependencies": {}}',
      "trap/h.ts": `import own from "./package.json" with { type: "json" };
        const look = (path) => import("file://" + path, { with: { type: "json" } }).then(() => "got", () => "refused");
        export default async (c) => c.json([own.name, await look(${
        JSON.stringify(join(outside, "node_modules/x/a.json"))
      })]);`,
    });
    await Deno.mkdir(join(outside, "node_modules/x"), { recursive: true });
    await Deno.writeTextFile(join(outside, "node_modules/x/a.json"), '"stolen"');
    await Deno.chmod(outside, 0o755);
    await deploy(server, "trap", 'export { default } from "./trap/h.ts";');
    assert.equal(await answer(server, "/trap"), '200 ["trap","refused"]');
  });

  await t.step("what is named .env, .git, .crude or node_modules is never part of a function", async () => {
    for (
      const path of [
        ".env",
        ".env.local",
        ".git/config",
        ".crude/x",
        "node_modules/x/index.js",
        "sub/.ENV",
        "sub/.env.ts",
      ]
    ) {
      await write(server, { [path]: '"stolen"' });
      const how = /\.[jt]s$/.test(path) ? "" : " with { type: 'text' }";
      const name = `n${++count}`;
      await save(server, `${name}.ts`, `import x from "./${path}"${how}; export default (c) => c.text(x);`);
      const problems = await save(
        server,
        `${name}.ts`,
        `import x from "./${path}"${how}; export default (c) => c.text(x);`,
      );
      assert.match(problems.join(), /cannot be imported/, path);
      await deploy(server, name, `import x from "./${path}"${how}; export default (c) => c.text(String(x));`);
      const { status, body } = await run(server, `/${name}`);
      assert.equal(status, 500, path);
      assert.ok(!JSON.stringify([body, problems]).includes("stolen"), path);
    }
  });
  await Deno.remove(outside, { recursive: true });
});
