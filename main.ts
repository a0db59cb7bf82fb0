// Composition root: reads the configuration, opens the parts, wires them, serves, stops. No logic.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import manifest from "./deno.json" with { type: "json" };
import { passphraseChange, SERVER } from "./src/actor.ts";
import { accessService } from "./src/access/access.ts";
import { openAdmins } from "./src/admins/admins.ts";
import { checkFolders, ConfigError, readConfig } from "./src/config.ts";
import { denoRefusal, denoWarning } from "./src/deno_versions.ts";
import { preventCoreDumps } from "./src/core_dumps.ts";
import { AppError, messageOf } from "./src/errors.ts";
import { createConditions } from "./src/functions/condition.ts";
import { createFileUses } from "./src/functions/file_uses.ts";
import { filesService } from "./src/functions/files.ts";
import { Builder } from "./src/functions/builder.ts";
import { importsService } from "./src/functions/imports.ts";
import { ModuleCache } from "./src/functions/module_cache.ts";
import { Pruner } from "./src/functions/pruner.ts";
import { keptGraphs } from "./src/functions/kept_graphs.ts";
import { createPackages } from "./src/functions/packages.ts";
import { importLockFile, packageLocks } from "./src/functions/package_locks.ts";
import { assetsService } from "./src/functions/assets.ts";
import { CodeFolder } from "./src/functions/code_folder.ts";
import { DEFAULT_CONFINEMENT } from "./src/functions/permissions.ts";
import { LoadChecks } from "./src/functions/load_check.ts";
import { createPreflight } from "./src/functions/preflight.ts";
import { hasLinearEngine } from "./src/functions/route_patterns.ts";
import { functionRegistry } from "./src/functions/registry.ts";
import { typeCheckService } from "./src/functions/type_check.ts";
import { afterChanges } from "./src/http/after_changes.ts";
import { createApi } from "./src/http/api/api.ts";
import type { ApiDeps } from "./src/http/api/deps.ts";
import { createRun } from "./src/http/run.ts";
import type { RunCaller } from "./src/http/run_caller.ts";
import { codeVersionOf } from "./src/http/run_target.ts";
import { machineHosts, ownAddresses, serve } from "./src/http/server.ts";
import type { Web } from "./src/http/web/deps.ts";
import type { FunctionId, KeyId, SecretId, SessionId } from "./src/ids.ts";
import { KeyFileError, openKeyFile } from "./src/keyring/key_file.ts";
import { Rotation } from "./src/keyring/rotation.ts";
import { watchAnswers } from "./src/observe/answers.ts";
import { createAudit } from "./src/observe/audit.ts";
import { forgiving } from "./src/observe/forgiving.ts";
import { createLog } from "./src/observe/log.ts";
import { Integrity } from "./src/observe/integrity.ts";
import { logsService } from "./src/observe/logs.ts";
import { createMasking } from "./src/observe/masking.ts";
import { Metrics } from "./src/observe/metrics.ts";
import { Reads } from "./src/observe/reads.ts";
import { seldom } from "./src/observe/seldom.ts";
import { sandboxLog } from "./src/observe/sandbox_log.ts";
import { moveEarlierUses, observeUses } from "./src/observe/uses.ts";
import { openTraces } from "./src/observe/traces.ts";
import { makeRunFolder } from "./src/sandbox/folder.ts";
import type { ProcessOptions } from "./src/sandbox/process.ts";
import { Pool } from "./src/sandbox/pool.ts";
import { missingWalls, prepareRuntime } from "./src/sandbox/runtime.ts";
import { openUsageReader } from "./src/sandbox/usage.ts";
import { askedSecretsService } from "./src/secrets/asked.ts";
import { createAnswersAhead } from "./src/secrets/ahead.ts";
import { secretAnswers } from "./src/secrets/answers.ts";
import { resolutionService } from "./src/secrets/explain.ts";
import { overviewService } from "./src/secrets/overview.ts";
import { secretReader } from "./src/secrets/reader.ts";
import { secretsService } from "./src/secrets/secrets.ts";
import { settingsService } from "./src/settings/settings.ts";
import { DataFolderError, openDataFolder } from "./src/store/data_folder.ts";
import { openObservations } from "./src/store/observations.ts";
import { openStore } from "./src/store/store.ts";

async function main(): Promise<void> {
  const refusal = denoRefusal();
  if (refusal) throw new ConfigError(refusal);
  // Before any key is read.
  const dumps = preventCoreDumps();
  const config = readConfig((name) => Deno.env.get(name), Deno.cwd());
  // What this process starts gets an environment of its own; what it loads need not see this either.
  Deno.env.delete("KEYRING_PASSPHRASE");
  const log = createLog((line) => console.log(line), () => new Date());
  const now = () => Date.now();

  const unlock = openDataFolder(config.dataDir);
  // Not for the users that sandboxes run as: each gets a copy of its own code.
  Deno.mkdirSync(config.codeDir, { recursive: true, mode: 0o700 });
  const codeDir = Deno.realPathSync(config.codeDir);
  checkFolders(Deno.realPathSync(config.dataDir), codeDir);
  const database = join(config.dataDir, "database.db");
  const keyFile = join(config.dataDir, "encryption-keys.json");
  const keys = openKeyFile(keyFile, existsSync(database), new Date(), config.keyringPassphrase);
  const { keyring } = keys;
  const integrity = new Integrity({ path: database, keyring, log, busy: () => pool.busy });
  const store = openStore(database, keys, {
    warn: (message) => log("warn", message),
    onFinding: (finding) => integrity.found(finding),
  });
  const observations = openObservations(
    join(config.dataDir, "observations.db"),
    () => new Date(),
    (message) => log("warn", message),
  );
  const audit = createAudit({ store, keyring, now, warn: (message) => log("error", message) });
  audit.start();
  const { record } = audit;
  integrity.recordWith(record);
  if (config.keyringPassphrase && !keys.isWrapped) {
    record(SERVER, passphraseChange("added"));
    keys.wrapWith(config.keyringPassphrase);
    log("info", `${keyFile} is wrapped by the passphrase from now on.`);
  }

  const settings = settingsService(store, (name, value) => {
    if (name !== "api.access-groups") return undefined;
    const missing = (value as string[]).find((group) => !store.access.groupByName(group));
    return missing && `names the group "${missing}", which does not exist`;
  }, record);
  const rotation = new Rotation({
    store,
    keyFile: keys,
    settings: {
      intervalDays: () => settings.get("encryption.key-rotation.interval-days"),
      batchSize: () => settings.get("encryption.key-rotation.batch-size"),
      batchSleepMs: () => settings.get("encryption.key-rotation.batch-sleep-ms"),
      keepDays: () => settings.get("encryption.retired-keys.keep-days"),
    },
    busy: () => pool.busy,
    now,
    report: log,
    record,
  });
  const using = {
    store: observations.uses,
    transaction: <T>(work: () => T): T => observations.transaction(work),
    now,
    attempt: forgiving(now, (error) => log("error", `Times of last use are lost: ${messageOf(error)}.`)),
  };
  const keyUses = observeUses<KeyId>("key", using);
  const sessionUses = observeUses<SessionId>("session", using);
  moveEarlierUses(store, observations);
  const access = accessService(store, keyring, now, () => settings.get("api.access-groups"), record, keyUses);
  access.bootstrap(SERVER, config.bootstrapApiKey);
  const admins = openAdmins({
    store,
    keyring,
    limits: {
      idleMs: () => settings.get("admin.session.idle-hours") * 3_600_000,
      longestMs: () => settings.get("admin.session.max-days") * 86_400_000,
    },
    now,
    record,
    sessionUses,
  });
  const secrets = secretsService(store, keyring, now, record);
  const codeFolder = new CodeFolder({
    codeDir,
    dataDir: Deno.realPathSync(config.dataDir),
    warn: (message) => log("warn", message),
  });
  const assets = assetsService(codeDir, codeFolder);
  const files = filesService(codeDir, record, () => codeFolder.changed());

  const runtime = await prepareRuntime(fileURLToPath(new URL("./", import.meta.url)), {
    cacheDir: config.cacheDir,
    fetchEnv: config.fetchEnv,
  });
  const walls = missingWalls(runtime);
  const unproved = denoWarning();
  const slow = hasLinearEngine
    ? undefined
    : "Patterns of routes can hold the server up: V8's linear engine is off. Start by `deno task start`.";
  for (const sentence of [unproved, dumps, slow]) if (sentence) walls.push(sentence);
  for (const sentence of walls) log("warn", sentence);
  const lockOptions = { store: store.packageLocks, transaction: store.transaction };
  importLockFile(join(config.dataDir, "imports.lock"), lockOptions);
  const locks = packageLocks(lockOptions);
  const cache = new ModuleCache({
    runtime,
    dataDir: Deno.realPathSync(config.dataDir),
    used: async () => [...await locks.packages(), ...imports.packages()],
    now,
  });
  const runFolder = makeRunFolder(config.dataDir, runtime.denoDir);
  const builder = new Builder({
    runtime,
    codeDir,
    folder: join(runFolder.path, "build"),
    fetchEnv: config.fetchEnv,
  });
  const imports = importsService({
    codeDir,
    locks,
    cache,
    hono: runtime.workerPackage,
    ownUsers: runtime.ownUsers,
    bootstrap: join(runtime.appDir, "workers", "bootstrap.ts"),
    builder,
    importHosts: () => settings.get("sandbox.import-hosts"),
    kept: keptGraphs({
      store: observations.moduleGraphs,
      transaction: observations.transaction,
      attempt: forgiving(
        now,
        (error) => log("warn", `First calls after a restart will take longer: ${messageOf(error)} (observations.db).`),
      ),
    }),
  });
  const conditions = createConditions({
    codeDir,
    imports,
    health: (id) => pool.health(id),
    isAltered: (id) => store.isAltered("functions", id),
  });
  const counting = {
    transaction: <T>(work: () => T): T => observations.transaction(work),
    now,
    delayMs: () => settings.get("log.batching.max-delay-ms"),
    retentionDays: () => settings.get("metrics.retention-days"),
    attempt: forgiving(now, (error) => log("error", `Counts are lost, or not found: ${messageOf(error)}.`)),
  };
  const metrics = new Metrics({
    ...counting,
    store: observations.metrics,
    isFunction: (id) => store.functions.find(id) !== undefined,
  });
  const reads = new Reads({
    ...counting,
    store: observations.secretReads,
    isSecret: (id) => store.secrets.find(id) !== undefined,
  });
  const masking = createMasking();
  const logs = logsService({
    observations,
    masking,
    settings: {
      level: () => settings.get("log.level"),
      maxBatchSize: () => settings.get("log.batching.max-batch-size"),
      maxDelayMs: () => settings.get("log.batching.max-delay-ms"),
      maxPerFunction: () => settings.get("log.trimming.max-per-function"),
      retentionSeconds: () => settings.get("log.trimming.retention-seconds"),
    },
    isFunction: (id) => store.functions.find(id) !== undefined,
    now,
    report: log,
  });
  const isNews = seldom<SecretId>(now);
  const reader = secretReader(store, keyring, (id, reason) => {
    if (isNews(id)) log("error", `Secret ${id} could not be decrypted for a handler. ${reason}`);
  }, ({ functionId, holder }, id, scope) => {
    reads.handedOut(id, functionId, holder?.keyId);
    answers.given(scope);
  });
  const answers = watchAnswers(
    secretAnswers<RunCaller>(reader, ({ handed }, name, value) => masking.handedOut(handed, name, value)),
    (functionId, durationMs) => metrics.secretsRead(functionId, 1, durationMs),
    (functionId, text) => masking.mask(functionId, text),
  );
  const ahead = createAnswersAhead<RunCaller>(reader, store.changes, (caller, { id, name, value }) => {
    reads.handedOut(id, caller.functionId, caller.holder?.keyId);
    masking.handedOut(caller.handed, name, value);
  }, ({ functionId }, questions) => metrics.secretsRead(functionId, questions, 0));
  const traces = config.traces ? await openTraces() : undefined;
  const usage = openUsageReader();
  const sandboxProcess: ProcessOptions = {
    runDir: runFolder.path,
    codeDir,
    runtime,
    usage,
    ownAddresses: () => ownAddresses(server),
    machineHosts,
    denyNet: () => settings.get("sandbox.net.deny"),
  };
  const pool = new Pool<RunCaller>({
    process: sandboxProcess,
    answerer: {
      answer: answers.answer,
      // A traced call asks, so that each question has its span.
      ahead: (caller, questions) => caller.trace ? undefined : ahead(caller, questions),
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
    onCallBegin: ({ handed }) => masking.hold(handed),
    onCallEnd: ({ handed }) => masking.release(handed),
    onStart: (target) => {
      const { functionId, route } = target;
      metrics.sandboxStarted(functionId as FunctionId);
      const ended = traces?.starting(route.name);
      return (failure) => {
        if (!failure) conditions.found(route.handler, codeVersionOf(target), []);
        else if (failure.kind === "load-failed") {
          conditions.found(route.handler, codeVersionOf(target), [
            masking.mask(functionId as FunctionId, failure.message),
          ]);
        }
        ended?.(failure !== undefined);
      };
    },
    onLog: sandboxLog(logs, masking, log, seldom<string>(now)),
    onBackgroundEnd: ({ functionId }, outcome, durationMs) =>
      metrics.backgroundEnded(functionId as FunctionId, outcome === "ok", durationMs),
  });
  pool.prepare({
    lock: undefined,
    config: undefined,
    packages: [],
    packageFiles: [],
    importHosts: settings.get("sandbox.import-hosts"),
    net: DEFAULT_CONFINEMENT.permissions.net,
    memoryMb: settings.get("sandbox.memory-mb"),
  });
  const registry = functionRegistry(store, now, (id, deleted) => {
    pool.retire(id);
    if (deleted) metrics.forget(id);
    if (deleted) void logs.forget(id);
  }, record);

  const pruner = new Pruner({
    codeDir,
    runtime,
    cache,
    locks,
    imports,
    handlers: () => registry.list().map(({ handler }) => handler),
    now,
    report: log,
  });
  pruner.start();

  const preflight = createPreflight({
    imports,
    assets,
    registry,
    conditions,
    loads: new LoadChecks({ process: sandboxProcess, limitMs: () => settings.get("sandbox.load-check-ms") }),
    limits: () => ({
      importHosts: settings.get("sandbox.import-hosts"),
      memoryMb: settings.get("sandbox.memory-mb"),
    }),
  });
  const resources: ApiDeps = {
    access,
    admins,
    registry,
    files,
    fileUses: createFileUses({ files, registry, importers: imports.importers }),
    secrets,
    resolution: resolutionService(store),
    settings,
    rotation,
    audit,
    assets,
    preflight,
    packages: createPackages({
      imports,
      builder,
      locks,
      registry,
      load: preflight.trial,
      record,
      workerPackage: runtime.workerPackage,
    }),
    conditions,
    health: (id) => pool.health(id),
    logs,
    metrics,
    reads,
    now,
    startedAt: now(),
    log,
    newRequestId: () => crypto.randomUUID(),
    version: manifest.version,
  };
  const api = createApi(resources);
  const overview = overviewService(store, secrets);
  const asked = askedSecretsService(store);
  const typeCheck = typeCheckService({
    files,
    runtime,
    runDir: runFolder.path,
    codeDir,
    locks,
    importHosts: () => settings.get("sandbox.import-hosts"),
  });
  // Loaded when somebody opens a page: most servers answer calls only, for most of their time.
  let web: Promise<Web> | undefined;
  const openWeb = () =>
    web ??= import("./src/http/web/web.tsx").then(({ createWeb }) =>
      createWeb({
        ...resources,
        now,
        overview,
        suspended: () => pool.suspended() as FunctionId[],
        missingWalls: walls,
        alterations: () => integrity.findings,
        isAltered: store.isAltered,
        run: run.answer,
        asked,
        noticeKey: keyring.derive("notices"),
        importers: imports.importers,
        typeCheck,
      })
    );
  const run = createRun({
    access,
    changes: store.changes,
    registry,
    imports,
    assets,
    pool,
    settings,
    log,
    masking,
    logs,
    traces,
    onLeak: (leak) => audit.recordLeak(leak),
    onEnd: (functionId, outcome, durationMs) => metrics.ended(functionId, outcome, durationMs),
  });
  const server = serve(config, {
    api: (request, client) => api.fetch(request, client),
    web: async (request, client) => (await openWeb()).fetch(request, client),
    run: run.answer,
    runHosts: () => settings.get("run.hosts"),
    healthWarnings: unproved ? ["This version of Deno has not been tested with this server."] : [],
    running: () => run.underWay > 0 || pool.busy,
    inForce: afterChanges(store.changes, () => pool.recallAnswers()),
  }, log);

  rotation.start();
  integrity.start(store);
  const setupToken = admins.accounts.openSetup();
  if (setupToken !== undefined) {
    console.log(`Create the first user: ${server.url}/web/setup?token=${setupToken}`);
    if (!access.hasKeyIn(settings.get("api.access-groups"))) {
      console.log("Or start it with BOOTSTRAP_API_KEY set to 32 characters or more, to manage it by the API alone.");
    }
  }

  const signal = await server.stopSignal;
  log("info", `${signal}: letting running requests finish.`);
  await rotation.stop();
  await pruner.stop();
  logs.endFollowing();
  await server.drain();
  await pool.stop();
  await usage.close();
  await server.close();
  keyUses.close();
  sessionUses.close();
  logs.close();
  metrics.flush();
  reads.flush();
  audit.close();
  await integrity.stop();
  observations.close();
  store.close();
  codeFolder.close();
  runFolder.remove();
  unlock();
}

// One request's mishap must not end the others': what nobody awaited or caught is a bug, told in full.
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  console.error("Unhandled rejection:", event.reason);
});
addEventListener("error", (event) => {
  event.preventDefault();
  console.error("Uncaught error:", event.error);
});

try {
  await main();
  Deno.exit(0);
} catch (error) {
  const expected = [ConfigError, KeyFileError, DataFolderError, AppError].some((type) => error instanceof type);
  // One line for what the operator can mend, everything for a bug.
  console.error(expected ? (error as Error).message : error);
  Deno.exit(1);
}
