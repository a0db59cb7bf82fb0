// Opens what a node has of PostgreSQL: a connection for each kind of work, and one for notifications and locks.

import type { ClusterConfig } from "../../config.ts";
import { StoreUnavailable } from "../log/errors.ts";
import { PostgresSetupError, setupProblem, unavailability } from "./failures.ts";
import { Lane } from "./lane.ts";
import { pause } from "./pause.ts";
import { ensureTables, type Founding, requireTables } from "./schema.ts";
import { Watch } from "./watch.ts";

/** Kinds of work that must not wait for each other. */
const LANES = {
  /** Appends, with the head of the log locked. */
  changes: { statementTimeoutMs: 4_000 },
  /** Short reads: entries of the log, heads. */
  reads: { statementTimeoutMs: 4_000 },
  /** Renewals of leases. */
  leases: { statementTimeoutMs: 4_000 },
  /** Reads of the table of nodes, which writers wait for. */
  members: { statementTimeoutMs: 2_000 },
  /** What users wait for who sign in. */
  short: { statementTimeoutMs: 4_000 },
  /** Large or slow work that can wait: snapshots, contents of files, counts. */
  bulk: { statementTimeoutMs: 60_000 },
} as const;

export type LaneName = keyof typeof LANES;

export interface Postgres {
  readonly schema: string;
  /** Returns the connection for a kind of work. */
  lane(name: LaneName): Lane;
  readonly watch: Watch;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Whether this is a node: it creates the tables, and waits as long as PostgreSQL is not available. Default true. */
  readonly isNode?: boolean;
  /** As a node: whether a cluster may be founded where there is none. Default "allowed". */
  readonly founding?: Founding;
  /** Is called with a sentence when PostgreSQL is not available; retries continue until it is. */
  readonly onWaiting?: (message: string) => void;
  readonly signal?: AbortSignal;
}

const PAUSE_MS = 1_000;
/** In which a notification of this node to itself comes back, or there is a pooler that loses it. */
const NOTIFICATION_TIMEOUT_MS = 5_000;

/**
 * Connects; as a node, creates the cluster's tables if there are none, and waits as long as PostgreSQL is not available.
 * @throws PostgresSetupError with a sentence if an operator has to change something; StoreUnavailable if this is no node
 */
export async function openPostgres(config: ClusterConfig, options: OpenOptions = {}): Promise<Postgres> {
  const { isNode = true, founding = "allowed", onWaiting = () => {}, signal = new AbortController().signal } = options;
  const session = { url: config.database, schema: config.schema };
  const lanes = Object.fromEntries(
    Object.entries(LANES).map(([name, lane]) => [name, new Lane({ ...session, ...lane, idleTimeoutMs: 0 })]),
  ) as Record<LaneName, Lane>;
  let watch: Watch | undefined;
  const close = async () => {
    await Promise.all([watch?.close(), ...Object.values(lanes).map((lane) => lane.close())]);
  };
  try {
    if (isNode) {
      const waiting = (why: string) =>
        onWaiting(`PostgreSQL is not available: ${why}. Waiting for ${hostsOf(config)}, which DATABASE_URL names.`);
      // All of them, as a server that has no connection left may still have one.
      for (const lane of Object.values(lanes)) await patiently(() => lane.connect(), waiting, signal);
      await patiently(() => ensureTables(lanes.bulk, config.schema, founding), waiting, signal);
    } else {
      await requireTables(lanes.reads, config.schema);
    }
    watch = new Watch(session);
    await expectNotification(watch, lanes.reads, signal);
    return { schema: config.schema, lane: (name) => lanes[name], watch, close };
  } catch (error) {
    await close();
    const setup = setupProblem(error);
    if (setup !== undefined) throw new PostgresSetupError(`PostgreSQL: ${setup}. ${targetOf(config)}`);
    if (!(error instanceof StoreUnavailable)) throw error;
    throw new StoreUnavailable(`${error.why} (DATABASE_URL names ${hostsOf(config)})`, error.outcome);
  }
}

/** Says what is connected to, and by which variables; nothing of it is secret. */
function targetOf(config: ClusterConfig): string {
  const { database: { user, database }, schema } = config;
  return `DATABASE_URL names the user ${user} of the database ${database} on ${
    hostsOf(config)
  }; the schema is ${schema}.`;
}

function hostsOf({ database }: ClusterConfig): string {
  return database.hosts.map(({ host, port }) => host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`).join(
    ", ",
  );
}

/** `onWaiting` is called with why PostgreSQL is not available, as a clause. */
async function patiently(work: () => Promise<void>, onWaiting: (why: string) => void, signal: AbortSignal) {
  let reported: string | undefined;
  for (;;) {
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      const setup = setupProblem(error);
      if (setup !== undefined) throw new PostgresSetupError(setup);
      const why = error instanceof StoreUnavailable ? error.why : unavailability(error);
      if (why === undefined || signal.aborted) throw error;
      if (why !== reported) onWaiting(why);
      reported = why;
      await pause(PAUSE_MS, signal);
    }
  }
}

/**
 * A pooler that gives each transaction another session loses notifications and locks. That nothing comes back proves it
 * only if something was sent, which PostgreSQL may be too busy for.
 */
async function expectNotification(watch: Watch, lane: Lane, signal: AbortSignal): Promise<void> {
  const text = crypto.randomUUID();
  const arrived = new AbortController();
  const sent = new AbortController();
  const notify = async () => {
    try {
      await lane.run((sql) => watch.notify(sql, "test", text));
      sent.abort();
    } catch {
      // The connection for notifications is opened again, too, and this is then called again.
    }
  };
  const stop = watch.listen("test", (payload) => {
    if (payload === undefined) void notify();
    else if (payload === text) arrived.abort();
  });
  try {
    await pause(2 * NOTIFICATION_TIMEOUT_MS, AbortSignal.any([signal, arrived.signal, sent.signal]));
    await pause(NOTIFICATION_TIMEOUT_MS, AbortSignal.any([signal, arrived.signal]));
    signal.throwIfAborted();
    if (arrived.signal.aborted || !sent.signal.aborted || !watch.session) return;
    throw new PostgresSetupError(
      "notifications are lost; a pooler such as PgBouncer has to be in session mode (pool_mode = session)",
    );
  } finally {
    stop();
  }
}
