// What handlers consist of is found once and known from then on, also after a restart, until a file is touched.

import assert from "node:assert/strict";
import { utimesSync } from "node:fs";
import { join } from "node:path";
import { ConfinedDeno } from "../../src/code/modules/confined_deno.ts";
import { createImports, type Imports, type ModuleGraph } from "../../src/code/modules/imports.ts";
import { Builder } from "../../src/code/modules/builder.ts";
import { ModuleCache } from "../../src/code/packages/module_cache.ts";
import { createModuleGraphCache, type ModuleGraphCache } from "../../src/code/modules/module_graph_cache.ts";
import { EMPTY_LOCK, lockText } from "../../src/code/packages/lock.ts";
import { createPackageLocks } from "../../src/code/packages/package_locks.ts";
import { sha256Of } from "../../src/sha256.ts";
import { openObservations } from "../../src/store/observations.ts";
import type { Store } from "../../src/store/store.ts";
import { openStoreAt, temporaryFolder } from "./temporary.ts";

/** The same each time, as a setting is. */
const NO_HOSTS: string[] = [];

interface Start extends Disposable {
  readonly store: Store;
  readonly imports: Imports;
  readonly kept: ModuleGraphCache;
  graph(handler: string): ModuleGraph | Promise<ModuleGraph>;
}

/** As after a start of the server with its data and code in `folder`. */
function start(folder: string, codeDir = join(folder, "code"), deno = Deno.execPath()): Start {
  const { store } = openStoreAt(join(folder, "database.db"));
  const observations = openObservations(join(folder, "observations.db"), () => new Date(), assert.fail);
  const kept = createModuleGraphCache({
    store: observations.moduleGraphs,
    transaction: observations.transaction,
    attempt: (work) => work(),
  });
  const imports = createImports({
    sourceOf: () => undefined,
    codeDir,
    locks: createPackageLocks({ store: store.packageLocks, commit: store.commit }),
    cache: new ModuleCache({
      runtime: {
        cacheDir: folder,
        denoDir: join(folder, "cache"),
        appDir: "unused",
        deno: "unused",
        workerPackage: "npm:hono@4.13.19",
      },
      dataDir: folder,
      used: () => Promise.resolve([]),
      now: Date.now,
    }),
    bootstrap: "unused",
    hono: "npm:hono@4.13.19",
    ownUsers: false,
    builder: new Builder({
      deno: new ConfinedDeno({ deno, setpriv: undefined, landlock: undefined }),
      runtime: {
        deno,
        denoDir: join(folder, "cache"),
        appDir: "unused",
        setpriv: undefined,
        landlock: undefined,
      },
      codeDir,
      folder: join(folder, "build"),
      fetchEnv: {},
    }),
    importHosts: () => NO_HOSTS,
    kept,
  });
  return {
    ...{ store, imports, kept },
    graph: (handler) => imports.graph(handler),
    [Symbol.dispose]: () => [observations, store].forEach((each) => each.close()),
  };
}

function codeFolder(folder: string, name = "code"): string {
  const path = join(folder, name);
  Deno.mkdirSync(path);
  return path;
}

/** Writes a file that was last touched a minute ago. */
function write(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  Deno.writeTextFileSync(path, text);
  const then = new Date(Date.now() - 60_000);
  utimesSync(path, then, then);
}

Deno.test("what a handler consists of is known after a restart, until a file of it is touched", async () => {
  using folder = temporaryFolder();
  const code = codeFolder(folder.path);
  write(code, "a.ts", 'import { b } from "./b.ts"; export default () => b;');
  write(code, "b.ts", "export const b = 1;");
  const files = ["a.ts", "b.ts"].map((name) => join(code, name));
  {
    using first = start(folder.path);
    const found = first.graph("a.ts");
    assert.ok(found instanceof Promise, "nothing is known yet");
    assert.deepEqual((await found).files, files);
  }
  {
    using second = start(folder.path);
    const known = second.graph("a.ts");
    assert.ok(!(known instanceof Promise), "known from before");
    assert.deepEqual([known.files, known.problems, known.remote], [files, [], false]);
    assert.equal(second.graph("a.ts"), known);
    assert.ok(second.graph("b.ts") instanceof Promise, "of another handler nothing is known");
    await second.graph("b.ts");
  }
  write(code, "b.ts", 'export { b } from "./c.ts";');
  write(code, "c.ts", "export const b = 2;");
  {
    using third = start(folder.path);
    const found = third.graph("a.ts");
    assert.ok(found instanceof Promise, "a file was touched in between");
    assert.deepEqual((await found).files, [...files, join(code, "c.ts")]);
  }
  using fourth = start(folder.path);
  assert.ok(!(fourth.graph("a.ts") instanceof Promise));
});

Deno.test("a handler with a problem is looked at anew after a restart, and so is one in another code folder", async () => {
  using folder = temporaryFolder();
  const code = codeFolder(folder.path);
  write(code, "whole.ts", "export default () => 1;");
  write(code, "broken.ts", 'import "./missing.ts"; export default () => 1;');
  {
    using first = start(folder.path);
    assert.deepEqual((await first.graph("whole.ts")).problems, []);
    assert.equal((await first.graph("broken.ts")).problems.length, 1);
  }
  {
    using second = start(folder.path);
    assert.ok(second.graph("broken.ts") instanceof Promise);
    await second.graph("broken.ts");
  }
  const other = codeFolder(folder.path, "other");
  write(other, "whole.ts", "export default () => 2;");
  using third = start(folder.path, other);
  const found = third.graph("whole.ts");
  assert.ok(found instanceof Promise);
  assert.deepEqual((await found).files, [join(other, "whole.ts")]);
});

Deno.test("a handler without a file is found to have none without a process, until it has one", async () => {
  using folder = temporaryFolder();
  const code = codeFolder(folder.path);
  {
    using none = start(folder.path, code, "/no/such/program");
    assert.deepEqual((await none.graph("lib/late.ts")).problems, ['Module not found "lib/late.ts".']);
    assert.deepEqual(await none.imports.graphs(["lib/late.ts", "late.ts"]), new Map());
  }
  using started = start(folder.path);
  assert.deepEqual((await started.graph("late.ts")).problems, ['Module not found "late.ts".']);
  write(code, "late.ts", "export default () => 1;");
  write(code, "broken.ts", 'import "./missing.ts"; export default () => 1;');
  const found = await started.imports.graphs(["late.ts", "broken.ts", "none.ts", "late.ts"]);
  assert.deepEqual([...found].map(([handler, { problems }]) => [handler, problems.length]), [
    ["late.ts", 0],
    ["broken.ts", 1],
  ]);
  assert.equal(found.get("late.ts"), await started.graph("late.ts"));
});

Deno.test("what was found with a lock is not used with another one, which another node of a cluster has stored", async () => {
  using folder = temporaryFolder();
  const code = codeFolder(folder.path);
  write(code, "a.ts", "export default () => 1;");
  const locks = ["1.0.0", "2.0.0"].map((version) => lockText({ ...EMPTY_LOCK, specifiers: { "npm:x@*": version } }));
  const [old, changed] = locks as [string, string];
  {
    // As if it had imported a package.
    using first = start(folder.path);
    await first.graph("a.ts");
    first.kept.put("a.ts", { ...first.kept.find("a.ts")!, remote: true, lock: sha256Of(old) });
    first.store.packageLocks.put("a.ts", old);
  }
  {
    using second = start(folder.path);
    const entry = second.kept.find("a.ts")!;
    const known = second.imports.current("a.ts");
    assert.equal(known?.lock, old);
    second.imports.locksChanged(["a.ts", "b.ts"]);
    assert.equal(second.imports.current("a.ts"), known, "its lock is as it was");
    second.store.packageLocks.put("a.ts", changed);
    second.imports.locksChanged(["a.ts"]);
    assert.equal(second.imports.current("a.ts"), undefined, "a change while the server runs");
    second.kept.put("a.ts", entry);
  }
  using third = start(folder.path);
  assert.equal(third.imports.current("a.ts"), undefined, "a change before its start");
});
