// Runs the package tests: `deno task test:packages [--short] [--sealed] [--write] [package …]`. Each package's handler is saved,
// registered and called on one real server, next to the real services that it reaches. `--short` runs the part that
// `.ci/run` has; `--sealed` gives the packages that say so a sealed token for the services' APIs; `--write` writes the table of `docs/packages.md` if all of them ended as expected.

import { parseArgs } from "node:util";
import { startServer } from "../http/server.ts";
import { CASES } from "./cases.ts";
import { handlerName, type PackageCase, versionOf } from "./package_case.ts";
import { runCase } from "./run_case.ts";
import { startServices } from "./services/services.ts";
import { writeTable } from "./table.ts";

/** Packages are fetched while others run. */
const AT_ONCE = 2;

const { values: { short, sealed, write }, positionals } = parseArgs({
  options: { short: { type: "boolean" }, sealed: { type: "boolean" }, write: { type: "boolean" } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !CASES.some((one) => one.package === name));
if (unknown.length > 0) {
  throw new Error(`There is no case for ${unknown.join(", ")}.`);
}
if (write && (short || sealed || positionals.length > 0)) {
  throw new Error("--write needs a run of all packages.");
}
const selected = CASES.filter((one) =>
  positionals.length > 0 ? positionals.includes(one.package) : sealed ? one.sealed : !short || one.short
);

const began = performance.now();
const failed = await runAll(selected);
if (write && failed.length === 0) await writeTable();
const seconds = Math.round((performance.now() - began) / 1_000);
if (failed.length > 0) console.log(`\nFailed: ${failed.join(", ")}`);
console.log(
  `\n${failed.length > 0 ? "FAILED" : "ok"} | ${
    selected.length - failed.length
  } passed | ${failed.length} failed (${seconds}s)`,
);
Deno.exit(failed.length > 0 ? 1 : 0);

/** Names of the packages that did not do what is expected of them. */
async function runAll(cases: readonly PackageCase[]): Promise<string[]> {
  await using services = await startServices(cases.flatMap((one) => one.services ?? []));
  await using server = await startServer();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, async () => {
      await server[Symbol.asyncDispose]();
      await services[Symbol.asyncDispose]();
      Deno.exit(1);
    });
  }
  for (const [name, value] of Object.entries(services.secrets)) {
    const seal = sealed && name === "API_TOKEN" && { sealed: true, hosts: [services.secrets.API_URL] };
    const { status, body } = await server.api("POST", "/api/secrets", { name, value, scope: "global", ...seal });
    if (status !== 201) {
      throw new Error(`Secret ${name}: ${status} ${JSON.stringify(body)}`);
    }
  }
  const failed: string[] = [];
  const queue = [...cases];
  const worker = async () => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      const start = performance.now();
      const label = `${one.package}@${versionOf(one)}`;
      try {
        await runCase(one, server, services);
        console.log(`${label} ... ok (${Math.round(performance.now() - start)}ms)`);
      } catch (error) {
        failed.push(one.package);
        console.log(
          `${label} ... FAILED (${Math.round(performance.now() - start)}ms), handlers/${handlerName(one)}.ts`,
        );
        console.log((error as Error).message.replace(/^/gm, "    "));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return failed;
}
