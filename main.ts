// The process of the server: reads the configuration, runs the app until a signal comes, says why it ends.

import { createApp } from "./src/app.ts";
import { ConfigError, readConfig } from "./src/config.ts";
import { preventCoreDumps } from "./src/core_dumps.ts";
import { denoRefusal } from "./src/deno_versions.ts";
import { AppError, SetupError } from "./src/errors.ts";
import { KeyFileError } from "./src/keyring/key_file.ts";
import { createLog } from "./src/telemetry/log.ts";
import { DataFolderError } from "./src/store/data_folder.ts";

/** The exit code of a node that finds that PostgreSQL's log was altered: a restart would find the same. */
const TAMPERED = 5;

async function main(): Promise<void> {
  const refusal = denoRefusal();
  if (refusal) throw new ConfigError(refusal);
  // Before any key is read.
  const dumps = preventCoreDumps();
  const config = readConfig((name) => Deno.env.get(name), Deno.cwd());
  // What this process starts gets an environment of its own; what it loads need not see this either.
  for (const name of ["KEYRING_PASSPHRASE", "DATABASE_URL"]) Deno.env.delete(name);
  // Before the address is printed: who has read it may stop the server.
  const signalled = Promise.withResolvers<Deno.Signal>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, () => signalled.resolve(signal));
  const log = createLog((line) => console.log(line), () => new Date());
  const starting = createApp(config, { warnings: dumps === undefined ? [] : [dumps] });
  // A node waits for PostgreSQL, however long that takes, and serves nothing meanwhile.
  const early = config.cluster && await Promise.race([signalled.promise, starting.then(() => undefined)]);
  if (early) return log("info", `${early}: stopped before the start was complete.`);
  await using app = await starting;
  const signal = await Promise.race([signalled.promise, app.lost]);
  log("info", `${signal}: letting running requests finish.`);
  await app.drain();
}

// One request's mishap must not end the others: what was neither awaited nor caught is a bug, shown in full.
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
  const types = [ConfigError, KeyFileError, DataFolderError, SetupError, AppError];
  const expected = types.some((type) => error instanceof type);
  // One line for what the operator can correct, everything for a bug.
  console.error(expected ? (error as Error).message : error);
  Deno.exit(error instanceof AppError && error.code === "LogTampered" ? TAMPERED : 1);
}
