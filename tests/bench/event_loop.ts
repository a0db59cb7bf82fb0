// How long work whose amount authors decide keeps the event loop from everything else, at the most an author may ask for.

import { join } from "node:path";
import { createAssets } from "../../src/code/files/assets.ts";
import { ConfinedDeno } from "../../src/code/modules/confined_deno.ts";
import { Builder } from "../../src/code/modules/builder.ts";
import { CodeFolder } from "../../src/code/files/code_folder.ts";
import { readInfoAside } from "../../src/code/modules/info_aside.ts";
import { createImports } from "../../src/code/modules/imports.ts";
import { createModuleGraphCache } from "../../src/code/modules/module_graph_cache.ts";
import { ModuleCache } from "../../src/code/packages/module_cache.ts";
import { FILES_MAX } from "../../src/code/modules/module_info.ts";
import { createPackageLocks } from "../../src/code/packages/package_locks.ts";
import { createMasking } from "../../src/masking/masking.ts";
import { makeSandboxFolder } from "../../src/sandbox/process/sandbox_dir.ts";
import { openObservations } from "../../src/store/observations.ts";
import { openStoreAt, temporaryFolder } from "../unit/temporary.ts";

/** Longest time of the main thread's own that anything may take in one go. */
const CEILING_MS = 50;
const ROUNDS = 3;
/** Bare imports of one handler. */
const BARE = 8_000;
/** The same each time, as a setting is. */
const NO_HOSTS: string[] = [];

/** Prints the longest turns; returns those above the ceiling. */
export async function benchEventLoop(): Promise<string[]> {
  using there = temporaryFolder();
  const [runDir, codeDir, denoDir] = ["run", "code", "cache"].map((name) => join(there.path, name));
  for (const folder of [runDir, codeDir, denoDir]) Deno.mkdirSync(folder!);
  const files = project(codeDir!);
  const { store } = openStoreAt(join(there.path, "database.db"));
  const observations = openObservations(join(there.path, "observations.db"), () => new Date(), console.warn);
  const runtime = {
    deno: Deno.execPath(),
    denoDir: denoDir!,
    appDir: "unused",
    setpriv: undefined,
    landlock: undefined,
  };
  const imports = createImports({
    sourceOf: () => undefined,
    codeDir: codeDir!,
    locks: createPackageLocks({ store: store.packageLocks, commit: store.commit }),
    cache: new ModuleCache({
      runtime: { ...runtime, cacheDir: there.path, workerPackage: "npm:hono@4.13.19" },
      dataDir: there.path,
      used: () => Promise.resolve([]),
      now: Date.now,
    }),
    bootstrap: "unused",
    hono: "npm:hono@4.13.19",
    ownUsers: false,
    builder: new Builder({
      runtime,
      deno: new ConfinedDeno(runtime),
      codeDir: codeDir!,
      folder: join(there.path, "build"),
      fetchEnv: {},
    }),
    importHosts: () => NO_HOSTS,
    kept: createModuleGraphCache({
      store: observations.moduleGraphs,
      transaction: observations.transaction,
      attempt: (work) => work(),
    }),
  });
  const codeFolder = new CodeFolder({ codeDir: codeDir!, dataDir: there.path + "/data", warn: console.warn });
  const patterns = Array.from({ length: 100 }, (_, n) => `**/folder${n}/*/module?${n}.ts`);
  const masking = createMasking();
  const disclosed = masking.begin(1);
  for (let n = 0; n < 100; n++) masking.recordDisclosure(disclosed, `S${n}`, "a".repeat(15_000) + n);

  const missed: string[] = [];
  console.log(`\nlongest turn of the event loop, of ${ROUNDS} rounds, ceiling ${CEILING_MS} ms`);
  const part = async (what: string, work: (round: number) => unknown): Promise<void> => {
    const longest: number[] = [];
    for (let round = 0; round < ROUNDS; round++) longest.push(await longestTurn(() => work(round)));
    const ms = longest.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
    console.log(`  ${ms.toFixed(1).padStart(7)} ms  ${what}`);
    if (ms > CEILING_MS) missed.push(`event-loop: ${what}: ${ms.toFixed(0)} ms > ${CEILING_MS} ms`);
  };
  for (const imports of [99, 600]) {
    const json = infoOf(imports);
    const size = `${(json.length / 1e6).toFixed(0)} MB of deno info with ${200 * imports} imports`;
    await part(`reading ${size}`, () => readInfoAside(json, "file:///directory/m0.ts"));
  }
  await part(`finding a handler's ${FILES_MAX} files of 32 MB`, () => {
    Deno.utimeSync(files[0]!, new Date(), new Date());
    return imports.graph("module0.ts");
  });
  await part("seeing that none of them was edited", () => imports.graph("module0.ts"));
  bareImports(codeDir!);
  await part(`finding ${BARE} imports in a deno.json`, () => {
    Deno.utimeSync(join(codeDir!, "bare", "handler.ts"), new Date(), new Date());
    return imports.graph("bare/handler.ts");
  });
  const folders: ReturnType<typeof makeSandboxFolder>[] = [];
  await part("copying them for a process", async () => {
    const folder = makeSandboxFolder(
      { runDir: runDir!, codeDir: codeDir!, denoDir: denoDir! },
      { lock: undefined, config: undefined },
      undefined,
    );
    folders.push(folder);
    await folder.installCode(files);
  });
  await part("removing the copies", (round) => folders[round]!.remove());
  await part("matching 100 patterns with them", () => {
    codeFolder.changed();
    return createAssets(codeDir!, codeFolder).of([...patterns]);
  });
  await part("masking 256 KB made of the pieces of its values", () => masking.mask(1, "a".repeat(1 << 18), disclosed));
  codeFolder.close();
  observations.close();
  store.close();
  return missed;
}

/** A handler that imports as much as one may; paths of its files, the handler first. */
function project(codeDir: string): string[] {
  const files: string[] = [];
  const padding = `// ${"x".repeat(15_800)}\n`;
  for (let n = 0; n < FILES_MAX; n++) {
    const children = [1, 2, 3].map((k) => n * 3 + k).filter((child) => child < FILES_MAX);
    const lines = children.map((child) => `import "./module${child}.ts";\n`).join("");
    files.push(join(codeDir, `module${n}.ts`));
    Deno.writeTextFileSync(files[n]!, `${lines}${padding}${n === 0 ? "export default () => new Response();" : ""}`);
  }
  return files;
}

/** A handler with many imports that a `deno.json` of nearly 256 KiB declares. */
function bareImports(codeDir: string): void {
  const names = Array.from({ length: BARE }, (_, n) => `name-${n}`);
  Deno.mkdirSync(join(codeDir, "bare"));
  const write = (name: string, text: string) => Deno.writeTextFileSync(join(codeDir, "bare", name), text);
  write("deno.json", JSON.stringify({ imports: Object.fromEntries(names.map((name) => [name, "./target.ts"])) }));
  write("target.ts", "export default 1;");
  write("handler.ts", names.map((name) => `import ${JSON.stringify(name)};\n`).join("") + "export default () => {};");
}

/** What Deno says of 200 modules with so many imports each. */
function infoOf(imports: number): string {
  const modules = Array.from({ length: 200 }, (_, n) => ({
    specifier: `file:///directory/m${n}.ts`,
    dependencies: Array.from({ length: imports }, (_, k) => ({
      specifier: `./${"../directory/".repeat(4)}m${(n + k) % 200}.ts`,
      code: {
        specifier: `file:///directory/m${(n + k) % 200}.ts`,
        span: { start: { line: k, character: 7 }, end: { line: k, character: 99 } },
      },
    })),
  }));
  return JSON.stringify({ redirects: {}, modules });
}

/** The longest time for which the main thread worked on without letting others have their turn. */
async function longestTurn(work: () => unknown): Promise<number> {
  let longest = 0;
  let isOver = false;
  let [at, cpu] = [performance.now(), mainThreadCpuMs()];
  const look = (): void => {
    const [now, used] = [performance.now(), mainThreadCpuMs()];
    // What it did not compute in, other programs took from it.
    longest = Math.max(longest, Math.min(now - at, used - cpu));
    [at, cpu] = [now, used];
    if (!isOver) setImmediate(look);
  };
  await new Promise((resolve) => setTimeout(resolve, 5));
  look();
  await work();
  await new Promise((resolve) => setTimeout(resolve, 5));
  isOver = true;
  look();
  return longest;
}

/** Time on a processor (proc_pid_schedstat(5)). */
function mainThreadCpuMs(): number {
  return Number(Deno.readTextFileSync(`/proc/self/task/${Deno.pid}/schedstat`).split(" ")[0]) / 1e6;
}
