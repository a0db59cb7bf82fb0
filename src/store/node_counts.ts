// Exchanges counts with the other nodes of a cluster. Each row of a node's own tables is passed on as it is, as often as
// it changes, so that passing one on twice is harmless; the others' rows are kept apart and added when counts are read.

import type { SQLInputValue, StatementSync } from "node:sqlite";
import { all, type ChangeStatement, type Database, first, type Row } from "./database.ts";

/** A row of a node, by its table and primary key. */
export interface CountRow {
  /** Names the table. */
  readonly kind: string;
  /** The columns of the primary key, separated by spaces. */
  readonly key: string;
  /** The time that the row is of, by which old ones are deleted; 0 if it has none. */
  readonly at: number;
  /** The other columns; bytes in base64. Null if the row was deleted. */
  readonly values: readonly (string | number)[] | null;
}

export interface NodeCountStore {
  /** Records changes of this node's own rows from now on; all of them, if it was another node or cluster before. */
  track(identity: string): void;

  /** Returns at most `limit` rows that have changed, the earliest change first, and what `published` takes. */
  unpublished(limit: number): { rows: CountRow[]; to: number };

  /** Forgets the changes up to `to`: the other nodes can know them. */
  published(to: number): void;

  /** Stores rows of other nodes as they are now, and that changes up to `seen` are known. Unknown kinds are ignored. */
  receive(rows: readonly (CountRow & { readonly node: string })[], seen: number): void;

  /** Is to be called once all rows of other nodes were received: what was counted before this node existed is known. */
  joined(): void;

  /** Returns up to which change the others' rows are known. */
  seen(): number;
}

interface Table {
  readonly own: string;
  readonly others: string;
  readonly key: readonly string[];
  readonly values: readonly string[];
  /** Which column of the key or of the values is the time of the row. */
  readonly at?: string;
  /** Columns with text in the key. */
  readonly texts?: readonly string[];
  /** Columns with bytes. */
  readonly bytes?: readonly string[];
}

const READ_KEY = ["secret_id", "at", "function_id", "key_id", "length_ms"];

const TABLES: Readonly<Record<string, Table>> = {
  metrics: {
    own: "metrics",
    others: "node_metrics",
    key: ["length_ms", "function_id", "at"],
    values: [
      "calls",
      "errors",
      "timeouts",
      "refusals",
      "duration_us",
      "longest_us",
      "sandbox_starts",
      "secret_reads",
      "secret_read_us",
      "background_calls",
      "background_errors",
      "background_us",
      "histogram",
    ],
    at: "at",
    bytes: ["histogram"],
  },
  reads: { own: "secret_reads", others: "node_secret_reads", key: READ_KEY, values: ["reads"], at: "at" },
  days: {
    own: "secret_read_days",
    others: "node_secret_read_days",
    key: ["secret_id", "at"],
    values: ["reads"],
    at: "at",
  },
  last: {
    own: "secret_last_reads",
    others: "node_secret_last_reads",
    key: ["secret_id"],
    values: ["at", "function_id"],
  },
  begin: { own: "secret_reads_begin", others: "node_secret_reads_begin", key: [], values: ["at"] },
  memory: { own: "memory_peaks", others: "node_memory_peaks", key: ["function_id", "at"], values: ["mb"], at: "at" },
  hosts: {
    own: "connected_hosts",
    others: "node_connected_hosts",
    key: ["function_id", "at", "host"],
    values: ["checks"],
    at: "at",
    texts: ["host"],
  },
  hostsBegin: { own: "connected_hosts_begin", others: "node_connected_hosts_begin", key: [], values: ["at"] },
  uses: { own: "uses", others: "node_uses", key: ["kind", "id"], values: ["at"], texts: ["kind"] },
};

export function createNodeCountStore(db: Database): NodeCountStore {
  const tables = new Map(Object.entries(TABLES).map(([kind, table]) => [kind, new TableOfCounts(db, kind, table)]));
  const state = db.prepare("SELECT identity, seen FROM node_counts_state");
  const setIdentity = db.prepareChange("UPDATE node_counts_state SET identity = ?, seen = 0");
  const setSeen = db.prepareChange("UPDATE node_counts_state SET seen = ?");
  const changed = db.prepare("SELECT id, kind, key FROM unpublished ORDER BY id LIMIT ?");
  const joined = db.prepareChange(
    `UPDATE secret_reads_begin SET at = (SELECT min(at) FROM node_secret_reads_begin)
     WHERE at > (SELECT min(at) FROM node_secret_reads_begin) AND NOT EXISTS (SELECT 1 FROM secret_read_days)`,
  );
  const forget = db.prepareChange("DELETE FROM unpublished WHERE id <= ?");
  const stored = (): { identity: string; seen: number } => first<{ identity: string; seen: number } & Row>(state)!;

  return {
    track(identity) {
      for (const table of tables.values()) table.track();
      if (stored().identity === identity) return;
      for (const table of tables.values()) table.startAnew();
      setIdentity.run(identity);
    },
    unpublished(limit) {
      const changes = all<{ id: number; kind: string; key: string } & Row>(changed, limit);
      const rows = changes.flatMap(({ kind, key }) => tables.get(kind)?.read(key) ?? []);
      return { rows, to: changes.at(-1)?.id ?? 0 };
    },
    published: (to) => void forget.run(to),
    receive(rows, seen) {
      for (const { node, ...row } of rows) tables.get(row.kind)?.write(node, row);
      setSeen.run(seen);
    },
    joined: () => void joined.run(),
    seen: () => stored().seen,
  };
}

class TableOfCounts {
  readonly #db: Database;
  readonly #kind: string;
  readonly #table: Table;
  readonly #read: StatementSync;
  readonly #put: ChangeStatement;
  readonly #delete: ChangeStatement;

  constructor(db: Database, kind: string, table: Table) {
    this.#db = db;
    this.#kind = kind;
    this.#table = table;
    const { own, others, key, values } = table;
    const isKey = (columns: readonly string[]) => columns.map((column) => `${column} = ?`).join(" AND ") || "true";
    const columns = ["node", ...key, ...values];
    this.#read = db.prepare(`SELECT ${values.join(", ")} FROM ${own} WHERE ${isKey(key)}`);
    this.#put = db.prepareChange(
      `INSERT OR REPLACE INTO ${others} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    );
    this.#delete = db.prepareChange(`DELETE FROM ${others} WHERE ${isKey(["node", ...key])}`);
  }

  /** Temporary triggers: a server that is no node of a cluster has none. */
  track(): void {
    const { own } = this.#table;
    const changes = { INSERT: "NEW", UPDATE: "NEW", DELETE: "OLD" };
    for (const [change, row] of Object.entries(changes)) {
      const key = this.#keyOf(row);
      run(
        this.#db,
        `CREATE TEMP TRIGGER IF NOT EXISTS unpublished_${this.#kind}_${change} AFTER ${change} ON main.${own} BEGIN
           DELETE FROM unpublished WHERE kind = '${this.#kind}' AND key = ${key};
           INSERT INTO unpublished (kind, key) VALUES ('${this.#kind}', ${key});
         END`,
      );
    }
  }

  /** Forgets the others' rows, and marks all of this node's. */
  startAnew(): void {
    const { own, others } = this.#table;
    run(this.#db, `DELETE FROM ${others}`);
    run(
      this.#db,
      `INSERT OR REPLACE INTO unpublished (kind, key) SELECT '${this.#kind}', ${this.#keyOf(own)} FROM ${own}`,
    );
  }

  #keyOf(row: string): string {
    return this.#table.key.map((column) => `${row}.${column}`).join(" || ' ' || ") || "''";
  }

  read(key: string): CountRow {
    const row = first<Row>(this.#read, ...this.#keyValues(key));
    const { key: keys, values, at, bytes } = this.#table;
    const time = at === undefined ? 0 : Number(keys.includes(at) ? key.split(" ")[keys.indexOf(at)] : row?.[at] ?? 0);
    return {
      kind: this.#kind,
      key,
      at: time,
      values: row
        ? values.map((column) =>
          bytes?.includes(column) ? (row[column] as Uint8Array).toBase64() : row[column] as string | number
        )
        : null,
    };
  }

  write(node: string, { key, values }: CountRow): void {
    const own = this.#keyValues(key);
    if (!values) return void this.#delete.run(node, ...own);
    const { bytes, values: columns } = this.#table;
    const converted = values.map((value, n) =>
      bytes?.includes(columns[n]!) ? Uint8Array.fromBase64(value as string) : value
    );
    this.#put.run(node, ...own, ...converted);
  }

  #keyValues(key: string): SQLInputValue[] {
    const { key: columns, texts } = this.#table;
    const parts = key === "" ? [] : key.split(" ");
    return columns.map((column, n) => texts?.includes(column) ? parts[n]! : Number(parts[n]));
  }
}

function run(db: Database, sql: string): void {
  db.prepare(sql).run();
}
