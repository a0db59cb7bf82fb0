// Keeps in PostgreSQL what requests leave for later ones, which another node may answer. Names of buckets are hashed under
// a key, and values encrypted: the tables give nothing away. Times are PostgreSQL's own.

import { SlowDown } from "../../errors.ts";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import {
  type Counted,
  FORGET_ATTEMPTS_MS,
  type Handovers,
  type SharedState,
  type Throttle,
  waitMs,
} from "../../shared_state.ts";
import type { Postgres } from "./client.ts";
import type { Lane } from "./lane.ts";
import { lockKey } from "./lock_key.ts";
import type { Sql } from "./session.ts";

export interface SharedStateOptions {
  readonly postgres: Postgres;
  /** Identifies the cluster. */
  readonly cluster: string;
  /** Of the purpose "cluster attempts". */
  readonly attemptsKey: DerivedKey;
  /** Of the purpose "cluster handovers". */
  readonly handoversKey: DerivedKey;
  readonly setupToken: string;
}

export function createSharedState(options: SharedStateOptions): SharedState {
  const { setupToken } = options;
  const throttle = new PostgresThrottle(options);
  return { throttle, setupToken, handovers: (kind) => new PostgresHandovers(kind, options) };
}

const BLOCKED_MAX = 10_000;

interface Bucket {
  readonly bucket: string;
  readonly attempts: number;
  /** Milliseconds from now. */
  readonly wait: number;
}

class PostgresThrottle implements Throttle {
  readonly #lane: Lane;
  readonly #lock: string;
  readonly #key: DerivedKey;
  /** Until when buckets have to wait, by `performance.now()`: a flood of attempts does not reach PostgreSQL. */
  readonly #blocked = new Map<string, number>();

  constructor({ postgres, attemptsKey }: SharedStateOptions) {
    this.#lane = postgres.lane("short");
    this.#lock = lockKey(postgres.schema, "attempts");
    this.#key = attemptsKey;
  }

  async begin(counted: readonly Counted[]): Promise<void> {
    const ids = counted.map(({ bucket }) => this.#idOf(bucket));
    const now = performance.now();
    refuse(Math.max(0, ...ids.map((id) => (this.#blocked.get(id) ?? 0) - now)));
    await this.#lane.transaction(async (sql) => {
      // One after the other, on all nodes: concurrent attempts get no more tries than sequential ones.
      await sql`SELECT pg_advisory_xact_lock(${this.#lock})`;
      const known = await find(sql, ids);
      if (this.#blocked.size > BLOCKED_MAX) this.#blocked.clear();
      for (const { bucket, wait } of known) if (wait > 0) this.#blocked.set(bucket, performance.now() + wait);
      refuse(Math.max(0, ...known.map(({ wait }) => wait)));
      for (const [n, { limit }] of counted.entries()) {
        const attempts = (known.find(({ bucket }) => bucket === ids[n])?.attempts ?? 0) + 1;
        await put(sql, ids[n]!, attempts, waitMs(attempts, limit));
      }
    });
  }

  async clear(bucket: string): Promise<void> {
    this.#blocked.delete(this.#idOf(bucket));
    await this.#lane.run((sql) => sql`DELETE FROM attempts WHERE bucket = ${this.#idOf(bucket)}`, {
      isRepeatable: true,
    });
  }

  async takeBack({ bucket, limit }: Counted): Promise<void> {
    const id = this.#idOf(bucket);
    this.#blocked.delete(id);
    await this.#lane.transaction(async (sql) => {
      await sql`SELECT pg_advisory_xact_lock(${this.#lock})`;
      const [known] = await find(sql, [id]);
      if (!known) return;
      const attempts = known.attempts - 1;
      if (attempts <= 0) await sql`DELETE FROM attempts WHERE bucket = ${id}`;
      else await put(sql, id, attempts, attempts < limit.free ? 0 : Math.max(0, known.wait));
    });
  }

  async isBlocked(bucket: string): Promise<boolean> {
    const [known] = await this.#lane.run((sql) => find(sql, [this.#idOf(bucket)]), { isRepeatable: true });
    return (known?.wait ?? 0) > 0;
  }

  #idOf(bucket: string): string {
    return this.#key.hexMac(bucket);
  }
}

function refuse(waitMs: number): void {
  if (waitMs > 0) throw new SlowDown(Math.ceil(waitMs / 1_000));
}

async function find(sql: Sql, ids: readonly string[]): Promise<Bucket[]> {
  return [
    ...await sql<Bucket[]>`
      SELECT bucket, attempts, extract(epoch FROM blocked_until - clock_timestamp())::float8 * 1000 AS wait
      FROM attempts WHERE bucket IN (SELECT json_array_elements_text(${JSON.stringify(ids)}::text::json))
        AND last_at > clock_timestamp() - make_interval(secs => ${FORGET_ATTEMPTS_MS / 1_000}::float8)`,
  ];
}

async function put(sql: Sql, id: string, attempts: number, wait: number): Promise<void> {
  await sql`
    INSERT INTO attempts (bucket, attempts, blocked_until, last_at)
    VALUES (${id}, ${attempts}, clock_timestamp() + make_interval(secs => ${wait / 1_000}::float8), clock_timestamp())
    ON CONFLICT (bucket) DO UPDATE SET attempts = excluded.attempts, blocked_until = excluded.blocked_until,
      last_at = excluded.last_at`;
}

class PostgresHandovers implements Handovers {
  readonly #kind: string;
  readonly #cluster: string;
  readonly #lane: Lane;
  readonly #key: DerivedKey;

  constructor(kind: string, { postgres, cluster, handoversKey }: SharedStateOptions) {
    this.#kind = kind;
    this.#cluster = cluster;
    this.#lane = postgres.lane("short");
    this.#key = handoversKey;
  }

  async put(key: string, value: string, ms: number): Promise<void> {
    const body = this.#seal(key, value);
    await this.#lane.run((sql) =>
      sql`
        INSERT INTO handovers (kind, key, body, until)
        VALUES (${this.#kind}, ${key}, ${body}, clock_timestamp() + make_interval(secs => ${ms / 1_000}::float8))
        ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body, until = excluded.until`, { isRepeatable: true });
  }

  async claim(key: string, value: string, ms: number): Promise<boolean> {
    const body = this.#seal(key, value);
    const rows = await this.#lane.run((sql) =>
      sql`
        INSERT INTO handovers (kind, key, body, until)
        VALUES (${this.#kind}, ${key}, ${body}, clock_timestamp() + make_interval(secs => ${ms / 1_000}::float8))
        ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body, until = excluded.until
        WHERE handovers.until <= clock_timestamp() RETURNING key`
    );
    return rows.length > 0;
  }

  async find(key: string): Promise<string | undefined> {
    const [row] = await this.#lane.run((sql) =>
      sql<{ body: string }[]>`
        SELECT body FROM handovers WHERE kind = ${this.#kind} AND key = ${key} AND until > clock_timestamp()`, {
      isRepeatable: true,
    });
    return this.#open(key, row?.body);
  }

  async take(key: string): Promise<string | undefined> {
    const [row] = await this.#lane.run((sql) =>
      sql<{ body: string; isOver: boolean }[]>`
        DELETE FROM handovers WHERE kind = ${this.#kind} AND key = ${key}
        RETURNING body, until <= clock_timestamp() AS "isOver"`
    );
    return row?.isOver ? undefined : this.#open(key, row?.body);
  }

  #seal(key: string, value: string): string {
    return this.#key.seal(value, this.#aad(key));
  }

  /** A value that was altered, or moved, is none. */
  #open(key: string, body: string | undefined): string | undefined {
    return body === undefined ? undefined : this.#key.open(body, this.#aad(key));
  }

  #aad(key: string): string {
    return JSON.stringify([this.#cluster, this.#kind, key]);
  }
}

/** Deletes what is over. */
export async function pruneSharedState(postgres: Postgres): Promise<void> {
  await postgres.lane("bulk").run(async (sql) => {
    await sql`DELETE FROM handovers WHERE until < now()`;
    await sql`DELETE FROM attempts WHERE last_at < now() - make_interval(secs => ${
      FORGET_ATTEMPTS_MS / 1_000
    }::float8)`;
  }, { isRepeatable: true });
}
