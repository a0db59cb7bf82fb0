// Stores the log of changes in PostgreSQL. The one row of log_head is the writers' lock: a node appends while its
// transaction has locked it.

import {
  type Announced,
  BODY_MAX_BYTES,
  type ChangeLog,
  type Entry,
  type EntryKind,
  type Head,
  type LockedLog,
} from "../log/change_log.ts";
import type { Chain } from "../log/entry.ts";
import { LogPruned, LogTampered, StoreUnavailable } from "../log/errors.ts";
import { AppError } from "../../errors.ts";
import type { Postgres } from "./client.ts";
import type { PostgresNodeTable } from "./node_table.ts";
import { unavailability } from "./failures.ts";
import { asUnavailable, bounded, commit, type Lane, type OpenLane, REQUEST_TIMEOUT_MS } from "./lane.ts";
import { IDLE_IN_TRANSACTION_MS, type Session, type Sql } from "./session.ts";

/** The kind of notifications about new entries; the payload is the sequence number, and the sealed entry if it fits. */
export const APPENDED = "log";
/** PostgreSQL refuses notifications of 8,000 bytes and more. */
const NOTIFICATION_MAX_LENGTH = 7_900;
/** Bodies for which sealing is not tried. */
const ANNOUNCED_MAX_BYTES = 5_700;

/** A commit that takes longer is in doubt; together with the look-up, a caller waits for less than 5 s. */
const COMMIT_TIMEOUT_MS = 2_500;
/** At least this fast, large bodies are sent. */
const BYTES_PER_MS = 10_000;
const LOOKUP_TIMEOUT_MS = 2_000;
/** Bodies that are read at a time, the first one apart. */
const READ_MAX_BYTES = 8 * 1_024 * 1_024;

/** Work that takes longer is run again with more time: `IDLE_IN_TRANSACTION_MS` less what two messages may take. */
const SHORT_WORK_MS = IDLE_IN_TRANSACTION_MS - 500;
/** For work that is known to be long, such as an import of 10,000 secrets on a slow machine. */
const LONG_WORK_MS = 20_000;
const UNIQUE_VIOLATION = "23505";

interface Row {
  readonly seq: number;
  readonly id: string;
  readonly kind: string;
  /** Null if it is larger than that of any change. */
  readonly body: Uint8Array | null;
  readonly summary: string;
  readonly mac: string;
}

/**
 * Opens the log of the cluster that `chain` belongs to. `nodes` gets the rows of all nodes whenever this node appends, which
 * would otherwise have to be read afterwards.
 */
export async function openPostgresLog(
  postgres: Postgres,
  chain: Chain,
  nodes?: PostgresNodeTable,
): Promise<ChangeLog> {
  // The first node, which makes the keyring that the chain depends on, starts the log.
  await postgres.lane("reads").run(
    (sql) => sql`INSERT INTO log_head VALUES (1, 0, ${chain.start.mac}) ON CONFLICT DO NOTHING`,
    { isRepeatable: true },
  );
  return new PostgresLog(postgres, chain, nodes);
}

/**
 * Returns the body of the newest entry of kind `keyring`, which a node needs before it can check the log; undefined if the
 * cluster has none yet. Not checked: the log that is read with it shows whether it is the cluster's own.
 */
export async function uncheckedKeyring(postgres: Postgres): Promise<Uint8Array | undefined> {
  const [row] = await postgres.lane("reads").run((sql) => sql<{ body: Uint8Array }[]>`SELECT body FROM keyring`, {
    isRepeatable: true,
  });
  return row?.body;
}

class PostgresLog implements ChangeLog {
  readonly cluster: string;
  readonly start: Head;
  readonly #chain: Chain;
  readonly #postgres: Postgres;
  readonly #nodes: PostgresNodeTable | undefined;
  readonly #changes: Lane;
  readonly #reads: Lane;
  readonly #stops = new Set<() => void>();
  /** The last entry that this node has sealed, and what it was sealed to, which no other client knows before the commit. */
  #sealed: { readonly entry: Entry; readonly text: string } | undefined;

  constructor(postgres: Postgres, chain: Chain, nodes: PostgresNodeTable | undefined) {
    this.#postgres = postgres;
    this.#nodes = nodes;
    this.#chain = chain;
    this.cluster = chain.cluster;
    this.start = chain.start;
    this.#changes = postgres.lane("changes");
    this.#reads = postgres.lane("reads");
  }

  async exclusively<T>(work: (log: LockedLog) => Promise<T>): Promise<T> {
    const deadline = performance.now() + REQUEST_TIMEOUT_MS;
    return await this.#changes.use(deadline, async (open) => {
      const done = await this.#attempt(open, deadline, work, undefined);
      if (done) return done.result;
      // Again, with time for it: what took longer than expected may have been ended by PostgreSQL.
      return (await this.#attempt(open, performance.now() + REQUEST_TIMEOUT_MS, work, LONG_WORK_MS))!.result;
    });
  }

  /** Returns undefined, and stores nothing, if `work` took so long that PostgreSQL may have ended the transaction. */
  async #attempt<T>(
    open: OpenLane,
    deadline: number,
    work: (log: LockedLog) => Promise<T>,
    longWorkMs: number | undefined,
  ): Promise<{ readonly result: T } | undefined> {
    const { session, head } = await this.#lock(open, deadline, longWorkMs);
    const startedAt = performance.now();
    const appended: Entry[] = [];
    try {
      const result = await work({
        head,
        append: (after, entry) => Promise.try(() => this.#append(head, appended, after, entry)),
      });
      if (longWorkMs === undefined && performance.now() - startedAt > SHORT_WORK_MS) {
        await release(session);
        return undefined;
      }
      if (appended.length > 0) await this.#store(session, head, appended);
      else await bounded(session, performance.now() + COMMIT_TIMEOUT_MS, commit(session.sql));
      return { result };
    } catch (error) {
      await release(session);
      throw error;
    }
  }

  /** Begins a transaction that locks the head; again on a new connection if one was lost. */
  async #lock(
    open: OpenLane,
    deadline: number,
    longWorkMs: number | undefined,
  ): Promise<{ session: Session; head: Head }> {
    const limit = longWorkMs === undefined ? "" : `; SET LOCAL idle_in_transaction_session_timeout = ${longWorkMs}`;
    for (;;) {
      const session = await open(deadline);
      try {
        const results = await bounded(
          session,
          deadline,
          session.sql.unsafe<Head[][]>(`BEGIN${limit}; SELECT seq, mac FROM log_head WHERE id = 1 FOR UPDATE`),
        );
        return { session, head: headOf(results.at(-1)!) };
      } catch (error) {
        await release(session);
        if (unavailability(error) === undefined || session.isOpen) throw error;
      }
    }
  }

  #append(head: Head, appended: Entry[], after: Head, entry: Parameters<LockedLog["append"]>[1]): Entry {
    if (entry.body.length > BODY_MAX_BYTES) {
      throw new AppError(
        "PayloadTooLarge",
        413,
        `The change has ${entry.body.length} bytes; at most ${BODY_MAX_BYTES} fit.`,
      );
    }
    const last = appended.at(-1) ?? head;
    this.#chain.confirm(after, last);
    if (after.seq !== last.seq) {
      throw new Error(`an entry was to be appended after ${after.seq}, but the head is ${last.seq}`);
    }
    const next = this.#chain.append(after, entry);
    appended.push(next);
    return next;
  }

  /** Stores entries, and returns once they are durable. */
  async #store(session: Session, head: Head, appended: readonly Entry[]): Promise<void> {
    const { warnings } = session;
    const last = appended.at(-1)!;
    let why = "the server warned of the commit";
    try {
      const bytes = appended.reduce((sum, { body }) => sum + body.length, 0);
      const deadline = performance.now() + COMMIT_TIMEOUT_MS + bytes / BYTES_PER_MS;
      await bounded(session, deadline, this.#storeAll(session.sql, head, appended));
      // Such as: an operator cancelled the wait for a synchronous standby.
      if (session.warnings === warnings) return;
    } catch (error) {
      const unavailable = asUnavailable(error);
      // Answered with an error: nothing was stored.
      if (!(unavailable instanceof StoreUnavailable) || session.isOpen) throw error;
      why = unavailability(error) ?? "it did not answer in time";
    }
    if (await this.#lookUp(last.id, why) !== undefined) return;
    throw new StoreUnavailable(why);
  }

  async #storeAll(sql: Sql, head: Head, appended: readonly Entry[]): Promise<void> {
    const last = appended.at(-1)!;
    const [channel, notification] = [this.#postgres.schema, this.#notificationOf(last)];
    // `execute` sends a statement at once; otherwise it would be sent when it is awaited, after the COMMIT.
    const statements: Promise<unknown>[] = [
      ...appended.slice(0, -1).map(({ seq, id, kind, body, summary, mac }) =>
        sql`INSERT INTO log (seq, id, kind, body, summary, mac)
            VALUES (${seq}, ${id}, ${kind}, ${body}, ${summary}, ${mac})`.execute()
      ),
      ...appended.filter(({ kind }) => kind === "keyring").slice(-1).map(({ seq, body }) =>
        sql`INSERT INTO keyring VALUES (1, ${seq}, ${body})
            ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, body = excluded.body`.execute()
      ),
      sql`
        WITH head AS (
          UPDATE log_head SET seq = ${last.seq}, mac = ${last.mac} WHERE id = 1 AND seq = ${head.seq}
        ), entry AS (
          INSERT INTO log (seq, id, kind, body, summary, mac)
          VALUES (${last.seq}, ${last.id}, ${last.kind}, ${last.body}, ${last.summary}, ${last.mac})
        )
        SELECT pg_notify(${channel}, ${notification})`.execute(),
    ];
    // With a snapshot of its own: nodes may have joined while this one waited for the lock.
    const reading = this.#nodes?.readAtAppend(sql, last.seq);
    // A COMMIT that is ended by a time limit while it waits for a synchronous standby would be answered as done.
    statements.push(Promise.resolve(reading), commit(sql, "SET LOCAL statement_timeout = 0; "));
    // All are sent before the first is answered; the first error is the cause of the others.
    const results = await Promise.allSettled(statements);
    const reason = results.find((result) => result.status === "rejected")?.reason;
    if (reason?.code === UNIQUE_VIOLATION) {
      throw new LogTampered(head.seq + 1, `or one after it exists, though the head of the log is entry ${head.seq}`);
    }
    if (reason) throw reason;
    if (reading) this.#nodes!.tellOfAppend(await reading);
  }

  #notificationOf(entry: Entry): string {
    const short = `${APPENDED} ${entry.seq}`;
    if (entry.body.length > ANNOUNCED_MAX_BYTES) return short;
    const text = this.#chain.announcements.seal(entry);
    this.#sealed = { entry, text };
    const whole = `${short} ${text}`;
    return whole.length > NOTIFICATION_MAX_LENGTH ? short : whole;
  }

  /** Finds out about a commit in doubt. @throws StoreUnavailable with the outcome `unknown` */
  async #lookUp(id: string, why: string): Promise<number | undefined> {
    try {
      return await this.#find(id, this.#reads);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      throw new StoreUnavailable(why, "unknown");
    }
  }

  async read(after: Head, limit: number): Promise<Entry[]> {
    const { head, rows, first } = await this.#reads.run(async (sql) => {
      // The head first: entries that are appended between the statements are in the rows, not the other way round.
      const [heads, rows] = await Promise.all([
        sql<Head[]>`SELECT seq, mac FROM log_head WHERE id = 1`,
        sql<Row[]>`
          SELECT seq, id, kind, CASE WHEN octet_length(body) <= ${BODY_MAX_BYTES} THEN body END AS body, summary, mac
          FROM (
            SELECT *, sum(octet_length(body)) OVER (ORDER BY seq) AS total
            FROM (SELECT * FROM log WHERE seq > ${after.seq} ORDER BY seq LIMIT ${limit}) AS next
          ) AS counted
          WHERE total - octet_length(body) < ${READ_MAX_BYTES} ORDER BY seq`,
      ]);
      const [oldest] = rows[0]?.seq === after.seq + 1
        ? rows
        : await sql<{ seq: number }[]>`SELECT seq FROM log ORDER BY seq LIMIT 1`;
      return { head: headOf(heads), rows, first: oldest?.seq };
    }, { isRepeatable: true });

    if (head.seq <= after.seq) this.#chain.confirm(after, head);
    if (rows.length === 0 && head.seq <= after.seq) return [];
    if (first !== undefined && first > after.seq + 1) throw new LogPruned(after.seq, first);
    if (rows.length === 0) throw new LogTampered(after.seq + 1, `is missing: the log ends with entry ${head.seq}`);
    let last = after;
    return rows.map(({ body, ...row }) => {
      if (!body) throw new LogTampered(row.seq, "is larger than any change can be: it was altered or forged");
      const entry = { ...row, body, kind: row.kind as EntryKind };
      last = this.#chain.check(last, entry);
      return entry;
    });
  }

  async head(): Promise<Head> {
    return headOf(
      await this.#reads.run((sql) => sql<Head[]>`SELECT seq, mac FROM log_head WHERE id = 1`, { isRepeatable: true }),
    );
  }

  follows(after: Head, entry: Entry): boolean {
    return this.#chain.follows(after, entry);
  }

  onAppended(listener: (seq: number, announced?: Announced) => void): () => void {
    const stop = this.#postgres.watch.listen(APPENDED, (payload) => {
      if (payload !== undefined) {
        const [seq, sealed] = payload.split(" ");
        return listener(Number(seq), sealed === undefined ? undefined : () => this.#open(sealed));
      }
      this.head().then(({ seq }) => listener(seq), () => {
        // The connection is lost again; the next one calls this again.
      });
    });
    this.#stops.add(stop);
    return () => {
      stop();
      this.#stops.delete(stop);
    };
  }

  #open(sealed: string): Entry | undefined {
    return sealed === this.#sealed?.text ? this.#sealed.entry : this.#chain.announcements.open(sealed);
  }

  findById(id: string): Promise<number | undefined> {
    return this.#find(id, this.#reads);
  }

  /**
   * A transaction whose commit is in doubt has the lock until it ends: with the lock, its outcome is known. A row is
   * written, so that the commit of this transaction waits for a synchronous standby, and so for that one's.
   */
  async #find(id: string, lane: Lane): Promise<number | undefined> {
    return await lane.transaction(async (sql) => {
      await sql`UPDATE log_head SET seq = seq WHERE id = 1`;
      const [row] = await sql<{ seq: number }[]>`SELECT seq FROM log WHERE id = ${id}`;
      return row?.seq;
    }, { timeoutMs: LOOKUP_TIMEOUT_MS, isRepeatable: true });
  }

  close(): Promise<void> {
    for (const stop of this.#stops) stop();
    return Promise.resolve();
  }
}

function headOf(rows: readonly Head[]): Head {
  const [head] = rows;
  if (!head) throw new LogTampered(1, "cannot be read: the table log_head is empty");
  return { seq: head.seq, mac: head.mac };
}

/** Ends the transaction of a session; the session itself if that does not succeed at once. */
async function release(session: Session): Promise<void> {
  if (!session.isOpen) return;
  try {
    await bounded(session, performance.now() + 1_000, session.sql.unsafe("ROLLBACK"));
  } catch {
    session.destroy();
  }
}
