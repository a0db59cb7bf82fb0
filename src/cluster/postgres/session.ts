// Opens a connection to the host that accepts writes, with the settings that everything in this folder relies on.

import postgres from "postgres";
import type { DatabaseHost, DatabaseUrl } from "../../database_url.ts";
import { PostgresSetupError, setupProblem, unavailability } from "./failures.ts";
import { openSocket } from "./socket.ts";

/** Runs statements on one connection: sql`…`, with parameters as `${…}`. */
export type Sql = postgres.Sql<{ bigint: number }>;

export interface Session {
  readonly sql: Sql;
  readonly host: DatabaseHost;
  /** The number of the server's process. */
  readonly pid: number;
  readonly isOpen: boolean;
  /** Resolves when the connection has ended, however it did. */
  readonly closed: Promise<void>;
  /** Number of warnings by the server. */
  readonly warnings: number;
  /** Ends the connection at once; statements in progress fail. */
  destroy(): void;
  /** Ends the connection after the statements in progress, at the latest after a second. */
  end(): Promise<void>;
}

export interface SessionOptions {
  readonly url: DatabaseUrl;
  /** The schema that names in statements belong to; it may not exist yet. */
  readonly schema: string;
  /** After this time PostgreSQL ends a statement. */
  readonly statementTimeoutMs: number;
  /** After this time without a statement, PostgreSQL ends the session; 0 for never. */
  readonly idleTimeoutMs: number;
  /** Is called with the channel and the payload of each notification. */
  readonly onNotify?: (channel: string, payload: string) => void;
}

/** PostgreSQL ends a transaction that waits for its client longer: others wait for the lock that it holds. */
export const IDLE_IN_TRANSACTION_MS = 2_500;

export const OLDEST_VERSION = 14;

/**
 * Connects to the first host, beginning with the one at `first`, that accepts writes.
 * @throws PostgresSetupError if no host can be used as it is set up; the last host's error otherwise
 */
export async function openSession(options: SessionOptions, first = 0): Promise<Session> {
  const { hosts } = options.url;
  let problem: unknown;
  for (let n = 0; n < hosts.length; n++) {
    try {
      return await openAt(hosts[(first + n) % hosts.length]!, options);
    } catch (error) {
      // What passes has precedence: with it, a later attempt may succeed.
      if (problem === undefined || setupProblem(problem) !== undefined) problem = error;
    }
  }
  const setup = setupProblem(problem);
  throw setup === undefined ? problem : new PostgresSetupError(setup);
}

async function openAt(host: DatabaseHost, options: SessionOptions): Promise<Session> {
  const { url } = options;
  const socket = await openSocket(url, host);
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const state = { isOpen: true, isTaken: false, warnings: 0, pid: 0 };
  socket.once("close", () => {
    state.isOpen = false;
    resolve();
  });
  const sql: Sql = postgres({
    // A session is one connection: the client would otherwise open another one, without the settings below.
    socket: () => {
      if (state.isTaken || !state.isOpen) throw Object.assign(new Error("closed"), { code: "CONNECTION_CLOSED" });
      state.isTaken = true;
      return socket;
    },
    host: host.host,
    port: host.port,
    user: url.user,
    pass: url.password?.reveal() ?? "",
    database: url.database,
    ssl: false,
    max: 1,
    connect_timeout: 0,
    idle_timeout: 0,
    max_lifetime: null,
    keep_alive: null,
    backoff: false,
    fetch_types: false,
    prepare: true,
    debug: false,
    no_subscribe: true,
    onnotice: ({ severity }: postgres.Notice) => {
      if (severity === "WARNING") state.warnings++;
    },
    onnotify: options.onNotify,
    connection: {
      application_name: url.applicationName,
      ...(url.options === undefined ? {} : { options: url.options }),
    },
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  } as postgres.Options<{ bigint: postgres.PostgresType<number> }>) as unknown as Sql;
  const session: Session = {
    sql,
    host,
    get pid() {
      return state.pid;
    },
    get isOpen() {
      return state.isOpen;
    },
    get warnings() {
      return state.warnings;
    },
    closed,
    destroy() {
      state.isOpen = false;
      socket.destroy();
    },
    async end() {
      await sql.end({ timeout: 1 });
      socket.destroy();
    },
  };
  const timer = setTimeout(() => socket.destroy(), url.connectTimeoutMs);
  try {
    state.pid = await prepareSession(session, options);
    return session;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Checks the server, and sets what roles and databases may have other defaults for; returns its process's number. */
async function prepareSession({ sql, host }: Session, options: SessionOptions): Promise<number> {
  const [server] = await sql<{ pid: number; version: number; standby: boolean; readOnly: boolean }[]>`
    SELECT pg_backend_pid() AS pid, current_setting('server_version_num')::int / 10000 AS version, pg_is_in_recovery() AS standby,
      current_setting('transaction_read_only')::bool AS "readOnly"`;
  const { version, standby, readOnly } = server!;
  if (version < OLDEST_VERSION) {
    throw new PostgresSetupError(
      `${host.host} runs version ${version}; version ${OLDEST_VERSION} or newer is required`,
    );
  }
  if (standby || readOnly) throw Object.assign(new Error("does not accept writes"), { code: "25006" });
  await sql.unsafe(`
    SET search_path = "${options.schema}";
    SET statement_timeout = ${options.statementTimeoutMs};
    SET lock_timeout = 0;
    SELECT set_config('transaction_timeout', '0', false)
      WHERE current_setting('transaction_timeout', true) IS NOT NULL;
    SET idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS};
    SET idle_session_timeout = ${options.idleTimeoutMs};
    SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = 10000;
    SET default_transaction_isolation = 'read committed';
    SET bytea_output = hex; SET jit = off;
    SELECT set_config('synchronous_commit', 'on', false)
      WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')`);
  return server!.pid;
}

/** Reports whether an error means that the session cannot be used any more, or not for writes. */
export function endsSession(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return unavailability(error) !== undefined && code !== "55P03" && code !== "57014";
}
