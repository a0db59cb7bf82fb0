// Upgrades the schema of a cluster's databases. A node whose program needs a newer one follows the log as its database is,
// and appends the upgrade once the programs of all live nodes know the new schema. Every node then runs the same
// migrations; a second entry has what differs: the text of the head, which each node encrypts with a nonce of its own.

import { AppError } from "../../errors.ts";
import type { NodeDatabase } from "../../store/node_database.ts";
import type { ChangeLog, Entry, Head } from "../log/change_log.ts";
import { newEntryId } from "../log/entry.ts";
import { HEAD_META } from "./replica.ts";

export interface SchemaUpgradeOptions {
  readonly log: Pick<ChangeLog, "start" | "read" | "exclusively">;
  readonly database: NodeDatabase;
  /** The version of the schema that this program needs. */
  readonly schema: number;
  /** Applies an entry that changes neither rows nor the schema. */
  readonly applyOther: (entry: Entry) => void;
  /** Returns how messages name the live nodes whose programs do not know the schema. */
  readonly nodesBehind: (schema: number) => Promise<readonly string[]>;
  readonly report: (level: "info" | "warn", message: string) => void;
  /** Waits before the nodes are looked at again. */
  readonly pause: () => Promise<void>;
}

/** What an entry of kind `migration` has. */
interface Upgrade {
  readonly schema: number;
  /** The stored text of the head after the migrations; only in the second entry. */
  readonly head?: string;
}

const BATCH = 200;
/** Name of what the table `meta` has between the two entries. */
const PENDING = "schema-pending";

/** Reports whether the database has to be upgraded, or an upgrade to be completed, before it can be used. */
export function isUpgradeDue({ schema, meta }: NodeDatabase, needed: number): boolean {
  return schema < needed || meta.get(PENDING) !== undefined;
}

/**
 * Resolves when the database has the schema, and everything before it.
 * @throws StoreUnavailable, LogTampered, DivergedError, AppError UpgradeRequired (503)
 */
export async function upgradeSchema(options: SchemaUpgradeOptions): Promise<void> {
  const { log, database, schema, nodesBehind, report, pause } = options;
  let head = headOf(database) ?? log.start;
  let waitingFor = "";
  while (true) {
    head = await applyUpgrade(options, head);
    if (!isUpgradeDue(database, schema)) break;
    if (database.schema === schema) {
      await append(log, head, { schema, head: database.head().stored });
      continue;
    }
    const behind = await nodesBehind(schema);
    if (behind.length === 0) {
      await append(log, head, { schema });
      continue;
    }
    const names = behind.join(", ");
    if (names !== waitingFor) {
      report(
        "warn",
        `The database's schema is upgraded when no node runs an earlier version: stop or upgrade ${names}.`,
      );
    }
    waitingFor = names;
    await pause();
  }
  report("info", `The database has the schema of version ${database.schema}.`);
}

/**
 * Applies the entries after `head` until the database has the schema, or the log ends. Returns the last one.
 * @throws StoreUnavailable, LogTampered, DivergedError, AppError UpgradeRequired (503)
 */
export async function applyUpgrade(
  options: Pick<SchemaUpgradeOptions, "database" | "schema" | "applyOther"> & { readonly log: Pick<ChangeLog, "read"> },
  head: Head,
): Promise<Head> {
  const { log, database, schema } = options;
  let last = head;
  while (isUpgradeDue(database, schema)) {
    const entries = await log.read(last, BATCH);
    if (entries.length === 0) return last;
    for (const entry of entries) {
      if (!isUpgradeDue(database, schema)) break;
      last = apply(entry, options);
    }
  }
  return last;
}

/** Returns the error for a node that meets an upgrade while it serves: its program does not know the new schema. */
export function upgradeRequired({ seq }: Pick<Entry, "seq">): AppError {
  return new AppError(
    "UpgradeRequired",
    503,
    `Entry ${seq} of the log of changes upgrades the database's schema. Upgrade this node to the version of the others.`,
  );
}

function apply(
  entry: Entry,
  { database, schema, applyOther }: Pick<SchemaUpgradeOptions, "database" | "schema" | "applyOther">,
): Head {
  const head = { seq: entry.seq, mac: entry.mac };
  const keepHead = () => database.meta.put(HEAD_META, JSON.stringify(head));
  switch (entry.kind) {
    case "change":
      database.apply(entry.body, keepHead);
      break;
    case "migration": {
      const upgrade = JSON.parse(new TextDecoder().decode(entry.body)) as Upgrade;
      if (upgrade.schema > schema) throw upgradeRequired(entry);
      if (upgrade.head === undefined) {
        // First: what was migrated must not be used before the second entry, even if the node ends at once.
        database.meta.put(PENDING, String(upgrade.schema));
        database.upgrade(Math.max(database.schema, upgrade.schema));
        keepHead();
      } else {
        database.adoptHead(upgrade.head, () => {
          database.meta.delete(PENDING);
          keepHead();
        });
      }
      break;
    }
    default:
      applyOther(entry);
      keepHead();
  }
  return head;
}

/** Appends an entry, unless anything else was appended after `head`. */
async function append(log: SchemaUpgradeOptions["log"], head: Head, upgrade: Upgrade): Promise<void> {
  await log.exclusively(async (locked) => {
    if (locked.head.seq !== head.seq) return;
    const body = new TextEncoder().encode(JSON.stringify(upgrade));
    const step = upgrade.head === undefined ? "" : ", head";
    await locked.append(head, {
      id: newEntryId(),
      kind: "migration",
      body,
      summary: `schema ${upgrade.schema}${step}`,
    });
  });
}

function headOf({ meta }: NodeDatabase): Head | undefined {
  const stored = meta.get(HEAD_META);
  return stored === undefined ? undefined : JSON.parse(stored) as Head;
}
