// What is removed of packages that no function has any more, while other servers share the module cache.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pruneCache, type Pruned } from "../../src/code/packages/cache_pruning.ts";
import { type Lease, ModuleCache, packageIndexes } from "../../src/code/packages/module_cache.ts";
import { createPackageLocks } from "../../src/code/packages/package_locks.ts";
import { Pruner } from "../../src/code/pruner.ts";
import { openKeyFile } from "../../src/keyring/key_file.ts";
import { openStore } from "../../src/store/store.ts";
import { deploy, run, save } from "./handlers.ts";
import { startNpmRegistry } from "./npm_registry.ts";
import { type Server, startServer } from "./server.ts";

const DAY_MS = 24 * 3_600_000;
const AGES = { leaseMs: 7 * DAY_MS, packageMs: -1_000, programMs: 30 * DAY_MS };

Deno.test("packages that no function of any server has are removed, and fetched again when one needs them", async (t) => {
  await using registry = startNpmRegistry();
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  // Users of sandboxes pass through it.
  await Deno.chmod(folder, 0o711);
  const cacheDir = join(folder, "cache");
  const denoDir = join(cacheDir, "deno");
  const env = { CACHE_DIR: cacheDir, NPM_CONFIG_REGISTRY: registry.url };
  for (const name of ["crude-one", "crude-two", "crude-both", "Crude-Capitals", "@crude/scoped", "crude-later"]) {
    await registry.publish({ name, version: "1.0.0", files: { "index.js": `module.exports = "${name} 1.0.0";` } });
  }
  const importing = (...names: string[]): string =>
    names.map((name, index) => `import p${index} from "npm:${name}@1";`).join("") +
    `export default (c) => c.text([${names.map((_, index) => `p${index}`)}].join());`;
  const start = (name: string) => startServer({ folder: join(folder, name), env });
  const answer = async (server: Server, path: string): Promise<string> => {
    const { status, body } = await run(server, path);
    return `${status} ${body}`;
  };
  const names = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { name, versions } of packageIndexes(denoDir)) if (versions.length > 0) found.push(name);
    return found.filter((name) => name !== "hono").sort();
  };
  const prune = (ages = AGES): Promise<Pruned> => pruneCache({ cacheDir, denoDir, ages, now: Date.now });
  /** As the server of the folder does it once a day; it must not run. */
  const pruneAs = async (name: string): Promise<string[]> => {
    const dataDir = join(folder, name, "data");
    const keys = openKeyFile(join(dataDir, "encryption-keys.json"), true, new Date(), undefined);
    const store = openStore(join(dataDir, "database.db"), keys);
    try {
      const locks = createPackageLocks({ store: store.packageLocks, commit: store.commit });
      const reports: string[] = [];
      const runtime = { cacheDir, denoDir, appDir: "", deno: "", workerPackage: "npm:hono@4.13.19" };
      await new Pruner({
        codeDir: join(folder, name, "code"),
        runtime,
        cache: new ModuleCache({ runtime, dataDir, used: locks.packages, now: Date.now }),
        locks,
        imports: { forget: () => {} },
        blobs: { sweep: () => Promise.resolve(0) },
        blobUses: () => () => false,
        handlers: () => store.functions.list().map(({ handler }) => handler),
        now: Date.now,
        report: (_, message) => reports.push(message),
        ages: AGES,
      }).run();
      return reports;
    } finally {
      store.close();
    }
  };
  let a = await start("a");
  const b = await start("b");
  const encoded = "_inzhkzdffvbwc4djorqwy4y";
  try {
    await deploy(a, "one", importing("crude-one", "crude-both", "Crude-Capitals", "@crude/scoped"));
    await deploy(b, "two", importing("crude-two", "crude-both"));
    assert.equal(
      await answer(a, "/one"),
      "200 crude-one 1.0.0,crude-both 1.0.0,Crude-Capitals 1.0.0,@crude/scoped 1.0.0",
    );
    assert.equal(await answer(b, "/two"), "200 crude-two 1.0.0,crude-both 1.0.0");

    await t.step("what functions have stays, also of a server that is stopped", async () => {
      const all = await names();
      assert.deepEqual(all, ["@crude/scoped", encoded, "crude-both", "crude-one", "crude-two"]);
      assert.deepEqual((await prune()).packages, []);
      await a.stop();
      assert.deepEqual((await prune()).packages, []);
      assert.deepEqual(await names(), all);
      const leases = join(cacheDir, "leases");
      assert.equal(Deno.statSync(leases).mode! & 0o777, 0o700);
      for (const { name } of Deno.readDirSync(leases)) {
        assert.equal(Deno.statSync(join(leases, name)).mode! & 0o777, 0o600);
      }
      a = await start("a");
      assert.match(await answer(a, "/one"), /^200/);
    });

    await t.step(
      "a handler's file without a function keeps its packages, and a function without its file",
      async () => {
        assert.deepEqual(await save(a, "saved.ts", importing("crude-later")), []);
        await a.stop();
        const file = join(a.codeDir, "one.ts");
        await Deno.rename(file, join(folder, "one.ts"));
        assert.deepEqual(await pruneAs("a"), []);
        await Deno.rename(join(folder, "one.ts"), file);
        assert.ok((await names()).includes("crude-later"));
        a = await start("a");
        assert.match(await answer(a, "/one"), /^200/);
      },
    );

    await t.step(
      "without the function and its file they go, but not those that another server's function has",
      async () => {
        const { body: { functions } } = await a.api("GET", "/api/functions");
        assert.equal((await a.api("DELETE", `/api/functions/${functions[0].id}`)).status, 200);
        assert.equal((await a.api("DELETE", "/api/files/one.ts")).status, 200);
        await a.stop();
        const [report, ...more] = await pruneAs("a");
        assert.deepEqual(more, []);
        assert.match(
          report!,
          /^Removed the package versions of 1 deleted handler; packages that nothing uses \(/,
        );
        for (const gone of ["crude-one@1.0.0", `${encoded}@1.0.0`, "@crude/scoped@1.0.0"]) {
          assert.ok(report!.includes(gone));
        }
        assert.deepEqual(await names(), ["crude-both", "crude-later", "crude-two"]);
        assert.deepEqual(await pruneAs("a"), [], "nothing is left to remove");
        assert.equal(await answer(b, "/two"), "200 crude-two 1.0.0,crude-both 1.0.0");
        await deploy(b, "again", importing("crude-both"));
        assert.equal(await answer(b, "/again"), "200 crude-both 1.0.0");
      },
    );

    await t.step("what was removed is fetched again, in the newest version that its import allows", async () => {
      await registry.publish({ name: "crude-one", version: "1.1.0", files: { "index.js": 'module.exports = "new";' } });
      a = await start("a");
      await deploy(a, "one", importing("crude-one", "@crude/scoped"));
      assert.equal(await answer(a, "/one"), "200 new,@crude/scoped 1.0.0");
    });

    await t.step("nothing is removed while a server fetches", async () => {
      const release = registry.hold("crude-slow");
      await registry.publish({
        name: "crude-slow",
        version: "1.0.0",
        files: { "index.js": 'module.exports = "slow";' },
      });
      const before = registry.asked.length;
      const saved = save(b, "slow.ts", importing("crude-slow"));
      while (!registry.asked.slice(before).some((path) => path.endsWith(".tgz"))) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      let ended = false;
      const pruned = prune().finally(() => ended = true);
      await fetch(b.url + "/health").then((response) => response.body?.cancel());
      assert.equal(ended, false);
      release();
      assert.deepEqual(await saved, []);
      assert.deepEqual((await pruned).packages, []);
      await deploy(b, "slow", importing("crude-slow"));
      assert.equal(await answer(b, "/slow"), "200 slow");
    });

    await t.step(
      "a server whose data folder is gone keeps its packages for a week, and what was used lately stays",
      async () => {
        const leases = join(cacheDir, "leases");
        const path = [...Deno.readDirSync(leases)].map(({ name }) => join(leases, name)).find((path) =>
          JSON.parse(Deno.readTextFileSync(path)).dataDir === b.dataDir
        )!;
        await b.stop();
        await Deno.rename(join(folder, "b"), join(folder, "moved"));
        assert.deepEqual((await prune()).packages, []);
        const lease: Lease = JSON.parse(await Deno.readTextFile(path));
        await Deno.writeTextFile(path, JSON.stringify({ ...lease, renewedAt: Date.now() - 8 * DAY_MS }));
        await registry.publish({ name: "crude-two", version: "2.0.0", files: {} });
        assert.deepEqual((await prune({ ...AGES, packageMs: DAY_MS })).packages, []);
        assert.deepEqual((await prune()).packages.toSorted(), [
          "crude-both@1.0.0",
          "crude-slow@1.0.0",
          "crude-two@1.0.0",
        ]);
        assert.match(await answer(a, "/one"), /^200/);
      },
    );

    await t.step("programs of other versions go after 30 days, and transpiled modules with their files", async () => {
      const old = new Date(Date.now() - 31 * DAY_MS);
      const stale = ["app-0000000000000000", "deno-0.0.0-1-1", "deno/gen/file/crude-functions-nowhere/code"];
      for (const name of stale) await Deno.mkdir(join(cacheDir, name), { recursive: true });
      const kept = [...Deno.readDirSync(cacheDir)].map(({ name }) => name).filter((name) =>
        /^(app|deno)-/.test(name) && !stale.includes(name)
      );
      assert.ok(kept.length > 0);
      assert.deepEqual((await prune({ ...AGES, packageMs: DAY_MS })).programs, []);
      for (const name of [...stale, ...kept]) await Deno.utime(join(cacheDir, name), old, old);
      await Deno.utime(join(cacheDir, "deno/gen/file/crude-functions-nowhere"), old, old);
      const { programs, transpiled } = await prune();
      assert.deepEqual(programs.toSorted(), ["app-0000000000000000", "deno-0.0.0-1-1"]);
      assert.ok(transpiled > 0);
      for (const name of stale) await assert.rejects(Deno.stat(join(cacheDir, name)), Deno.errors.NotFound);
      assert.match(await answer(a, "/one"), /^200/);
    });
  } finally {
    await a.stop();
    await b.stop();
    await Deno.remove(folder, { recursive: true });
  }
});
