import { existsSync, readdirSync } from "node:fs";
import { dataFolder, disposeAll, freePort, runProgram, type Service, startDaemon, writeConfig } from "./service.ts";

const VERSIONS = "/usr/lib/postgresql";
const PACKAGE = "postgresql";
const USER = "postgres";
const PASSWORD = "a-password-of-tests";

/** PostgreSQL with password authentication (SCRAM-SHA-256) and a database `app`. */
export async function startPostgres(): Promise<Service> {
  // Debian has one folder for each major version.
  const version = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a))[0] : undefined;
  const bin = `${VERSIONS}/${version ?? "15"}/bin`;
  const folder = await dataFolder("postgres", USER);
  const port = await freePort();
  const data = `${folder}/data`;
  const passwordFile = await writeConfig(folder, "password", PASSWORD);
  await runProgram({
    program: `${bin}/initdb`,
    debianPackage: PACKAGE,
    args: [
      "-D",
      data,
      "-U",
      "app",
      "-A",
      "scram-sha-256",
      `--pwfile=${passwordFile}`,
      "--no-sync",
      "-E",
      "UTF8",
    ],
    user: USER,
  });
  const daemon = await startDaemon({
    program: `${bin}/postgres`,
    debianPackage: PACKAGE,
    args: [
      "-D",
      data,
      "-p",
      String(port),
      "-h",
      "127.0.0.1",
      "-k",
      folder,
      "-c",
      "fsync=off",
    ],
    user: USER,
    probe: () =>
      runProgram({ program: `${bin}/pg_isready`, debianPackage: PACKAGE, args: ["-h", folder, "-p", `${port}`] }),
  });
  const address = `127.0.0.1:${port}`;
  return {
    hosts: [address],
    secrets: { DATABASE_URL: `postgres://app:${PASSWORD}@${address}/postgres` },
    [Symbol.asyncDispose]: () => disposeAll([daemon], folder),
  };
}
