// Keeps snapshots of the replicated database in PostgreSQL, each as of an entry of the log, so that a new node need not
// apply all entries and old ones can be removed.

import { createHash, timingSafeEqual } from "node:crypto";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { Head } from "../log/change_log.ts";
import { LogTampered } from "../log/errors.ts";
import type { Postgres } from "./client.ts";
import type { Lane } from "./lane.ts";
import type { Sql } from "./session.ts";

export interface SnapshotInfo {
  /** The last entry that it contains. */
  readonly head: Head;
  /** The version of the database's schema. */
  readonly schema: number;
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
  /** Milliseconds since 1970, by the clock of PostgreSQL; not authenticated. */
  readonly takenAt: number;
}

/** Snapshots that are kept; entries that the oldest of them contains are removed. */
export const KEPT_SNAPSHOTS = 2;

const CHUNK_BYTES = 1_024 * 1_024;
/** Entries that are removed in one transaction. */
const PRUNED_AT_ONCE = 10_000;
/** For each chunk; it can wait for a disk. */
const CHUNK_TIMEOUT_MS = 60_000;

/** Runs one statement. */
type Run = <T>(statement: (sql: Sql) => PromiseLike<T>) => Promise<T>;

interface Row {
  readonly seq: number;
  readonly entryMac: string;
  readonly schema: number;
  readonly sha256: string;
  readonly size: number;
  readonly mac: string;
  readonly takenAt: number;
}

/** Reports whether there is any, before a node can check it. */
export async function hasSnapshot(postgres: Postgres): Promise<boolean> {
  const rows = await postgres.lane("reads").run((sql) => sql`SELECT 1 FROM snapshots LIMIT 1`, { isRepeatable: true });
  return rows.length > 0;
}

export class Snapshots {
  readonly #key: DerivedKey;
  readonly #cluster: string;
  readonly #bulk: Lane;
  readonly #reads: Lane;

  constructor(postgres: Postgres, keyring: Keyring, cluster: string) {
    this.#key = keyring.derive("cluster snapshots");
    this.#cluster = cluster;
    this.#bulk = postgres.lane("bulk");
    this.#reads = postgres.lane("reads");
  }

  /**
   * Returns all snapshots, the newest first.
   * @throws LogTampered if one was forged or altered; StoreUnavailable
   */
  async list(): Promise<SnapshotInfo[]> {
    const rows = await this.#reads.run((sql) =>
      sql<Row[]>`
        SELECT seq, entry_mac AS "entryMac", format AS schema, sha256, size, mac,
          (extract(epoch FROM taken_at) * 1000)::bigint AS "takenAt"
        FROM snapshots ORDER BY seq DESC`, { isRepeatable: true });
    return rows.map((row) => {
      const { seq, entryMac, schema, sha256, size, takenAt } = row;
      const info = { head: { seq, mac: entryMac }, schema, sha256, size, takenAt };
      if (!isEqual(row.mac, this.#macOf(info))) throw tampered(seq, "does not match its MAC: it was forged or altered");
      return info;
    });
  }

  /**
   * Stores the database file at `path`, which contains the log up to `head`, and removes what is no longer needed. To be
   * called by one node at a time.
   * @throws StoreUnavailable
   */
  async store(head: Head, schema: number, path: string): Promise<SnapshotInfo> {
    const info = await this.#storeBy((statement) => this.#run(statement), head, schema, path);
    return { ...info, takenAt: Date.now() };
  }

  /**
   * As `store`, unless there is any snapshot; returns whether there was none. In one transaction, so that of two nodes that
   * do this at the same time one succeeds.
   */
  async storeFirst(head: Head, schema: number, path: string): Promise<boolean> {
    return await this.#bulk.transaction(async (sql) => {
      await sql`SELECT 1 FROM log_head WHERE id = 1 FOR UPDATE`;
      const [other] = await sql`SELECT 1 FROM snapshots LIMIT 1`;
      if (other) return false;
      await this.#storeBy(async (statement) => await statement(sql), head, schema, path);
      return true;
    }, { timeoutMs: CHUNK_TIMEOUT_MS });
  }

  async #storeBy(run: Run, head: Head, schema: number, path: string): Promise<Omit<SnapshotInfo, "takenAt">> {
    using file = await Deno.open(path);
    const hash = createHash("sha256");
    let [size, n] = [0, 0];
    await run((sql) => sql`DELETE FROM snapshot_chunks WHERE seq NOT IN (SELECT seq FROM snapshots)`);
    for (;;) {
      const chunk = await readChunk(file);
      if (chunk.length === 0) break;
      hash.update(chunk);
      size += chunk.length;
      const number = n++;
      await run((sql) => sql`INSERT INTO snapshot_chunks VALUES (${head.seq}, ${number}, ${chunk})`);
    }
    const info = { head, schema, sha256: hash.digest("hex"), size };
    const mac = this.#macOf(info);
    await run((sql) =>
      sql`
        INSERT INTO snapshots (seq, entry_mac, format, sha256, size, mac)
        VALUES (${head.seq}, ${head.mac}, ${schema}, ${info.sha256}, ${size}, ${mac})`
    );
    return info;
  }

  /**
   * Writes a snapshot to a new file at `path`, mode 0600. Returns false, without a file, if it was removed meanwhile
   * because there are newer ones.
   * @throws LogTampered if its content is not the one that was stored; StoreUnavailable
   */
  async fetch(info: SnapshotInfo, path: string): Promise<boolean> {
    using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    try {
      const isThere = await this.#read(info, async (chunk) => {
        for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
      });
      if (!isThere) await Deno.remove(path);
      else await file.sync();
      return isThere;
    } catch (error) {
      await Deno.remove(path);
      throw error;
    }
  }

  /** Checks the content of a snapshot like `fetch`, without a file. */
  check(info: SnapshotInfo): Promise<boolean> {
    return this.#read(info, () => Promise.resolve());
  }

  /** Returns what the log has grown by since the newest snapshot. @throws StoreUnavailable */
  async growth(): Promise<{ entries: number; bytes: number }> {
    const [row] = await this.#run((sql) =>
      sql<{ entries: number; bytes: number }[]>`
        SELECT count(*) AS entries, coalesce(sum(octet_length(body)), 0)::bigint AS bytes
        FROM log WHERE seq > coalesce((SELECT max(seq) FROM snapshots), 0)`
    );
    return { entries: row!.entries, bytes: row!.bytes };
  }

  /** Removes all but the newest snapshots, and the entries that the oldest of these contains. Returns their number. */
  async prune(): Promise<number> {
    const oldest = (await this.list())[KEPT_SNAPSHOTS - 1];
    if (!oldest) return 0;
    const { seq } = oldest.head;
    await this.#run((sql) => sql`DELETE FROM snapshots WHERE seq < ${seq}`);
    await this.#run((sql) => sql`DELETE FROM snapshot_chunks WHERE seq < ${seq}`);
    let pruned = 0;
    for (;;) {
      // The oldest first, so that a pruning that ends early leaves a log without gaps.
      const { count } = await this.#run((sql) =>
        sql`
          DELETE FROM log WHERE seq IN (
            SELECT seq FROM log WHERE seq <= ${seq} ORDER BY seq LIMIT ${PRUNED_AT_ONCE}
          )`
      );
      pruned += count;
      if (count < PRUNED_AT_ONCE) return pruned;
    }
  }

  /** Calls `write` for each chunk; returns false if the snapshot is gone. */
  async #read(info: SnapshotInfo, write: (chunk: Uint8Array) => Promise<void>): Promise<boolean> {
    const { head: { seq }, sha256, size } = info;
    const hash = createHash("sha256");
    let done = 0;
    for (let n = 0; done < size; n++) {
      const [row] = await this.#run((sql) =>
        sql<{ body: Uint8Array }[]>`SELECT body FROM snapshot_chunks WHERE seq = ${seq} AND n = ${n}`
      );
      if (!row) {
        if ((await this.list()).some((one) => one.head.seq === seq)) throw tampered(seq, "is not complete");
        return false;
      }
      done += row.body.length;
      if (done > size) throw tampered(seq, "is larger than when it was stored");
      hash.update(row.body);
      await write(row.body);
    }
    if (hash.digest("hex") !== sha256) throw tampered(seq, "was altered: it does not match its SHA-256");
    return true;
  }

  /** On the connection for work that can wait. */
  #run<T>(statement: (sql: Sql) => PromiseLike<T>): Promise<T> {
    return this.#bulk.run(async (sql) => await statement(sql), { timeoutMs: CHUNK_TIMEOUT_MS });
  }

  #macOf({ head, schema, sha256, size }: Omit<SnapshotInfo, "takenAt">): string {
    return this.#key.hexMac(JSON.stringify([this.#cluster, head.seq, head.mac, schema, sha256, size]));
  }
}

function tampered(seq: number, what: string): LogTampered {
  return new LogTampered(seq, what, `The snapshot of the database after entry ${seq}`);
}

/** Returns the next bytes of a file, fewer than a whole chunk only at its end. */
async function readChunk(file: Deno.FsFile): Promise<Uint8Array> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  let length = 0;
  while (length < chunk.length) {
    const read = await file.read(chunk.subarray(length));
    if (read === null) break;
    length += read;
  }
  return chunk.subarray(0, length);
}

function isEqual(stored: string, mac: string): boolean {
  const [a, b] = [new TextEncoder().encode(stored), new TextEncoder().encode(mac)];
  return a.length === b.length && timingSafeEqual(a, b);
}
