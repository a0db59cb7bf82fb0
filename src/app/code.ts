// Opens handler files, the packages that they import, and the runtime of sandboxes.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bestEffort } from "../best_effort.ts";
import { type AssetFinder, createAssets, type SourceFinder } from "../code/files/assets.ts";
import { CodeFolder } from "../code/files/code_folder.ts";
import { createFiles, type Files } from "../code/files/files.ts";
import { Builder } from "../code/modules/builder.ts";
import { createGitFetcher, type GitFetcher } from "../code/git/fetch.ts";
import { createGitSources, type GitSources } from "../code/git/source.ts";
import { ConfinedDeno } from "../code/modules/confined_deno.ts";
import { createImports, type Imports } from "../code/modules/imports.ts";
import { createModuleGraphCache } from "../code/modules/module_graph_cache.ts";
import { createFileHistory } from "../code/versions/file_history.ts";
import { ModuleCache } from "../code/packages/module_cache.ts";
import { createPackageLocks, importLockFile, type PackageLocks } from "../code/packages/package_locks.ts";
import { messageOf } from "../errors.ts";
import { makeRunFolder } from "../sandbox/process/sandbox_dir.ts";
import { prepareRuntime, type Runtime } from "../sandbox/process/toolchain.ts";
import type { Data } from "./data.ts";
import type { Domain } from "./domain.ts";
import type { Host } from "./host.ts";
import { openVersions, type Versions } from "./versions.ts";

/** The program's folder, from which sandboxes get their code. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface Code extends Versions {
  readonly runtime: Runtime;
  /** The folder of everything that processes need while they run. */
  readonly runDir: string;
  readonly locks: PackageLocks;
  readonly cache: ModuleCache;
  readonly builder: Builder;
  /** Runs type checks. */
  readonly checkers: ConfinedDeno;
  readonly imports: Imports;
  readonly assets: AssetFinder;
  readonly files: Files;
  readonly gitSources: GitSources;
  readonly gitFetcher: GitFetcher;
  readonly codeFolder: CodeFolder;
}

export async function openCode(
  opened: AsyncDisposableStack,
  host: Host,
  data: Data,
  { settings }: Domain,
): Promise<Code> {
  const { config, log, now } = host;
  const { cluster, store, observations, codeDir, dataDir, audit, record } = data;
  const { fetchEnv, cacheDir } = config;
  const codeFolder = new CodeFolder({ codeDir, dataDir, warn: (message) => log("warn", message) });
  opened.defer(() => codeFolder.close());
  const versions = await openVersions(opened, host, data, codeFolder);
  const runtime = await prepareRuntime(ROOT, { cacheDir, fetchEnv });
  const lockOptions = { store: store.packageLocks, commit: store.commit };
  await importLockFile(join(config.dataDir, "imports.lock"), lockOptions);
  const locks = createPackageLocks(lockOptions);
  const cache = new ModuleCache({ runtime, dataDir, used: locks.packages, now });
  const runFolder = makeRunFolder(config.dataDir, runtime.denoDir);
  opened.defer(() => runFolder.remove());
  const runDir = runFolder.path;
  const [checkers, builders] = [new ConfinedDeno(runtime), new ConfinedDeno(runtime)];
  opened.defer(() => checkers.close());
  opened.defer(() => builders.close());
  const builder = new Builder({ runtime, deno: builders, codeDir, folder: join(runDir, "build"), fetchEnv });
  const warnLate = (error: unknown) =>
    log("warn", `First calls after a restart will take longer: ${messageOf(error)} (observations.db).`);
  const sourceOf: SourceFinder = (file, state) => versions.workingCopy.sourceOf(file, state);
  const imports = createImports({
    codeDir,
    locks,
    cache,
    hono: runtime.workerPackage,
    ownUsers: runtime.ownUsers,
    bootstrap: join(runtime.appDir, "workers", "bootstrap.ts"),
    builder,
    sourceOf,
    ...settings.view({ importHosts: "sandbox.import-hosts" }),
    kept: createModuleGraphCache({
      store: observations.moduleGraphs,
      transaction: observations.transaction,
      attempt: bestEffort(now, warnLate),
    }),
  });
  cache.alsoUsed(() => imports.packages());
  // Of changes by other nodes, which fetch packages of their own.
  if (cluster) {
    store.onApplied((rows) => {
      const changed = rows.filter(({ table }) => table === "package_locks").map(({ values: [handler] }) => handler);
      imports.locksChanged(changed as string[]);
    });
  }
  const assets = createAssets(codeDir, codeFolder, sourceOf);
  const gitSources = createGitSources({ store, record });
  const { requireWritable } = gitSources;
  const history = createFileHistory(versions);
  const { recordAlone } = audit;
  const files = createFiles({ codeDir, record, recordAlone, store, history, requireWritable });
  const fetchers = new ConfinedDeno(runtime);
  const program = join(ROOT, "static", "git.js");
  const gitFetcher = createGitFetcher({ runtime, deno: fetchers, runDir, program, fetchEnv });
  return {
    ...versions,
    codeFolder,
    ...{ runtime, runDir, locks, cache, builder, checkers, imports, assets, files, gitSources, gitFetcher },
  };
}
