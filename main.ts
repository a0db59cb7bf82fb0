// The process of the server: reads the configuration, runs the app until a signal comes, says why it ends.

import { createApp } from "./src/app.ts";
import { ConfigError, readConfig } from "./src/config.ts";
import { preventCoreDumps } from "./src/core_dumps.ts";
import { denoRefusal } from "./src/deno_versions.ts";
import { AppError } from "./src/errors.ts";
import { KeyFileError } from "./src/keyring/key_file.ts";
import { createLog } from "./src/telemetry/log.ts";
import { DataFolderError } from "./src/store/data_folder.ts";

async function main(): Promise<void> {
  const refusal = denoRefusal();
  if (refusal) throw new ConfigError(refusal);
  // Before any key is read.
  const dumps = preventCoreDumps();
  const config = readConfig((name) => Deno.env.get(name), Deno.cwd());
  // What this process starts gets an environment of its own; what it loads need not see this either.
  Deno.env.delete("KEYRING_PASSPHRASE");
  // Before the address is printed: who has read it may stop the server.
  const signalled = Promise.withResolvers<Deno.Signal>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, () => signalled.resolve(signal));
  await using app = await createApp(config, { warnings: dumps === undefined ? [] : [dumps] });
  const signal = await Promise.race([signalled.promise, app.lost]);
  createLog((line) => console.log(line), () => new Date())("info", `${signal}: letting running requests finish.`);
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
  const expected = [ConfigError, KeyFileError, DataFolderError, AppError].some((type) => error instanceof type);
  // One line for what the operator can correct, everything for a bug.
  console.error(expected ? (error as Error).message : error);
  Deno.exit(1);
}
