// Starts PgBouncer in front of a PostgreSQL of tests.

import { join } from "node:path";
import { freePort, identity, startDaemon } from "./daemon.ts";
import type { TestPostgres } from "./postgres.ts";
import { ROLE } from "./postgres_template.ts";

const PROGRAM = "/usr/sbin/pgbouncer";

export interface PgBouncer extends AsyncDisposable {
  /** What DATABASE_URL is to connect through it. */
  readonly url: string;
}

/** Starts it in the given mode; only `session` is supported by the program. */
export async function startPgBouncer(server: TestPostgres, mode: "session" | "transaction"): Promise<PgBouncer> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-pgbouncer-" });
  const port = await freePort();
  const password = decodeURIComponent(ROLE.password);
  await Deno.writeTextFile(join(folder, "users.txt"), `"${ROLE.name}" "${password}"\n`);
  const config = join(folder, "pgbouncer.ini");
  await Deno.writeTextFile(
    config,
    [
      "[databases]",
      `crude = host=127.0.0.1 port=${server.port} dbname=crude`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = scram-sha-256",
      `auth_file = ${join(folder, "users.txt")}`,
      `pool_mode = ${mode}`,
      "",
    ].join("\n"),
  );
  const { uid, gid } = identity();
  if (uid !== undefined) {
    for (const path of [folder, config, join(folder, "users.txt")]) await Deno.chown(path, uid, gid!);
  }
  const daemon = await startDaemon(PROGRAM, [config], /process up/);
  return {
    url: server.url.replace(`:${server.port}/`, `:${port}/`),
    async [Symbol.asyncDispose]() {
      await daemon.end("SIGTERM");
      await Deno.remove(folder, { recursive: true });
    },
  };
}
