// Starts PostgreSQL for tests: a server of their own on a free port, with its data in a folder that is removed with it. It
// can be killed and restarted, serve TLS, and have standbys.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { copyTemplate, ROLE, SUPERUSER } from "./postgres_template.ts";
import { type Daemon, freePort, identity, runProgram, startDaemon } from "./daemon.ts";
import type { ServerCertificate } from "./certificates.ts";

const VERSIONS = "/usr/lib/postgresql";
const READY = /database system is ready to accept/;
const RESTARTS_MAX = 50;

export interface PostgresOptions {
  /** Of postgresql.conf, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Serves TLS with this certificate; plain connections stay possible. */
  readonly tls?: ServerCertificate;
}

/** Returns the folder of the newest version's programs. */
export function postgresPrograms(): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  if (versions[0] === undefined) throw new Error(`${VERSIONS} is missing: apt-get install postgresql`);
  return `${VERSIONS}/${versions[0]}/bin`;
}

/** Starts a server with a database `crude`, owned by the role of the same name, which is no superuser. */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-postgres-" });
  await Deno.chmod(folder, 0o755);
  await copyTemplate(postgresPrograms(), join(folder, "data"));
  return await TestPostgres.start(folder, options);
}

export class TestPostgres implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly #settings: Readonly<Record<string, string>>;
  #daemon: Daemon | undefined;

  private constructor(folder: string, port: number, settings: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.port = port;
    this.#settings = settings;
  }

  static async start(folder: string, { settings = {}, tls }: PostgresOptions): Promise<TestPostgres> {
    const all: Record<string, string> = {
      // A process that is killed loses nothing that it wrote, as the system goes on; only a power cut would.
      fsync: "off",
      full_page_writes: "off",
      max_wal_senders: "4",
      wal_keep_size: "64MB",
      shared_buffers: "16MB",
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      ...settings,
    };
    if (tls) {
      const [key, certificate] = [join(folder, "server.key"), join(folder, "server.crt")];
      await Deno.writeTextFile(key, tls.key, { mode: 0o600 });
      await Deno.writeTextFile(certificate, tls.certificate);
      const { uid, gid } = identity();
      if (uid !== undefined) await Deno.chown(key, uid, gid!);
      Object.assign(all, { ssl: "on", ssl_key_file: key, ssl_cert_file: certificate });
    }
    for (let attempt = 1;; attempt++) {
      const server = new TestPostgres(folder, await freePort(), all);
      try {
        await server.restart();
        return server;
      } catch (error) {
        // Another program has taken the port meanwhile.
        if (attempt < 5 && /could not create any TCP\/IP sockets/.test(String(error))) continue;
        await Deno.remove(folder, { recursive: true });
        throw error;
      }
    }
  }

  /** What DATABASE_URL is for the role of the application. */
  get url(): string {
    return `postgres://${ROLE.name}:${ROLE.password}@127.0.0.1:${this.port}/crude`;
  }

  /** Runs statements as a superuser, in the database `crude`; returns the rows of the last one. */
  async query<T = Record<string, unknown>>(text: string, values: postgres.ParameterOrJSON<never>[] = []): Promise<T[]> {
    const sql = postgres(`postgres://127.0.0.1:${this.port}/crude`, {
      ...SUPERUSER,
      max: 1,
      fetch_types: false,
      onnotice: () => {},
    });
    try {
      const rows: unknown[] = await sql.unsafe(text, values);
      // Of several statements, there is a list for each.
      return [...Array.isArray(rows[0]) ? rows.at(-1) as unknown[] : rows] as T[];
    } finally {
      await sql.end();
    }
  }

  /** Starts it again after `stop` or `kill`, on the same port. */
  async restart(): Promise<void> {
    const settings = Object.entries(this.#settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const args = ["-D", join(this.folder, "data"), "-p", String(this.port), ...settings];
    for (let attempt = 1;; attempt++) {
      try {
        this.#daemon = await startDaemon(join(postgresPrograms(), "postgres"), args, READY);
        return;
      } catch (error) {
        // Its processes that were killed have not all ended.
        if (attempt === RESTARTS_MAX || !/shared memory block|lock file/.test(String(error))) throw error;
      }
    }
  }

  /** Ends it in order: sessions are ended, transactions in progress are rolled back. */
  async stop(): Promise<void> {
    await this.#daemon?.end("SIGINT");
    this.#daemon = undefined;
  }

  /** Kills all of its processes at once. */
  async kill(): Promise<void> {
    await this.#daemon?.killAll();
    this.#daemon = undefined;
  }

  /** Stops all of its processes, which keep their connections and answer nothing; `resume` continues them. */
  pause(): void {
    this.#daemon?.signalAll("SIGSTOP");
  }

  resume(): void {
    this.#daemon?.signalAll("SIGCONT");
  }

  /**
   * Starts a standby. One that is `synchronous` confirms each commit before the client is answered; this waits until it
   * does.
   */
  async startStandby({ synchronous }: { synchronous: boolean }): Promise<TestPostgres> {
    const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-postgres-" });
    await Deno.chmod(folder, 0o755);
    const { uid, gid } = identity();
    if (uid !== undefined) await Deno.chown(folder, uid, gid!);
    const from = `host=127.0.0.1 port=${this.port} user=${SUPERUSER.user} password=${SUPERUSER.password}` +
      " application_name=standby";
    const data = join(folder, "data");
    await runProgram(join(postgresPrograms(), "pg_basebackup"), [
      ...["-D", data, "-d", from, "-c", "fast", "-X", "stream", "-R", "--no-sync"],
    ]);
    const standby = await TestPostgres.start(folder, { settings: { hot_standby: "on" } });
    if (synchronous) {
      await this.query("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
      await this.query("SELECT pg_reload_conf()");
      // Commits wait for the standby once the server has read its configuration.
      while ((await this.query("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")).length === 0);
    }
    return standby;
  }

  /** Waits until this standby has received all that `primary` has written so far. */
  async hasReceived(primary: TestPostgres): Promise<void> {
    const [written] = await primary.query<{ lsn: string }>("SELECT pg_current_wal_lsn()::text AS lsn");
    const text = `SELECT 1 WHERE pg_last_wal_replay_lsn() >= '${written!.lsn}'`;
    while ((await this.query(text)).length === 0);
  }

  /** Makes a standby the primary; returns when it accepts writes. */
  async promote(): Promise<void> {
    await this.query("SELECT pg_promote(true, 60)");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemon) {
      this.resume();
      await this.#daemon.end("SIGQUIT");
    }
    await Deno.remove(this.folder, { recursive: true });
  }
}
