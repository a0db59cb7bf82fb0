// Opens what a node has of PostgreSQL, in the tests' own process.

import { createSecretKey } from "node:crypto";
import type { ChangeLog, Entry, Head } from "../../src/cluster/log/change_log.ts";
import { type Chain, createChain, newEntryId } from "../../src/cluster/log/entry.ts";
import { openPostgres, type Postgres } from "../../src/cluster/postgres/client.ts";
import { openPostgresLog } from "../../src/cluster/postgres/postgres_log.ts";
import { Snapshots } from "../../src/cluster/postgres/snapshots.ts";
import { clusterId } from "../../src/cluster/postgres/schema.ts";
import { parseDatabaseUrl } from "../../src/database_url.ts";
import { Keyring } from "../../src/keyring/keyring.ts";

/** Returns the keyring that all nodes of a test share. */
export function testKeyring(seed = 1): Keyring {
  const key = createSecretKey(new Uint8Array(32).fill(seed));
  return new Keyring(new Map([[1, key]]), 1, createSecretKey(new Uint8Array(32).fill(seed + 1)));
}

export function openTestPostgres(url: string, schema = "crude_functions"): Promise<Postgres> {
  return openPostgres({ database: parseDatabaseUrl(url), schema, nodeUrl: undefined });
}

export interface TestNodeOptions {
  readonly keyring?: Keyring;
  readonly schema?: string;
}

/** A node without anything that it would apply entries to: it only remembers the last one. */
export class TestNode implements AsyncDisposable {
  applied: Head;

  private constructor(
    readonly postgres: Postgres,
    readonly chain: Chain,
    readonly log: ChangeLog,
    readonly snapshots: Snapshots,
  ) {
    this.applied = chain.start;
  }

  static async open(url: string, { keyring = testKeyring(), schema }: TestNodeOptions = {}): Promise<TestNode> {
    const postgres = await openTestPostgres(url, schema);
    const cluster = await clusterId(postgres.lane("reads"));
    const chain = createChain(keyring, cluster);
    const snapshots = new Snapshots(postgres, keyring, cluster);
    return new TestNode(postgres, chain, await openPostgresLog(postgres, chain), snapshots);
  }

  /** Applies what was appended; returns it. */
  async catchUp(): Promise<Entry[]> {
    const all: Entry[] = [];
    for (;;) {
      const entries = await this.log.read(this.applied, 100);
      if (entries.length === 0) return all;
      all.push(...entries);
      this.applied = entries.at(-1)!;
    }
  }

  /** Appends an entry with this text, as a writer does: after it has applied all others. */
  append(text: string): Promise<Entry> {
    return this.log.exclusively(async (log) => {
      await this.catchUp();
      return await log.append(this.applied, entryOf(text));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
    await this.postgres.close();
  }
}

export function entryOf(text: string) {
  return { id: newEntryId(), kind: "change" as const, body: new TextEncoder().encode(text), summary: "a test" };
}

export const textOf = ({ body }: Entry): string => new TextDecoder().decode(body);
