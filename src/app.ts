// Assembles the server: opens its parts, connects them, listens, and closes them in reverse order.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };
import { createAccess } from "./core/access/access.ts";
import { passphraseChange, SERVER } from "./actor.ts";
import { createAdmins } from "./core/admins/admins.ts";
import { checkFolders, type Config } from "./config.ts";
import { denoWarning } from "./deno_versions.ts";
import { messageOf } from "./errors.ts";
import { createAssets } from "./code/files/assets.ts";
import { Builder } from "./code/modules/builder.ts";
import { ConfinedDeno } from "./code/modules/confined_deno.ts";
import { CodeFolder } from "./code/files/code_folder.ts";
import { createConditions } from "./code/checks/condition.ts";
import { createFileUses } from "./code/file_uses.ts";
import { createFiles } from "./code/files/files.ts";
import { createImports } from "./code/modules/imports.ts";
import { createModuleGraphCache } from "./code/modules/module_graph_cache.ts";
import { LoadChecks } from "./code/checks/load_check.ts";
import { ModuleCache } from "./code/packages/module_cache.ts";
import { createPackageLocks, importLockFile } from "./code/packages/package_locks.ts";
import { createPackages } from "./code/packages.ts";
import { DEFAULT_CONFINEMENT } from "./core/functions/permissions.ts";
import { createPreflight } from "./code/checks/preflight.ts";
import { Pruner } from "./code/pruner.ts";
import { createRegistry } from "./core/functions/registry.ts";
import { hasLinearEngine } from "./core/functions/route_patterns.ts";
import { createTypeCheck } from "./code/checks/type_check.ts";
import { createChangeBarrier } from "./http/change_barrier.ts";
import { createApi } from "./control/api/api.ts";
import type { ApiDeps } from "./control/services.ts";
import { Endpoint, machineHosts } from "./http/endpoint.ts";
import { createRun } from "./calls/handler.ts";
import type { RunCaller } from "./calls/caller.ts";
import { codeVersionOf } from "./calls/target.ts";
import { serve } from "./http/server.ts";
import type { Web } from "./control/web/shell/deps.ts";
import type { FunctionId, KeyId, SessionId } from "./ids.ts";
import { openKeyFile } from "./keyring/key_file.ts";
import { Rotation } from "./core/encryption/rotation.ts";
import { createAudit } from "./core/audit/audit.ts";
import { Disclosures } from "./calls/secrets/disclosures.ts";
import { bestEffort } from "./best_effort.ts";
import { Integrity } from "./core/audit/integrity.ts";
import { createLog } from "./telemetry/log.ts";
import { Logs } from "./telemetry/logs.ts";
import { createMasking } from "./masking/masking.ts";
import { Metrics } from "./telemetry/metrics.ts";
import { Reads } from "./telemetry/reads.ts";
import { createSandboxLog } from "./telemetry/sandbox_log.ts";
import { oncePerMinute } from "./once_per_minute.ts";
import { openTraces } from "./telemetry/traces.ts";
import { moveEarlierUses, observeUses } from "./core/access/uses.ts";
import { makeRunFolder } from "./sandbox/process/sandbox_dir.ts";
import { createHealth } from "./sandbox/host/health.ts";
import { Pool, type PoolOptions } from "./sandbox/host/pool.ts";
import type { ProcessOptions } from "./sandbox/process/process.ts";
import { prepareRuntime, sandboxWarnings } from "./sandbox/process/toolchain.ts";
import { openUsageReader } from "./sandbox/process/proc_stats.ts";
import { createSecretReferences } from "./core/secrets/references.ts";
import { SecretBroker } from "./calls/secrets/broker.ts";
import { createExplainer } from "./core/secrets/explain.ts";
import { SecretLookup } from "./calls/secrets/lookup.ts";
import { createSecretMatrix } from "./core/secrets/matrix.ts";
import { createSecrets } from "./core/secrets/service.ts";
import { createSettings } from "./core/settings/settings.ts";
import { DAY_MS, HOUR_MS } from "./time.ts";
import { openDataFolder } from "./store/data_folder.ts";
import { openObservations } from "./store/observations.ts";
import { openStore } from "./store/store.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** What the process that runs an app provides. */
export interface AppOptions {
  /** Prints a line of the server's own log, or a message at its start; to standard output by default. */
  readonly print?: (line: string) => void;
  /** Milliseconds since 1970 UTC. */
  readonly now?: () => number;
  /** Sentences about what this process lacks, shown together with the app's own warnings. */
  readonly warnings?: readonly string[];
}

/** A server that listens. Disposing of it closes everything without waiting for requests: call `drain` first. */
export interface App extends AsyncDisposable {
  /** A URL by which it can be reached on this machine. */
  readonly url: string;
  /** Rejects with an AppError if the listener is lost. */
  readonly lost: Promise<never>;
  /** Answers new requests with 503 and waits at most ten seconds for the running ones. */
  drain(): Promise<void>;
}

interface Host {
  readonly config: Config;
  readonly log: ReturnType<typeof createLog>;
  readonly print: (line: string) => void;
  readonly now: () => number;
  readonly startedAt: number;
}

/**
 * Opens the data and code folders of `config` and listens.
 * @throws ConfigError, DataFolderError, KeyFileError, AppError for problems that the operator has to fix; nothing
 *   stays open
 */
export async function createApp(config: Config, options: AppOptions = {}): Promise<App> {
  const { print = (line) => console.log(line), now = () => Date.now(), warnings = [] } = options;
  const log = createLog(print, () => new Date(now()));
  const host: Host = { config, log, print, now, startedAt: now() };
  await using opened = new AsyncDisposableStack();
  const data = openData(opened, host);
  const control = openControl(opened, host, data);
  const code = await openCode(opened, host, data, control);
  const telemetry = openTelemetry(opened, host, data, control);
  const endpoint = new Endpoint();
  const before = { ...data, ...control, ...code, ...telemetry };
  const processes = await openProcesses(opened, host, before, endpoint);
  const parts = { ...before, ...processes, ...openFunctions(opened, host, { ...before, ...processes }) };
  const shown = showWarnings(host, [...sandboxWarnings(code.runtime), ...warnings]);
  return await listen(opened.move(), host, parts, endpoint, shown);
}

type Data = ReturnType<typeof openData>;
type Control = ReturnType<typeof openControl>;
type Code = Awaited<ReturnType<typeof openCode>>;
type Telemetry = ReturnType<typeof openTelemetry>;
type Processes = Awaited<ReturnType<typeof openProcesses>>;
type Functions = ReturnType<typeof openFunctions>;

/** Opens the folders, the key file, the databases and what protects them. */
function openData(opened: AsyncDisposableStack, { config, log, now }: Host) {
  const warn = (message: string) => log("warn", message);
  opened.defer(openDataFolder(config.dataDir));
  // Not readable for the users that sandboxes run as: each gets a copy of its function's code.
  Deno.mkdirSync(config.codeDir, { recursive: true, mode: 0o700 });
  const [dataDir, codeDir] = [Deno.realPathSync(config.dataDir), Deno.realPathSync(config.codeDir)];
  checkFolders(dataDir, codeDir);
  const database = join(config.dataDir, "database.db");
  const path = join(config.dataDir, "encryption-keys.json");
  const keys = openKeyFile(path, existsSync(database), new Date(now()), config.keyringPassphrase);
  const { keyring } = keys;
  const integrity = new Integrity({ path: database, keyring, log });
  const store = openStore(database, keys, {
    warn,
    note: (message) => log("info", message),
    onFinding: (finding) => integrity.found(finding),
  });
  opened.defer(() => store.close());
  const observations = openObservations(join(config.dataDir, "observations.db"), () => new Date(now()), warn);
  opened.defer(() => observations.close());
  opened.defer(() => integrity.stop());
  const audit = createAudit({ store, keyring, now, warn: (message) => log("error", message) });
  opened.defer(() => audit.close());
  audit.start();
  integrity.recordWith(audit.record);
  if (config.keyringPassphrase && !keys.isWrapped) {
    audit.record(SERVER, passphraseChange("added"));
    keys.wrapWith(config.keyringPassphrase);
    log("info", `${path} is now encrypted with the passphrase.`);
  }
  return { dataDir, codeDir, keys, keyring, integrity, store, observations, audit, record: audit.record };
}

/** Opens what admins manage: settings, keys, admins, secrets. */
function openControl(opened: AsyncDisposableStack, { config, log, now }: Host, data: Data) {
  const { store, keyring, record, observations } = data;
  const settings = createSettings({
    store,
    check: (name, value) => {
      if (name !== "api.access-groups") return undefined;
      const missing = (value as string[]).find((group) => !store.access.groupByName(group));
      return missing && `names the group "${missing}", which does not exist`;
    },
    record,
  });
  const using = {
    store: observations.uses,
    transaction: <T>(work: () => T): T => observations.transaction(work),
    now,
    attempt: bestEffort(now, (error) => log("error", `Times of last use were lost: ${messageOf(error)}.`)),
  };
  const keyUses = observeUses<KeyId>("key", using);
  opened.defer(() => keyUses.close());
  const sessionUses = observeUses<SessionId>("session", using);
  opened.defer(() => sessionUses.close());
  moveEarlierUses(store, observations);
  const access = createAccess({
    store,
    keyring,
    now,
    groupsInSettings: () => settings.get("api.access-groups"),
    record,
    uses: keyUses,
  });
  access.bootstrap(SERVER, config.bootstrapApiKey);
  const admins = createAdmins({
    store,
    keyring,
    limits: {
      idleMs: () => settings.get("admin.session.idle-hours") * HOUR_MS,
      longestMs: () => settings.get("admin.session.max-days") * DAY_MS,
    },
    now,
    record,
    sessionUses,
  });
  return { settings, access, admins, secrets: createSecrets({ store, keyring, now, record }) };
}

/** Opens handler files, their packages, and the runtime of sandboxes. */
async function openCode(opened: AsyncDisposableStack, host: Host, data: Data, { settings }: Control) {
  const { config, log, now } = host;
  const { store, observations, codeDir, dataDir, record } = data;
  const { fetchEnv, cacheDir } = config;
  const codeFolder = new CodeFolder({ codeDir, dataDir, warn: (message) => log("warn", message) });
  opened.defer(() => codeFolder.close());
  const runtime = await prepareRuntime(ROOT, { cacheDir, fetchEnv });
  const lockOptions = { store: store.packageLocks, transaction: store.transaction };
  importLockFile(join(config.dataDir, "imports.lock"), lockOptions);
  const locks = createPackageLocks(lockOptions);
  const cache = new ModuleCache({ runtime, dataDir, used: locks.packages, now });
  const runFolder = makeRunFolder(config.dataDir, runtime.denoDir);
  opened.defer(() => runFolder.remove());
  const [checkers, builders] = [new ConfinedDeno(runtime), new ConfinedDeno(runtime)];
  opened.defer(() => checkers.close());
  opened.defer(() => builders.close());
  const builder = new Builder({ runtime, deno: builders, codeDir, folder: join(runFolder.path, "build"), fetchEnv });
  const warnLate = (error: unknown) =>
    log("warn", `First calls after a restart will take longer: ${messageOf(error)} (observations.db).`);
  const imports = createImports({
    codeDir,
    locks,
    cache,
    hono: runtime.workerPackage,
    ownUsers: runtime.ownUsers,
    bootstrap: join(runtime.appDir, "workers", "bootstrap.ts"),
    builder,
    importHosts: () => settings.get("sandbox.import-hosts"),
    kept: createModuleGraphCache({
      store: observations.moduleGraphs,
      transaction: observations.transaction,
      attempt: bestEffort(now, warnLate),
    }),
  });
  cache.alsoUsed(() => imports.packages());
  return {
    checkers,
    runtime,
    locks,
    cache,
    runDir: runFolder.path,
    builder,
    imports,
    assets: createAssets(codeDir, codeFolder),
    files: createFiles({ codeDir, record, onChange: () => codeFolder.changed() }),
  };
}

/** Opens metrics, read counts and logs of calls. */
function openTelemetry(opened: AsyncDisposableStack, { log, now }: Host, data: Data, { settings }: Control) {
  const { store, observations } = data;
  const counting = {
    transaction: <T>(work: () => T): T => observations.transaction(work),
    now,
    ...settings.view({ delayMs: "log.batching.max-delay-ms", retentionDays: "metrics.retention-days" }),
    attempt: bestEffort(now, (error) => log("error", `Counts were lost, or could not be read: ${messageOf(error)}.`)),
  };
  const isFunction = (id: FunctionId) => store.functions.find(id) !== undefined;
  const isSecret = (id: Parameters<typeof store.secrets.find>[0]) => store.secrets.find(id) !== undefined;
  const metrics = new Metrics({ ...counting, store: observations.metrics, isFunction });
  opened.defer(() => metrics.flush());
  const reads = new Reads({ ...counting, store: observations.secretReads, isSecret });
  opened.defer(() => reads.flush());
  const masking = createMasking();
  const logs = new Logs({
    observations,
    masking,
    settings: settings.view({
      level: "log.level",
      maxBatchSize: "log.batching.max-batch-size",
      maxDelayMs: "log.batching.max-delay-ms",
      maxPerFunction: "log.trimming.max-per-function",
      retentionSeconds: "log.trimming.retention-seconds",
    }),
    isFunction,
    now,
    report: log,
  });
  opened.defer(() => logs.close());
  return { metrics, reads, masking, logs };
}

/** Opens the processes of functions, and what answers their questions. */
async function openProcesses(
  opened: AsyncDisposableStack,
  host: Host,
  parts: Data & Control & Code & Telemetry,
  endpoint: Endpoint,
) {
  const { store, keyring, settings, runtime, codeDir, imports, metrics, masking, logs } = parts;
  const { config, log, now } = host;
  const traces = config.traces ? await openTraces() : undefined;
  const usage = openUsageReader();
  opened.defer(() => usage.close());
  const health = createHealth(now);
  const conditions = createConditions({
    codeDir,
    imports,
    health: (id) => health.of(id),
    isAltered: (id) => store.isAltered("functions", id),
  });
  const process: ProcessOptions = {
    runDir: parts.runDir,
    codeDir,
    runtime,
    usage,
    ownAddresses: () => endpoint.addresses(),
    machineHosts,
    denyNet: () => settings.get("sandbox.net.deny"),
  };
  const onStart: PoolOptions<RunCaller>["onStart"] = (target) => {
    const functionId = target.functionId as FunctionId;
    const version = codeVersionOf(target);
    metrics.sandboxStarted(functionId);
    const ended = traces?.starting(target.route.name);
    return (failure) => {
      if (!failure) conditions.found(target.route.handler, version, []);
      else if (failure.kind === "load-failed") {
        conditions.found(target.route.handler, version, [masking.mask(functionId, failure.message)]);
      }
      ended?.(failure !== undefined);
    };
  };
  const disclosures = new Disclosures({ ...parts, log, now });
  const broker = new SecretBroker<RunCaller>(new SecretLookup(store, keyring), disclosures);
  const pool = new Pool<RunCaller>({
    process,
    health,
    answerer: {
      answer: (caller, ...question) => broker.answer(caller, ...question),
      // Nothing is prefetched for a traced call, so that each question has its own span.
      prefetch: (caller, questions) => caller.trace ? undefined : broker.prefetch(caller, questions),
    },
    entitlements: {
      isCurrent: (caller) => caller.isCurrent,
      isEntitled: (caller) => caller.isEntitled,
    },
    limits: () => ({
      maxProcesses: settings.get("sandbox.max-processes"),
      maxCalls: settings.get("sandbox.max-calls"),
      maxPerFunction: Math.min(settings.get("sandbox.max-processes-per-function"), navigator.hardwareConcurrency),
      spareProcesses: settings.get("sandbox.spare-processes"),
      maxCallMs: settings.get("sandbox.max-call-ms"),
      revocationGraceMs: settings.get("sandbox.revocation-grace-ms"),
      idleMs: settings.get("sandbox.idle-seconds") * 1_000,
    }),
    heldMaxBytes: () => settings.get("sandbox.calls-memory-mb") * 1024 * 1024,
    onCallBegin: ({ disclosed }) => masking.hold(disclosed),
    onCallEnd: ({ disclosed }) => masking.release(disclosed),
    onStart,
    onLog: createSandboxLog({ logs, masking, log, isNews: oncePerMinute<string>(now) }),
    onBackgroundEnd: ({ functionId }, outcome, durationMs) =>
      metrics.backgroundEnded(functionId as FunctionId, outcome === "ok", durationMs),
  });
  opened.defer(() => pool.stop());
  return { traces, conditions, process, pool };
}

/** Opens the registry of functions, the checks of their code, and the rotation of encryption keys. */
function openFunctions(
  opened: AsyncDisposableStack,
  { log, now }: Host,
  parts: Data & Control & Code & Telemetry & Processes,
) {
  const { store, keys, settings, runtime, codeDir, locks, imports, assets, metrics, logs, record } = parts;
  const { conditions, pool, process } = parts;
  const registry = createRegistry({
    store,
    now,
    onChange: (id, deleted) => {
      pool.retire(id);
      if (deleted) metrics.forget(id);
      if (deleted) void logs.forget(id);
    },
    record,
  });
  const pruner = new Pruner({
    codeDir,
    runtime,
    cache: parts.cache,
    locks,
    imports,
    handlers: () => registry.list().map(({ handler }) => handler),
    now,
    report: log,
  });
  opened.defer(() => pruner.stop());
  const rotation = new Rotation({
    store,
    keyFile: keys,
    settings: settings.view({
      intervalDays: "encryption.key-rotation.interval-days",
      batchSize: "encryption.key-rotation.batch-size",
      batchSleepMs: "encryption.key-rotation.batch-sleep-ms",
      keepDays: "encryption.retired-keys.keep-days",
    }),
    busy: () => pool.busy,
    now,
    report: log,
    record,
  });
  opened.defer(() => rotation.stop());
  const preflight = createPreflight({
    imports,
    assets,
    registry,
    conditions,
    loads: new LoadChecks({ process, limitMs: () => settings.get("sandbox.load-check-ms") }),
    limits: () => ({
      importHosts: settings.get("sandbox.import-hosts"),
      memoryMb: settings.get("sandbox.memory-mb"),
    }),
  });
  return { registry, pruner, rotation, preflight };
}

/** Logs what this machine or this process lacks, and returns it for the pages. */
function showWarnings({ log }: Host, warnings: readonly string[]): string[] {
  const slow = hasLinearEngine
    ? undefined
    : "Route patterns can block the server because V8's linear engine is off. Start it with `deno task start`.";
  const all = [...warnings, denoWarning(), slow].filter((sentence) => sentence !== undefined);
  for (const sentence of all) log("warn", sentence);
  return all;
}

type Parts = Data & Control & Code & Telemetry & Processes & Functions;

/** Creates what answers requests, and listens. `opened` is closed if the address is not available. */
async function listen(
  opened: AsyncDisposableStack,
  host: Host,
  parts: Parts,
  endpoint: Endpoint,
  warnings: readonly string[],
): Promise<App> {
  await using closing = opened;
  const { config, log, print } = host;
  const { settings, store, pool, access, admins, rotation, pruner, logs, checkers } = parts;
  const run = createRun({
    ...parts,
    changes: store.changeCount,
    log,
    onLeak: (leak) => parts.audit.recordLeak(leak),
    onEnd: (functionId, outcome, durationMs) => parts.metrics.ended(functionId, outcome, durationMs),
  });
  const resources = resourcesOf(host, parts);
  const api = createApi(resources);
  const ending = new AbortController();
  closing.defer(() => ending.abort());
  const openWeb = webOpener(host, parts, resources, run.answer, warnings, ending.signal);
  const server = serve(config, {
    api: (request, client) => api.fetch(request, client),
    web: async (request, client) => (await openWeb()).fetch(request, client),
    run: run.answer,
    runHosts: () => settings.get("run.hosts"),
    health: {
      version: manifest.version,
      warnings: denoWarning() ? ["This version of Deno has not been tested with this server."] : [],
    },
    running: () => run.underWay > 0 || pool.busy,
    barrier: createChangeBarrier(store.changeCount, () => pool.revokeAnswers()),
  }, log);
  closing.defer(() => server.close());
  endpoint.listensOn(server);
  pool.prepare({
    lock: undefined,
    config: undefined,
    packages: [],
    packageFiles: [],
    importHosts: settings.get("sandbox.import-hosts"),
    net: DEFAULT_CONFINEMENT.permissions.net,
    memoryMb: settings.get("sandbox.memory-mb"),
  });
  pruner.start();
  rotation.start();
  parts.integrity.start(store, () => pool.busy);
  print(`Listening on ${endpoint.url}`);
  const setupToken = admins.accounts.openSetup();
  if (setupToken !== undefined) {
    print(`Create the first user: ${server.url}/web/setup?token=${setupToken}`);
    if (!access.hasKeyIn(settings.get("api.access-groups"))) {
      print("Or set BOOTSTRAP_API_KEY to at least 32 characters and restart, to manage it only through the API.");
    }
  }
  const closed = closing.move();
  return {
    url: server.url,
    lost: server.lost,
    async drain() {
      await rotation.stop();
      await pruner.stop();
      logs.endFollowing();
      // A check changes nothing, and may take longer than is waited for.
      await checkers.close();
      await server.drain();
      // Ends responses that are still streamed before their connections are closed.
      await pool.stop();
    },
    [Symbol.asyncDispose]: () => closed.disposeAsync(),
  };
}

/** Returns what the API and the pages manage. */
function resourcesOf({ log, now, startedAt }: Host, parts: Parts): ApiDeps {
  const { store, imports, builder, locks, registry, files, preflight, record, runtime } = parts;
  return {
    ...parts,
    fileUses: createFileUses({ files, registry, importers: (path) => imports.importers(path) }),
    resolution: createExplainer(store),
    packages: createPackages({
      imports,
      builder,
      locks,
      registry,
      load: preflight.trial,
      record,
      workerPackage: runtime.workerPackage,
    }),
    health: (id) => parts.pool.health(id),
    now,
    startedAt,
    log,
    newRequestId: () => crypto.randomUUID(),
    version: manifest.version,
  };
}

/** Returns a function that loads the pages when one is first opened: most servers mostly answer calls. */
function webOpener(
  { now }: Host,
  parts: Parts,
  resources: ApiDeps,
  run: (request: Request) => Promise<Response>,
  missing: readonly string[],
  closing: AbortSignal,
): () => Promise<Web> {
  const { store, secrets, files, runtime, runDir, codeDir, locks, settings, imports, pool, integrity, keyring } = parts;
  let web: Promise<Web> | undefined;
  const open = async (): Promise<Web> => {
    const { createWeb } = await import("./control/web/web.tsx");
    return createWeb({
      ...resources,
      now,
      overview: createSecretMatrix(store, secrets),
      suspended: () => pool.suspended() as FunctionId[],
      sandboxWarnings: missing,
      alterations: () => integrity.findings,
      isAltered: store.isAltered,
      closing,
      run,
      asked: createSecretReferences(store),
      noticeKey: keyring.derive("notices"),
      importers: (path) => imports.importers(path),
      typeCheck: createTypeCheck({
        files,
        runtime,
        deno: parts.checkers,
        runDir,
        codeDir,
        locks,
        importHosts: () => settings.get("sandbox.import-hosts"),
      }),
    });
  };
  return () => web ??= open();
}
