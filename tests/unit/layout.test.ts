// The rules of the folders, checked from the import lines, so that they do not rely on memory.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Import, ROOT, type Source, source, sources, specifiers } from "../source_files.ts";

/** Of the host's files, those that sandboxes load, too. */
const SHARED = ["src/sandbox/wire/protocol.ts", "src/sandbox/wire/id_table.ts", "src/sealed.ts"];

/**
 * What each room of src may import from others: the control plane (control, cli) and the data plane (calls) stand on
 * the domain (core) and on the code of functions (code), those on the keyring and the store. Files at the top of src
 * belong to everybody. docs/architecture.md shows the same as a picture.
 */
const USES: Record<string, readonly string[]> = {
  control: ["http", "code", "core", "telemetry", "keyring", "store"],
  cli: ["cluster", "code/files", "control/inputs", "core", "keyring", "store"],
  // Several nodes on PostgreSQL; without DATABASE_URL nothing of it is loaded.
  cluster: ["core", "keyring", "store"],
  // It runs on other machines, and without the server's packages.
  crude: [],
  calls: ["http", "code", "core", "sandbox", "masking", "telemetry", "keyring", "store"],
  http: ["telemetry", "store"],
  code: ["core", "sandbox", "telemetry", "store"],
  core: ["keyring", "store"],
  telemetry: ["masking", "sandbox", "store"],
  store: ["keyring"],
  keyring: [],
  masking: [],
  sandbox: [],
  egress: ["sandbox", "masking"],
};
/** Of core, what the way of a call needs. */
const CORE_OF_CALLS = ["access", "audit", "functions", "secrets", "settings"];

const FOLDER_MAX_FILES = 12;
/** Folders that may have more files, and why. */
const LARGE_FOLDERS: Record<string, string> = {
  "src/cluster/postgres": "a file for each table, and for each concern of a connection",
  "src": "what every room may use: small files that import next to nothing",
  "src/cli": "a file for each group of commands",
  "src/code/modules": "one subject, from a handler's imports to the graph of its modules",
  "src/control/api": "a file for each resource",
  "src/control/inputs": "a file for the inputs of each resource",
  "src/control/web/pages/secrets": "a file for each page",
  "src/control/web/ui": "a file for each kind of component",
  "src/core/secrets": "one subject, with a file for each thing that is done with secrets",
  "src/keyring": "a file for each kind of key material",
  "src/sandbox/host": "one subject, the life of a process and its calls",
  "src/sandbox/process": "one subject, the start of a process behind its walls",
  "src/store": "a file for each table",
  "src/store/migrations": "a file for each version of the schema",
  "src/telemetry": "a file for each kind of observation",
};

/** Whether a file opens parts and connects them: it may import from every room, and no room from it. */
const isComposition = (path: string): boolean =>
  path === "src/app.ts" || path.startsWith("src/app/") || path.startsWith("src/dev/");

/** `src/store/secrets.ts` is of the room "store"; `src/ids.ts` of none. */
const roomOf = (path: string): string | undefined => path.split("/").length > 2 ? path.split("/")[1]! : undefined;

const SRC = sources("src");
const WORKERS = sources("workers");

/** "a imports b" for each import of `files` that `allowed` says no to. */
function offences(files: Source[], allowed: (one: Import, from: Source) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports.filter((one) => !allowed(one, file)).map((one) => `${file.path} imports ${one.specifier}`)
  );
}

Deno.test("the reader of import lines sees every kind of import, and nothing in comments and texts", () => {
  const text = `
    // import { no } from "./comment.ts";
    /** import("./doc.ts") */
    import { a } from "./static.ts";
    import type { B } from "./type.ts";
    import {
      c,
      type D,
    } from "./lines.ts";
    import "./effect.ts";
    import e, * as f from './single.ts';
    import page from "./page.html" with { type: "text" };
    export { g } from "./re-export.ts";
    export * from "./star.ts";
    const h = await import("./dynamic.ts");
    const i = await import(variable);
    type J = import("./typeof.ts").K;
    const l = "SELECT * from 'table'";
    const m = new URL("../../workers/m.ts", import.meta.url);
  `;
  assert.deepEqual(specifiers(text).map(({ specifier }) => specifier).sort(), [
    "../../workers/m.ts",
    "./dynamic.ts",
    "./effect.ts",
    "./lines.ts",
    "./page.html",
    "./re-export.ts",
    "./single.ts",
    "./star.ts",
    "./static.ts",
    "./type.ts",
    "./typeof.ts",
  ]);
});

Deno.test("the sources were found, and what they import exists", () => {
  assert.ok(SRC.length >= 25, `${SRC.length} files`);
  assert.ok(SRC.flatMap(({ imports }) => imports).length >= 80);
  assert.deepEqual(
    offences([...SRC, ...WORKERS], ({ target }) => target === undefined || existsSync(join(ROOT, target))),
    [],
  );
});

Deno.test("a server on SQLite alone loads nothing of the cluster", () => {
  const loaded = new Map([["main.ts", "main.ts"]]);
  // In order of insertion: what is added meanwhile follows.
  for (const [path, way] of loaded) {
    for (const { target, clause } of source(path).imports) {
      if (target === undefined || !/\.tsx?$/.test(target)) continue;
      // Without a clause, it is a dynamic one.
      const isLoaded = clause !== "" && !/^type\b/.test(clause);
      if (isLoaded && !loaded.has(target)) loaded.set(target, `${way} > ${target}`);
    }
  }
  assert.ok(loaded.has("src/store/store.ts"));
  const ofCluster = [...loaded].filter(([path]) => /^src\/(app\/)?cluster\//.test(path));
  assert.deepEqual(ofCluster.map(([, way]) => way), []);
});

Deno.test("every folder of src is one that the layout knows", () => {
  const unknown = SRC.filter(({ path }) =>
    roomOf(path) !== undefined && !isComposition(path) && !Object.hasOwn(USES, roomOf(path)!)
  );
  assert.deepEqual(unknown.map(({ path }) => path), []);
});

Deno.test("each room imports only from the rooms that it may use", () => {
  const allowed = ({ target }: Import, { path }: Source) => {
    if (target === undefined || !target.startsWith("src/") || isComposition(path)) return true;
    const [from, to] = [roomOf(path), roomOf(target)];
    if (to === undefined) return target !== "src/app.ts";
    return from === to || (USES[from ?? ""] ?? []).some((used) => `${target}/`.startsWith(`src/${used}/`));
  };
  assert.deepEqual(offences(SRC, allowed), []);
});

Deno.test("pages do not import from the API, and calls take from core only what a call needs", () => {
  assert.deepEqual(
    offences(
      SRC,
      ({ target }, { path }) =>
        !(path.startsWith("src/control/web/") && target?.startsWith("src/control/api/")) &&
        !(path.startsWith("src/calls/") && target?.startsWith("src/core/") &&
          !CORE_OF_CALLS.includes(target.split("/")[2]!)),
    ),
    [],
  );
});

Deno.test("no folder has many files without a reason", () => {
  const counts = Map.groupBy(SRC, ({ path }) => dirname(path));
  const large = [...counts].filter(([, files]) => files.length > FOLDER_MAX_FILES).map(([folder]) => folder);
  assert.deepEqual(large.sort(), Object.keys(LARGE_FOLDERS).sort());
});

Deno.test("the composition root, tests and static files are imported by no source but where they are served", () => {
  const allowed = ({ target }: Import, { path }: Source) => {
    if (target === undefined || target.startsWith("src/")) return true;
    if (/^workers\b/.test(target)) return path.startsWith("src/sandbox/");
    if (/^static\b/.test(target)) return path.startsWith("src/control/") || path === "src/crude/bundle/main.ts";
    if (/^docs\b/.test(target)) return path.startsWith("src/control/web/pages/docs/");
    // The program's folder, from which sandboxes get their code.
    return target === "deno.json" || (isComposition(path) && target === "");
  };
  assert.deepEqual(offences(SRC, allowed), []);
});

/** Fails with the first circle of the graph. */
function refuseCircles(graph: ReadonlyMap<string, ReadonlySet<string>>): void {
  const done = new Set<string>();
  const visit = (node: string, way: string[]): void => {
    if (way.includes(node)) assert.fail([...way.slice(way.indexOf(node)), node].join(" → "));
    if (done.has(node)) return;
    for (const next of graph.get(node) ?? []) visit(next, [...way, node]);
    done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
}

Deno.test("no files import each other in a circle, and no folders do, types included", () => {
  const files = new Map<string, Set<string>>();
  const folders = new Map<string, Set<string>>();
  // What migrates the tables is a part of the store.
  const folder = (path: string) => path === "src/app.ts" ? path : dirname(path).replace("store/migrations", "store");
  const known = new Set([...SRC, ...WORKERS].map(({ path }) => path));
  const add = (graph: Map<string, Set<string>>, from: string, to: string): void => {
    if (!graph.has(from)) graph.set(from, new Set());
    graph.get(from)!.add(to);
  };
  for (const { path, imports } of [...SRC, ...WORKERS]) {
    for (const { target } of imports) {
      if (target === undefined || !known.has(target)) continue;
      add(files, path, target);
      if (folder(path) !== folder(target)) add(folders, folder(path), folder(target));
    }
  }
  refuseCircles(files);
  refuseCircles(folders);
});

Deno.test("what runs in a sandbox imports nothing of the host's but the protocol and its like", () => {
  const allowed = ({ target }: Import) =>
    target === undefined || target.startsWith("workers/") || SHARED.includes(target);
  assert.deepEqual(offences(WORKERS, allowed), []);
  const shared = SRC.filter(({ path }) => SHARED.includes(path));
  assert.deepEqual(offences(shared, ({ target }) => target === undefined), [], "or it would come in by way of that");
});

Deno.test("only the store knows SQLite, and only the cluster's PostgreSQL folder knows PostgreSQL", () => {
  const allowed = ({ specifier }: Import, { path }: Source) =>
    !/sqlite/.test(specifier) || specifier.startsWith(".") || path.startsWith("src/store/");
  assert.deepEqual(offences([...SRC, ...WORKERS], allowed), []);
  const client = ({ specifier }: Import, { path }: Source) =>
    specifier !== "postgres" || path.startsWith("src/cluster/postgres/");
  assert.deepEqual(offences([...SRC, ...WORKERS], client), []);
  const speaking = SRC.filter(({ path, text }) =>
    !path.startsWith("src/store/") && !path.startsWith("src/cluster/postgres/") &&
    /["'`]\s*(?:SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s.+\sSET|DELETE\s+FROM|CREATE\s+TABLE|PRAGMA)\s/s.test(text)
  );
  assert.deepEqual(speaking.map(({ path }) => path), []);
});

Deno.test("only the keyring encrypts, decrypts and keys hashes", () => {
  const keyed =
    /\b(?:createCipheriv|createDecipheriv|createHmac|createSecretKey|scrypt\w*|hkdf\w*|KeyObject|webcrypto)\b/;
  const allowed = ({ specifier, clause }: Import, { path }: Source) =>
    specifier !== "node:crypto" || path.startsWith("src/keyring/") || (clause.startsWith("{") && !keyed.test(clause));
  assert.deepEqual(offences([...SRC, ...WORKERS], allowed), []);
  const subtle = SRC.filter(({ path, text }) =>
    !path.startsWith("src/keyring/") && /\bsubtle\s*\.\s*(?:encrypt|decrypt|sign|importKey|wrapKey)/.test(text)
  );
  assert.deepEqual(subtle.map(({ path }) => path), []);
});

Deno.test("the remote command line imports only its own files and what Node has, and does not use Deno", () => {
  const crude = SRC.filter(({ path }) => path.startsWith("src/crude/") && !path.startsWith("src/crude/bundle/"));
  const own = ({ specifier, target }: Import, { path }: Source) =>
    target?.startsWith("src/crude/") || specifier.startsWith("node:") ||
    (path === "src/crude/main.ts" && target === "deno.json");
  assert.ok(crude.length > 0);
  assert.deepEqual(offences(crude, own), []);
  assert.deepEqual(crude.filter(({ text }) => /\bDeno\s*\./.test(text)).map(({ path }) => path), []);
});

Deno.test("only the programs' entries and the configuration read the environment", () => {
  const reading = [...SRC, ...WORKERS].filter(({ path, text }) =>
    // The last one is what handlers have in its place.
    !["src/config.ts", "src/cli/main.ts", "src/crude/start.ts", "src/dev/main.ts", "workers/environment.ts"].includes(
      path,
    ) &&
    /\bDeno\.env\b|\bprocess\.env\b|\benv\s*\}\s*=\s*(?:Deno|process)\b/.test(text)
  );
  assert.deepEqual(reading.map(({ path }) => path), []);
  const allowed = ({ specifier }: Import, { path }: Source) =>
    specifier !== "node:process" || path === "src/crude/start.ts";
  assert.deepEqual(offences([...SRC, ...WORKERS], allowed), []);
});

Deno.test("the program and its tests pin the same versions of the same packages, exactly", () => {
  const imports = (path: string): Record<string, string> => JSON.parse(readFileSync(join(ROOT, path), "utf8")).imports;
  const [program, tests] = [imports("deno.json"), imports("tests/deno.json")];
  for (const [name, specifier] of Object.entries(program)) assert.equal(tests[name], specifier, name);
  for (const specifier of Object.values({ ...program, ...tests })) {
    assert.match(specifier, /^(?:npm|jsr):(?:@[^@/]+\/)?[^@/]+@\d+\.\d+\.\d+(?:-[\w.]+)?$/);
  }
  const bare = (specifier: string) => !/^(?:\.|node:)/.test(specifier);
  const known = (specifier: string) =>
    Object.keys(program).some((name) => specifier === name || specifier.startsWith(`${name}/`));
  assert.deepEqual(offences(SRC, ({ specifier }) => !bare(specifier) || known(specifier)), []);
});
