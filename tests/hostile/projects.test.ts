// Projects: what a code folder holds beside modules (config files, links, packages, files for reading), used to reach
// what lies outside of it.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { startNpmRegistry } from "../http/npm_registry.ts";
import { type Arena, type Outcome, testWithAndWithoutRoot as test, withArena } from "./arena.ts";

/** What lies outside of the code folder, each with a value that no handler may see. */
interface Outside {
  /** A folder with modules, data, a JSX runtime and a package. */
  readonly folder: string;
  readonly keyFile: string;
  /** The server's own code. */
  readonly program: string;
}

async function makeOutside({ server, plant, guard }: Arena): Promise<Outside> {
  const folder = join(server.codeDir, "..", "outside");
  const value = plant("outside");
  const jsx =
    `const f = () => "${value}"; export { f as jsx, f as jsxs, f as jsxDEV, f as jsxTemplate, f as Fragment };`;
  const files: Record<string, string> = {
    "stolen.ts": `export default "${value}";`,
    "index.js": `module.exports = "${value}";`,
    "data.json": JSON.stringify(value),
    "jsx-runtime": jsx,
    "jsx-runtime.js": jsx,
    "jsx-runtime.ts": jsx,
    "jsx-dev-runtime": jsx,
    "package.json": JSON.stringify({
      name: "crude-functions-outside",
      version: "1.0.0",
      main: "index.js",
    }),
    "deno.json": JSON.stringify({
      name: "@outside/outside",
      version: "1.0.0",
      exports: "./stolen.ts",
    }),
    "imports.json": JSON.stringify({ imports: { mapped: "./stolen.ts" } }),
    ".env": `VALUE=${value}`,
  };
  await Deno.mkdir(folder);
  for (const [name, content] of Object.entries(files)) {
    await Deno.writeTextFile(join(folder, name), content);
  }
  // What counts for every module below it, were it looked for above the code folder.
  const above = JSON.stringify({
    imports: { above: "./outside/stolen.ts" },
    dependencies: { above: "file:outside" },
  });
  for (const name of ["deno.json", "package.json"]) {
    await Deno.writeTextFile(join(folder, "..", name), above);
  }
  const program = await Deno.readLink(`/proc/${server.pid}/cwd`);
  const [line] = (await Deno.readTextFile(join(program, "src/keyring/key_file.ts"))).split(
    "\n",
  );
  guard("the server's source", line!);
  return {
    folder,
    keyFile: join(server.dataDir, "encryption-keys.json"),
    program,
  };
}

/** Makes a folder of the code folder, and those above it, which the server's user may write to. */
async function makeFolder(codeDir: string, path: string): Promise<void> {
  const { uid, gid } = await Deno.stat(codeDir);
  await Deno.mkdir(join(codeDir, path), { recursive: true });
  for (let made = path; made !== "."; made = dirname(made)) await Deno.chown(join(codeDir, made), uid, gid);
}

const UP = "../".repeat(12);

/** Ways to write the absolute path `path` as an address, from any folder. */
const SPELLINGS: Record<string, (path: string) => string> = {
  absolute: (path) => path,
  url: (path) => `file://${path}`,
  urlOfHost: (path) => `file://localhost${path}`,
  urlInCapitals: (path) => `FILE://${path}`,
  urlWithoutSlashes: (path) => `file:${path}`,
  doubleSlash: (path) => `/${path}`,
  dots: (path) => `${UP}${path.slice(1)}`,
  dotsAfterHere: (path) => `./a/../${UP}${path.slice(1)}`,
  encodedDots: (path) => `./${"%2e%2e/".repeat(12)}${path.slice(1)}`,
  encodedSlash: (path) => `./${"..%2f".repeat(12)}${path.slice(1).replaceAll("/", "%2F")}`,
  encodedTwice: (path) => `./${"%252e%252e/".repeat(12)}${path.slice(1)}`,
  backslash: (path) => `./${"..\\".repeat(12)}${path.slice(1).replaceAll("/", "\\")}`,
  encodedBackslash: (path) => `./${"..%5C".repeat(12)}${path.slice(1).replaceAll("/", "%5c")}`,
  query: (path) => `${UP}${path.slice(1)}?x=.ts#y`,
  nul: (path) => `${UP}${path.slice(1)}%00.ts`,
  tab: (path) => `.\t./${UP}${path.slice(1)}`,
  link: (path) => `./to-root${path}`,
  linkOfFolder: (path) => `./sub/../to-root${path}`,
  data: (path) =>
    `data:text/javascript,${
      encodeURIComponent(
        `export { default } from "file://${path}" with { type: "text" }`,
      )
    }`,
  npm: (path) => `npm:${UP}${path.slice(1)}`,
  npmSlash: (path) => `npm:/${path}@1`,
  npmInside: (path) => `npm:ms@2.1.3/${UP}${path.slice(1)}`,
  jsr: (path) => `jsr:@std/../../${path.slice(1)}`,
  node: (path) => `node:${path}`,
  blob: (path) => `blob:file://${path}`,
  imported: (path) => `import:${path}`,
};
/** Those that Deno itself understands; the others are there in case it, or this server, once does. */
const UNDERSTOOD = [
  "absolute",
  "url",
  "dots",
  "dotsAfterHere",
  "encodedDots",
  "link",
  "data",
];

/** An attempt for each address: an import of `<prefix><n>`, which the config file maps to it. */
function importsOf(
  addresses: Record<
    string,
    [address: string, type: "text" | "json" | "module"]
  >,
) {
  const imports: Record<string, string> = {};
  const attempts: Record<string, string> = {};
  for (
    const [index, [name, [address, type]]] of Object.entries(addresses)
      .entries()
  ) {
    imports[`stolen${index}`] = address;
    attempts[name] = importOf(`stolen${index}`, type);
  }
  return { imports, attempts };
}

/** Written out, so that the look for imports finds it. */
function importOf(specifier: string, type: "text" | "json" | "module"): string {
  const options = type === "module" ? "" : `, { with: { type: "${type}" } }`;
  return `return (await import(${JSON.stringify(specifier)}${options})).default`;
}

/** Nothing was made, removed or changed where a config file might have let Deno write. */
async function assertUntouched(
  { server }: Arena,
  { folder, keyFile, program }: Outside,
  keys: string,
): Promise<void> {
  assert.equal(await Deno.readTextFile(keyFile), keys);
  for (
    const place of [
      server.codeDir,
      join(server.codeDir, "unread"),
      join(server.codeDir, "packaged"),
      folder,
      program,
      server.dataDir,
    ]
  ) {
    for (
      const name of ["node_modules", "vendor", "hostile.lock", "installed"]
    ) {
      const made = await Deno.lstat(join(place, name)).catch(() => undefined);
      assert.equal(made, undefined, join(place, name));
    }
  }
}

test("theft by way of config files: imports, scopes, JSX, dependencies, and fields without an effect", (withArena) =>
  withArena("theft through config files", async (arena) => {
    const { server } = arena;
    const outside = await makeOutside(arena);
    const { folder, keyFile, program } = outside;
    const keys = await Deno.readTextFile(keyFile);
    for (const place of [".", "exact", "prefixed", "unread", "packaged", "required"]) {
      await makeFolder(server.codeDir, join(place, "sub"));
      await Deno.symlink("/", join(server.codeDir, place, "to-root"));
    }
    const targets: [path: string, type: "text" | "json" | "module"][] = [
      [keyFile, "text"],
      ["/etc/passwd", "text"],
      [join(folder, "stolen.ts"), "module"],
      [join(folder, "data.json"), "json"],
      [join(program, "src/keyring/key_file.ts"), "text"],
      [join(program, "workers/bootstrap.ts"), "module"],
    ];
    const addresses: Parameters<typeof importsOf>[0] = {};
    for (const [spelling, spell] of Object.entries(SPELLINGS)) {
      for (const [path, type] of targets) {
        addresses[`${spelling} ${path} ${type}`] = [spell(path), type];
      }
    }
    const { port } = new URL(server.url);
    for (
      const [index, host] of [
        "127.0.0.1",
        "localhost",
        "jsr.io@127.0.0.1",
        "jsr.io.localhost",
        "[::1]",
      ].entries()
    ) {
      addresses[`https ${host}`] = [`https://${host}:${port}/health`, "module"];
      addresses[`http ${host}`] = [
        `http://${host}:${port}/health?${index}`,
        "json",
      ];
    }
    const exact = importsOf(addresses);

    // Of a file at the top, of one in a folder, and of one with comments: all are one mechanism, so once each.
    const control = await (async () => {
      await Deno.mkdir(join(folder, "control"));
      await Deno.symlink("/", join(folder, "control/to-root"));
      const controlConfig = join(folder, "control/deno.json");
      // With what may fail as a whole left out, Deno takes the rest.
      const known = Object.fromEntries(
        Object.entries(addresses).filter(([name]) => UNDERSTOOD.includes(name.split(" ")[0]!)),
      );
      const { imports, attempts } = importsOf(known);
      await Deno.writeTextFile(controlConfig, JSON.stringify({ imports }));
      return await arena.control(attempts, { controlConfig });
    })();
    for (const [name, outcome] of Object.entries(control)) {
      // The worker's entry cannot be loaded elsewhere, and a module of text has no JSON.
      if (name.includes("bootstrap.ts") || /^data .*(?:json|module)$/.test(name)) continue;
      assert.ok("got" in outcome, `${name}: ${JSON.stringify(outcome)}`);
    }
    await arena.attempts("exact", exact.attempts, {
      files: {
        "exact/deno.jsonc": `\uFEFF// Of its own.\n${JSON.stringify({ imports: exact.imports })}`,
      },
      folder: "exact",
    });

    // Prefixes that lead out, and such that lead in, left by what follows them.
    const rests = [
      `${UP}${keyFile.slice(1)}`,
      `%2e%2e/${"%2e%2e/".repeat(12)}${keyFile.slice(1)}`,
      `..%2f${"..%2f".repeat(12)}${keyFile.slice(1)}`,
      `..\\${"..\\".repeat(12)}${keyFile.slice(1)}`,
      keyFile,
      `/${keyFile}`,
      `file://${keyFile}`,
      `to-root${keyFile}`,
      `../to-root${keyFile}`,
      `?/../${UP}${keyFile.slice(1)}`,
    ];
    const prefixes: Record<string, string> = {
      "in/": "./sub/",
      "here/": "./",
      "link/": "./to-root/",
    };
    for (const [spelling, spell] of Object.entries(SPELLINGS)) {
      prefixes[`${spelling}/`] = spell(`${folder}/`);
    }
    const below: Record<string, string> = {};
    for (const prefix of Object.keys(prefixes)) {
      below[`${prefix}stolen`] = importOf(`${prefix}stolen.ts`, "module");
    }
    for (const prefix of ["in/", "here/", "link/"]) {
      for (const rest of rests) {
        below[prefix + rest] = importOf(prefix + rest, "text");
      }
    }
    await arena.attempts("prefixed", below, {
      files: { "prefixed/deno.jsonc": JSON.stringify({ imports: prefixes }) },
      folder: "prefixed",
    });

    // Names that every object has, names twice, and all that other programs read in these files.
    const stolen = join(folder, "stolen.ts");
    const odd = [
      "__proto__",
      "constructor",
      "toString",
      "hasOwnProperty",
      "valueOf",
      "prototype",
      "then",
    ];
    const fields = `{
      "__proto__": { "imports": { "viaProto": "${stolen}" } },
      "constructor": { "imports": { "viaConstructor": "${stolen}" } },
      "imports": { "twice": "./sub/none.ts" },
      "imports": { ${odd.map((name) => `"${name}": "file://${stolen}"`).join(", ")},
        "twice": "${stolen}", "twice": "file://${stolen}", "nested": { "default": "${stolen}" }, "list": ["${stolen}"],
        "/": "/", "./": "/", "../": "/", "": "${stolen}", "file:///": "file:///", "/etc/": "/etc/", "https://x/": "file://${folder}/",
        "#sub": "${stolen}", "node:fs": "${stolen}", "*": "${stolen}" },
      "scopes": { "./": { "scoped": "file://${stolen}" }, "/": { "scoped": "${stolen}" }, "file:///": { "scoped": "${stolen}" } },
      "importMap": "../../outside/imports.json",
      "extends": "../../outside/imports.json",
      "workspace": ["../../outside", "${folder}"],
      "workspaces": ["../../outside"],
      "links": ["../../outside", "${folder}"],
      "patch": ["../../outside"],
      "nodeModulesDir": "auto",
      "vendor": true,
      "lock": { "path": "${keyFile}", "frozen": false },
      "tasks": { "start": "touch installed", "install": "touch installed", "check": { "command": "touch installed" } },
      "unstable": ["ffi", "kv", "net", "worker-options", "sloppy-imports", "bare-node-builtins", "byonm", "raw-imports"],
      "exclude": ["./"],
      "include": ["/"],
      "publish": { "include": ["/etc"] },
      "permissions": { "default": { "read": true, "env": true, "run": true, "import": true, "ffi": true } },
      "compile": { "permissions": { "all": true } },
      "allowScripts": true,
      "minimumDependencyAge": "0",
      "name": "@outside/own", "version": "1.0.0", "exports": "${stolen}",
      "compilerOptions": { "types": ["${stolen}", "/etc/passwd"], "baseUrl": "${folder}", "rootDirs": ["/"],
        "paths": { "pathed": ["${stolen}"], "*": ["${folder}/*"] }, "plugins": [{ "name": "${folder}" }] }
    }`;
    const named = [
      ...odd,
      "viaProto",
      "viaConstructor",
      "twice",
      "nested",
      "list",
      "scoped",
      "mapped",
      "crude-functions-outside",
    ];
    const more = [
      "@outside/outside",
      "@outside/own",
      "pathed",
      "stolen",
      "stolen.ts",
      "above",
      "#sub",
      "*",
      "to-root",
    ];
    const unread = Object.fromEntries(
      [...named, ...more].map((name) => [`name ${name}`, importOf(name, "module")]),
    );
    for (
      const address of [
        "./outside/stolen.ts",
        "/etc/passwd",
        "https://x/stolen.ts",
        "file:///etc/passwd",
      ]
    ) {
      unread[address] = importOf(address, "text");
    }
    await arena.attempts("unread", unread, {
      files: { "unread/deno.jsonc": fields },
      folder: "unread",
    });

    const ranges = [
      ...Object.values(SPELLINGS).map((spell) => spell(folder)),
      ...["file", "link", "workspace", "portal", "git+file", "patch"].map((
        protocol,
      ) => `${protocol}:../../outside`),
      ...["file", "link", "git+file"].map((protocol) => `${protocol}://${folder}`),
      ...[
        `http://127.0.0.1:${port}/x.tgz`,
        "workspace:*",
        "catalog:",
        "git://127.0.0.1/x",
        "outside/outside",
      ],
      ...[
        "npm:../../outside@1",
        "npm:/etc@1",
        "npm:@../outside@1",
        "npm:file:../../outside",
        "jsr:../outside",
      ],
    ];
    const dependencies = Object.fromEntries(
      ranges.map((range, index) => [`stolen${index}`, range]),
    );
    const names = [
      "../../outside",
      "..",
      ".",
      "/etc/passwd",
      `file://${folder}`,
      "@../outside",
      "__proto__",
      "crude-functions-outside",
    ];
    const viaPackage: Record<string, string> = {};
    for (const [name, range] of Object.entries(dependencies)) {
      viaPackage[`range ${range}`] = importOf(name, "module");
    }
    for (const name of names) {
      viaPackage[`name ${name}`] = importOf(name, "module");
    }
    for (
      const name of [
        "#stolen",
        "#all/stolen.ts",
        "own",
        "own/stolen.ts",
        "above",
        "crude-functions-outside",
      ]
    ) {
      viaPackage[`own ${name}`] = importOf(name, "module");
      viaPackage[`required ${name}`] = `return (await import("node:module")).createRequire(import.meta.url)(${
        JSON.stringify(name)
      })`;
      viaPackage[`resolved ${name}`] = `const found = import.meta.resolve(${JSON.stringify(name)});
        return found.includes("outside/") ? found : undefined`;
    }
    await arena.attempts("packaged", viaPackage, {
      files: {
        "packaged/package.json": JSON.stringify({
          ...{
            name: "own",
            version: "1.0.0",
            type: "module",
            main: `${UP}${stolen.slice(1)}`,
            module: stolen,
          },
          exports: {
            ".": `./../../outside/stolen.ts`,
            "./*": `./${UP}${folder.slice(1)}/*`,
          },
          imports: { "#stolen": `file://${stolen}`, "#all/*": `${folder}/*` },
          dependencies: {
            ...dependencies,
            ...Object.fromEntries(names.map((name) => [name, "*"])),
          },
          workspaces: ["../../outside"],
          overrides: { ms: `file:${folder}` },
          scripts: {
            preinstall: "touch installed",
            postinstall: "touch installed",
          },
          bin: { own: "/bin/sh" },
          deno: { imports: { above: stolen } },
        }),
      },
      folder: "packaged",
    });

    // CommonJS: its `require` is Node's own, which reads files itself.
    const required = [
      keyFile,
      "/etc/passwd",
      stolen,
      join(folder, "index.js"),
      folder,
      "../../outside",
      "../to-root/etc/passwd",
    ];
    await arena.attempts("viaCommonJs", {
      ...Object.fromEntries(required.map((path) => [
        path,
        `return (await import("./common.cjs")).default(${JSON.stringify(path)})`,
      ])),
      paths: `return (await import("./common.cjs")).paths(${JSON.stringify(folder)}, "./index.js")`,
      extensions: `return (await import("./common.cjs")).extension(${JSON.stringify(keyFile)})`,
    }, {
      files: {
        "required/package.json": JSON.stringify({ type: "commonjs" }),
        "required/common.cjs": `module.exports = (path) => require(path);
          module.exports.paths = (from, name) => require(require.resolve(name, { paths: [from] }));
          module.exports.extension = (path) => { const m = { _compile(text) { this.text = text }, exports: {} };
            require.extensions[".js"](m, path); return m.text };`,
      },
      folder: "required",
    });

    // JSX: its runtime is imported though nothing in the module says so.
    const sources: [name: string, source: string][] = [...UNDERSTOOD, "urlOfHost", "encodedSlash", "nul"]
      .map((spelling) => [spelling, SPELLINGS[spelling]!(folder)]);
    sources.push(["https", `https://127.0.0.1:${port}`]);
    for (const [spelling, source] of sources) {
      arena.count();
      const place = `jsx-${spelling}`;
      await makeFolder(server.codeDir, place);
      await Deno.symlink("/", join(server.codeDir, place, "to-root"));
      const jsx = spelling === "url" ? "react-jsx" : "precompile";
      const compilerOptions = { jsx, jsxImportSource: source, jsxImportSourceTypes: source };
      await arena.deploy(spelling, `export { default } from "./${place}/view.tsx";`, {
        files: {
          [`${place}/deno.json`]: JSON.stringify({ compilerOptions }),
          [`${place}/view.tsx`]: `export default (c) => c.text(String(<p>{c.req.path}</p>));`,
        },
      });
      const { status, body } = await arena.call(spelling);
      // In place of a runtime that it may not have, it has the one of all.
      if (status === 200 && body !== `<p>/run/${spelling}</p>`) arena.gained(place, body);
    }

    // A config file that is a link, made by somebody with a shell: what it leads to is not quoted.
    for (
      const [index, target] of [
        keyFile,
        "/etc/passwd",
        join(folder, "deno.json"),
        folder,
        "/proc/self/environ",
      ].entries()
    ) {
      for (const name of ["deno.json", "package.json"]) {
        arena.count();
        await makeFolder(server.codeDir, `linked${index}`);
        const place = join(server.codeDir, `linked${index}`);
        await Deno.symlink(target, join(place, name));
        const path = `linked${index}/h.ts`;
        const code = `import x from "outside"; export default () => Response.json(x);`;
        const saved = await server.api(
          "PUT",
          `/api/files/${encodeURIComponent(path)}`,
          code,
          {
            "Content-Type": "text/plain",
          },
        );
        arena.search(`${name} linked to ${target}`, JSON.stringify(saved.body));
        assert.match(
          JSON.stringify(saved.body.problems),
          /is not a file|not declared/,
        );
      }
    }
    await assertUntouched(arena, outside, keys);
  }));

test("theft by way of a function's files: patterns, links, closed names", (withArena) =>
  withArena("theft through files", async (arena) => {
    const { server } = arena;
    const { folder, keyFile } = await makeOutside(arena);
    const hidden = arena.plant("hidden");
    const neighbour = arena.plant("neighbour-data");
    const inside = {
      ...{
        ".env": hidden,
        ".env.local": hidden,
        ".git/config": hidden,
        "a/.git/HEAD": hidden,
        "a/.env": hidden,
      },
      ...{
        "node_modules/x/index.js": hidden,
        "a/node_modules/x/a.txt": hidden,
        ".crude/x": hidden,
      },
      ...{
        "a/fine.txt": "fine",
        "private/data.txt": neighbour,
        "top.txt": neighbour,
      },
    };
    for (const [path, content] of Object.entries(inside)) {
      await makeFolder(server.codeDir, join(path, ".."));
      await Deno.writeTextFile(join(server.codeDir, path), content);
    }
    await Deno.symlink(folder, join(server.codeDir, "a/linked"));
    await Deno.symlink(keyFile, join(server.codeDir, "a/key.json"));
    await Deno.symlink("/etc/passwd", join(server.codeDir, "a/passwd"));
    await Deno.symlink(
      join(server.codeDir, "private"),
      join(server.codeDir, "a/private"),
    );
    await Deno.link(join(folder, "data.json"), join(server.codeDir, "a.json"));

    const patterns = [
      ...[
        "../**",
        "../outside/*",
        "a/../../outside/**",
        "a/../../**",
        "**/../../**",
        "..",
        "../..",
        "./../**",
      ],
      ...[
        "/etc/*",
        "/**",
        `${folder}/**`,
        "file:///etc/passwd",
        "//etc/passwd",
        "~/**",
        "C:\\**",
        "a\\..\\..\\**",
      ],
      ...[
        "%2e%2e/**",
        "a/%2e%2e/%2e%2e/**",
        "..%2f**",
        "a/linked/**",
        "a/linked/stolen.ts",
        "a/key.json",
        "a/passwd",
      ],
      ...[
        "a/private/**",
        "a/*/data.txt",
        ".env",
        "**/.env",
        ".git/**",
        "a/.git/*",
        "node_modules/**",
        ".crude/**",
      ],
      ...[
        "*/.*",
        "a/.*",
        ".*",
        ".*/*",
        "a/?env",
        "?env",
        "?git/config",
        "{..,a}/**",
        "!(x)/**",
        "+(..)/**",
        "@(..)/**",
      ],
      ...[
        "[.][.]/**",
        "a/\0",
        "a/**\n../**",
        "",
        " ",
        "__proto__",
        "constructor/**",
        "a/fine.txt",
      ],
      ...[
        "*".repeat(500),
        "*a".repeat(250),
        "**/".repeat(160) + "x",
        "?*".repeat(250),
      ],
    ];
    const ways: Record<string, string> = {
      deno: `return await Deno.readTextFile(new URL(P, import.meta.url))`,
      node: `return (await import("node:fs")).readFileSync(new URL(P, import.meta.url), "utf8")`,
      path: `return Deno.readTextFileSync(import.meta.dirname + "/" + P)`,
      text: `return (await import(new URL(P, import.meta.url).href, { with: { type: "text" } })).default`,
    };
    const paths = [
      ...Object.keys(inside).filter((path) => path !== "a/fine.txt"),
      ...[
        "a/linked/stolen.ts",
        "a/linked/.env",
        "a/key.json",
        "a/passwd",
        "a/private/data.txt",
        "a.json",
      ],
      ...[
        "../outside/stolen.ts",
        "a/../../outside/stolen.ts",
        "a/%2e%2e/%2e%2e/outside/.env",
        `../data/database.db`,
      ],
      ...[
        "../data/encryption-keys.json",
        "a/./../../data/encryption-keys.json",
        keyFile,
        `file://${keyFile}`,
      ],
    ];
    const reading: Record<string, string> = {};
    for (const path of paths) {
      for (const [way, code] of Object.entries(ways)) {
        reading[`${path} ${way}`] = `const P = ${JSON.stringify(path)}; ${code}`;
      }
    }
    Object.assign(reading, {
      list:
        `return [...Deno.readDirSync(import.meta.dirname)].map((e) => e.name).find((name) => !["again.ts", "a"].includes(name))`,
      listBelow:
        `return [...Deno.readDirSync(import.meta.dirname + "/a")].map((e) => e.name).find((name) => name !== "fine.txt")`,
      listAbove: `return [...Deno.readDirSync(import.meta.dirname + "/..")].map((e) => e.name)`,
      write: `Deno.writeTextFileSync(import.meta.dirname + "/a/fine.txt", "changed"); return "written"`,
    });
    const id = await arena.deploy(
      "reader",
      `export default (c) => c.text("ok")`,
    );
    const taken: string[] = [];
    for (const pattern of patterns) {
      arena.count();
      const began = performance.now();
      const { status, body } = await server.api("PUT", `/api/functions/${id}`, {
        files: [pattern],
      });
      arena.search(`pattern ${pattern}`, JSON.stringify(body));
      assert.ok(status === 200 || status === 400, `${pattern}: ${status}`);
      if (status === 200) taken.push(pattern);
      else assert.match(JSON.stringify(body), /files/, pattern);
      const ms = performance.now() - began;
      assert.ok(ms < 5_000, `${pattern} took ${ms} ms`);
    }
    assert.ok(
      taken.includes("a/fine.txt") &&
        !taken.some((one) => one.includes("..") && !one.includes("%")),
      taken.join(),
    );
    // With all that are taken, what is named by none of them stays closed, and what is closed to all does.
    const outcomes = await arena.attempts("again", reading, {
      fields: { files: taken.filter((one) => !/^[*?]/.test(one)) },
    });
    assert.ok(Object.values(outcomes).every((outcome) => !("hung" in outcome)));
    const widest = ["*", "**", "**/*", ".*", "**/.*", "?*/**"].filter(isTaken);
    function isTaken(pattern: string): boolean {
      return !pattern.includes("..");
    }
    const closed = Object.fromEntries(
      Object.entries(reading).filter(([name]) => !/^(?:top\.txt|private\/|a\.json|list)/.test(name)),
    );
    await arena.attempts("widest", closed, { fields: { files: widest } });
    await arena.attempts("control", {
      fine: `return await Deno.readTextFile(new URL("a/fine.txt", import.meta.url)) === "fine" ? undefined : 1`,
    }, {
      fields: { files: taken.filter((one) => one.startsWith("a/")) },
    });
  }));

Deno.test("theft by packages: other packages' files, the module cache, archives and manifests that lead out", async () => {
  await using registry = startNpmRegistry();
  const cache = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  await Deno.chmod(cache, 0o711);
  try {
    await withArena("theft by packages", async (arena) => {
      const { server } = arena;
      const { folder, keyFile } = await makeOutside(arena);
      const victim = arena.plant("victim-package");
      await registry.publish({
        name: "crude-victim",
        version: "1.0.0",
        files: {
          "index.js": `module.exports = "${victim}";`,
          "data.json": JSON.stringify(victim),
        },
      });
      await registry.publish({
        name: "crude-thief",
        version: "1.0.0",
        manifest: {
          exports: {
            ".": "./index.js",
            "./out": "../../crude-victim/1.0.0/index.js",
            "./*": "./*",
          },
          imports: {
            "#victim": "../../crude-victim/1.0.0/index.js",
            "#key": keyFile,
          },
          scripts: {
            preinstall: `touch ${folder}/installed`,
            install: `touch ${folder}/installed`,
            postinstall: `touch ${folder}/installed`,
          },
          bin: { ls: "../../../../../bin/ls" },
          files: ["../**"],
        },
        files: {
          "index.js": `const fs = require("fs"), path = require("path");
            module.exports = {
              own: () => fs.readFileSync(path.join(__dirname, "data.txt"), "utf8"),
              read: (name) => fs.readFileSync(path.resolve(__dirname, name), "utf8"),
              stat: (name) => fs.statSync(path.resolve(__dirname, name)).size,
              list: (name) => fs.readdirSync(path.resolve(__dirname, name)),
              load: (name) => require(name),
              resolve: (name) => require.resolve(name),
              fetched: (name) => import(name),
              write: (name) => fs.writeFileSync(path.resolve(__dirname, name), "changed"),
            };`,
          "data.txt": "own data",
          "link-to-key": { link: keyFile },
          "link-to-victim": { link: "../../crude-victim/1.0.0" },
          "link-to-root": { link: "/" },
        },
      });
      await arena.deploy(
        "victim",
        `import v from "npm:crude-victim@1"; export default (c) => c.text("ok" + v.length)`,
      );
      const called = await arena.call("victim");
      assert.equal(called.status, 200, JSON.stringify(called.body));

      const found = [...walk(join(cache, "deno"))];
      const victimFolder = found.find((path) => path.endsWith("/crude-victim/1.0.0"))!;
      const npm = join(victimFolder, "../..");
      // Not the registry's entry for the package itself, which Deno's `require` reads and everybody can ask for.
      const places = [
        ...[
          join(victimFolder, "index.js"),
          join(victimFolder, "data.json"),
          join(victimFolder, "package.json"),
        ],
        ...[
          join(victimFolder, "../registry.json"),
          join(cache, "deno"),
        ],
        ...[
          "../../crude-victim/1.0.0/index.js",
          "link-to-key",
          "link-to-victim/data.json",
          `link-to-root${keyFile}`,
        ],
        ...[
          keyFile,
          "/etc/passwd",
          join(folder, "data.json"),
          join(server.codeDir, "victim.ts"),
        ],
        ...found.filter((path) =>
          /\/(?:gen|dep_analysis|node_analysis|v8_code_cache|check_cache)[^/]*(?:_v\d+)?(?:\/|$)/
            .test(path)
        ).slice(0, 5),
      ];
      const attempts: Record<string, string> = {};
      for (const place of places) {
        for (const way of ["read", "stat", "load", "write", "fetched"]) {
          attempts[`${way} ${place}`] = `return await P.${way}(${JSON.stringify(place)})`;
        }
      }
      for (
        const place of [
          "..",
          "../..",
          victimFolder,
          cache,
          npm,
          "link-to-victim",
          "/",
        ]
      ) {
        attempts[`list ${place}`] = `return P.list(${JSON.stringify(place)})`;
      }
      for (
        const name of ["crude-victim", "#victim", "#key", "crude-thief/out"]
      ) {
        attempts[`require ${name}`] = `return P.load(${JSON.stringify(name)})`;
        attempts[`resolve ${name}`] = `return P.resolve(${JSON.stringify(name)})`;
        attempts[`import ${name}`] = `return (await P.fetched(${JSON.stringify(name)})).default`;
      }
      attempts.own = `return P.own() === "own data" ? undefined : "not even its own"`;
      attempts.writeOwn = `P.write("index.js"); return "written"`;
      for (const [name, code] of Object.entries(attempts)) {
        attempts[name] = `const { default: P } = await import("npm:crude-thief@1.0.0"); ${code}`;
      }
      const outcomes = await arena.attempts("thief", attempts);
      assert.deepEqual(
        outcomes.own,
        { refused: "nothing came of it" } satisfies Outcome,
      );
      assert.equal(
        await Deno.lstat(join(folder, "installed")).catch(() => undefined),
        undefined,
      );

      // Archives with entries that lead out, and manifests that name other places than their own.
      const before = [
        ...walk(folder),
        ...walk(server.codeDir),
        ...walk(server.dataDir),
      ].sort();
      for (
        const [index, files] of [
          { "../../../outside/installed": "x" },
          {
            "../../crude-victim/1.0.0/index.js": `module.exports = "replaced";`,
          },
          {
            "sub": { link: "../../crude-victim/1.0.0" },
            "sub2": { link: folder },
          },
        ].entries()
      ) {
        arena.count();
        const name = `crude-archive${index}`;
        await registry.publish({
          name,
          version: "1.0.0",
          files: { "index.js": "module.exports = 1;", ...files } as never,
        });
        const path = `archive${index}.ts`;
        const saved = await server.api(
          "PUT",
          `/api/files/${path}`,
          `import x from "npm:${name}@1"; export default (c) => c.json(x);`,
          {
            "Content-Type": "text/plain",
          },
        );
        arena.search(name, JSON.stringify(saved.body));
      }
      const after = [
        ...walk(folder),
        ...walk(server.codeDir),
        ...walk(server.dataDir),
      ].sort();
      assert.deepEqual(
        after.filter((path) => !before.includes(path) && !/archive\d\.ts|database\.db|\/blobs(?:\/|$)/.test(path)),
        [],
      );
      assert.match(
        await Deno.readTextFile(join(victimFolder, "index.js")),
        new RegExp(victim),
      );
    }, { env: { CACHE_DIR: cache, NPM_CONFIG_REGISTRY: registry.url } });
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

function* walk(folder: string, depth = 8): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    yield join(folder, name);
    if (isDirectory && depth > 0) yield* walk(join(folder, name), depth - 1);
  }
}
