// Implements the table of nodes in PostgreSQL.

import type { Head } from "../log/change_log.ts";
import type { NodeRow, NodeTable, RowsAtAppend, StoredRow } from "../node/node_row.ts";
import type { Postgres } from "./client.ts";
import type { Lane } from "./lane.ts";
import type { Sql } from "./session.ts";

/** The kind of notifications about rows that writers wait for; the payload is the row, as JSON. */
const CHANGED = "nodes";
/** PostgreSQL refuses payloads of 8,000 bytes and more. */
const PAYLOAD_MAX_BYTES = 7_900;

/** A renewal that takes longer is of no use: the lease has nearly lapsed. */
const RENEWAL_TIMEOUT_MS = 1_500;
/** Longer than PostgreSQL lets a writer keep the head locked. */
const JOIN_TIMEOUT_MS = 4_000;
const LIST_TIMEOUT_MS = 1_500;

/** What the column `state` has, as JSON. */
type State = Omit<NodeRow, "id" | "counter" | "applied">;

interface Row {
  readonly id: string;
  readonly counter: number;
  readonly applied: number;
  readonly state: string;
  readonly mac: string;
  readonly renewedMsAgo: number;
}

export class PostgresNodeTable implements NodeTable {
  readonly #postgres: Postgres;
  readonly #leases: Lane;
  readonly #members: Lane;
  readonly #onAppend = new Set<(rows: RowsAtAppend) => void>();

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
    this.#leases = postgres.lane("leases");
    this.#members = postgres.lane("members");
  }

  async list(): Promise<StoredRow[]> {
    const rows = await this.#members.run((sql) => select(sql), { timeoutMs: LIST_TIMEOUT_MS, isRepeatable: true });
    return rows.map(toStored);
  }

  /** Sends a statement in the transaction that appends the entry `seq`; `tellOfAppend` is for once it is committed. */
  async readAtAppend(sql: Sql, seq: number): Promise<RowsAtAppend> {
    const asked = performance.now();
    const rows = await select(sql);
    return { seq, rows: rows.map(toStored), asked, answered: performance.now() };
  }

  tellOfAppend(rows: RowsAtAppend): void {
    for (const listener of this.#onAppend) listener(rows);
  }

  async acknowledge(row: NodeRow, mac: string): Promise<void> {
    const notification = `${CHANGED} ${payloadOf(row, mac)}`;
    await this.#members.run((sql) => sql`SELECT pg_notify(${this.#postgres.schema}, ${notification})`, {
      timeoutMs: RENEWAL_TIMEOUT_MS,
      isRepeatable: true,
    });
  }

  async renew(row: NodeRow, mac: string, isNews: boolean): Promise<Head | undefined> {
    const { id, instance, counter, applied } = row;
    const channel = this.#postgres.schema;
    const payload = `${CHANGED} ${isNews ? payloadOf(row, mac) : ""}`;
    const heads = await this.#leases.run(
      (sql) =>
        sql<Head[]>`
        WITH renewed AS (
          UPDATE nodes SET counter = ${counter}, applied = ${applied}, state = ${stateOf(row)}, mac = ${mac},
            renewed_at = now()
          WHERE id = ${id} AND counter < ${counter} AND starts_with(state, ${prefixOf(instance)})
          RETURNING id
        )
        SELECT seq, log_head.mac FROM log_head, renewed
        WHERE log_head.id = 1 AND (NOT ${isNews} OR pg_notify(${channel}, ${payload}) IS NOT NULL)`,
      {
        timeoutMs: RENEWAL_TIMEOUT_MS,
      },
    );
    return heads[0] && { seq: heads[0].seq, mac: heads[0].mac };
  }

  async join(row: NodeRow, mac: string, before: StoredRow | undefined): Promise<Head | undefined> {
    const { id, counter, applied } = row;
    return await this.#leases.transaction(async (sql) => {
      const [head] = await sql<Head[]>`SELECT seq, mac FROM log_head WHERE id = 1 FOR UPDATE`;
      const [stored] = before
        ? await sql`
            UPDATE nodes SET counter = ${counter}, applied = ${applied}, state = ${stateOf(row)}, mac = ${mac},
              renewed_at = now()
            WHERE id = ${id} AND mac = ${before.mac} RETURNING id`
        : await sql`
            INSERT INTO nodes (id, counter, applied, state, mac)
            VALUES (${id}, ${counter}, ${applied}, ${stateOf(row)}, ${mac}) ON CONFLICT DO NOTHING RETURNING id`;
      if (!stored || !head) return undefined;
      await this.#postgres.watch.notify(sql, CHANGED, payloadOf(row, mac));
      return { seq: head.seq, mac: head.mac };
    }, { timeoutMs: JOIN_TIMEOUT_MS });
  }

  async forget(id: string, counter: number): Promise<boolean> {
    const rows = await this.#members.run((sql) =>
      sql`DELETE FROM nodes WHERE id = ${id} AND counter = ${counter} RETURNING id`
    );
    return rows.length > 0;
  }

  onAppend(listener: (rows: RowsAtAppend) => void): () => void {
    this.#onAppend.add(listener);
    return () => void this.#onAppend.delete(listener);
  }

  onChanged(listener: (row: Omit<StoredRow, "renewedMsAgo"> | undefined) => void): () => void {
    return this.#postgres.watch.listen(CHANGED, (payload) => listener(payload ? notified(payload) : undefined));
  }
}

/** Sends the statement at once. */
function select(sql: Sql): Promise<Row[]> {
  return sql<Row[]>`
    SELECT id, counter, applied, state, mac,
      extract(epoch FROM clock_timestamp() - renewed_at)::float8 * 1000 AS "renewedMsAgo"
    FROM nodes ORDER BY id`.execute();
}

/** The beginning of the state that a process has written. */
function prefixOf(instance: string): string {
  return `{"instance":${JSON.stringify(instance)},`;
}

function stateOf({ instance, url, version, schema, startedAt, left }: NodeRow): string {
  // The instance first: see `prefixOf`.
  const state: State = { instance, url, version, schema, startedAt, left };
  return JSON.stringify(state);
}

/** Returns nothing for a row that is too large: it is then read. */
function payloadOf(row: NodeRow, mac: string): string {
  const { id, counter, applied } = row;
  const text = JSON.stringify({ id, counter, applied, state: stateOf(row), mac });
  return new TextEncoder().encode(text).length > PAYLOAD_MAX_BYTES ? "" : text;
}

/** Any client of PostgreSQL can send a notification. */
function notified(payload: string): StoredRow | undefined {
  try {
    const { id, counter, applied, state, mac } = JSON.parse(payload);
    return toStored({
      id: String(id),
      counter: Number(counter),
      applied: Number(applied),
      state: String(state),
      mac: String(mac),
      renewedMsAgo: 0,
    });
  } catch {
    return undefined;
  }
}

/** A text that no node has written becomes a row that no MAC is right for. */
function toStored({ id, counter, applied, state, mac, renewedMsAgo }: Row): StoredRow {
  const parsed = parseState(state);
  return {
    id,
    counter,
    applied,
    mac,
    renewedMsAgo,
    instance: String(parsed.instance),
    url: String(parsed.url),
    version: String(parsed.version),
    schema: Number(parsed.schema),
    startedAt: Number(parsed.startedAt),
    left: parsed.left === true,
  };
}

function parseState(text: string): Partial<Record<keyof State, unknown>> {
  try {
    return { ...JSON.parse(text) };
  } catch {
    return {};
  }
}
