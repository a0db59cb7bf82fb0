// Reads and writes the sealed head of the authenticated rows in the table `meta`, with the hash of the schema.

import { createHash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { DerivedKey } from "../keyring/derived_key.ts";
import type { Keyring } from "../keyring/keyring.ts";
import { type Head, openHead, sealHead } from "../keyring/sealed_head.ts";
import { first } from "./database.ts";

/** Name of the head in the table `meta`. */
export const HEAD = "rows-head";

/** @throws HeadError if the schema was changed by something other than this program */
export function requireOwnSchema(db: DatabaseSync, { schema }: Head): void {
  if (schema !== schemaHash(db)) throw new HeadError("its schema was changed by something other than this program");
}

/** The rows of a database cannot be trusted; the message continues "the database cannot be used: ". */
export class HeadError extends Error {}

/** @throws HeadError */
export function readHead(db: DatabaseSync, key: DerivedKey): { head: Head; stored: string } {
  const stored = first<{ value: string }>(db.prepare(`SELECT value FROM meta WHERE name = '${HEAD}'`))?.value;
  if (stored === undefined) throw new HeadError("the head of its rows was removed");
  const head = openHead(stored, key);
  if (!head) throw new HeadError("the head of its rows was altered");
  return { head, stored };
}

/**
 * Records the current schema in the head, within the transaction of a migration. A migration that changes the content
 * of rows, other than by adding columns that are NULL, has to authenticate those rows, too.
 */
export function acceptSchema(db: DatabaseSync, keyring: Keyring): void {
  const { head } = readHead(db, keyring.derive("head"));
  writeHead(db, keyring, { ...head, generation: head.generation + 1, schema: schemaHash(db) });
}

/** Stores a head, within the transaction of the caller. */
export function writeHead(db: DatabaseSync, keyring: Keyring, head: Head): void {
  db.prepare(
    `INSERT INTO meta (name, value) VALUES ('${HEAD}', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  ).run(sealHead(head, keyring.derive("head")));
}

/** Matches a trigger that can only reject a statement: those on the audit, which may be missing. */
const REFUSING_TRIGGER =
  /^CREATE TRIGGER \w+ BEFORE (?:DELETE|UPDATE|INSERT) ON \w+\s+(?:WHEN [^;]*)?BEGIN SELECT RAISE\(ABORT, '[^']*'\); END$/;

/** Returns the SHA-256 of the parts of the schema that can affect rows, in hexadecimal. */
export function schemaHash(db: DatabaseSync): string {
  const rows = db.prepare(
    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat*' ORDER BY type, name",
  ).all() as unknown as Record<string, string | null>[];
  const acting = rows.filter(({ type, sql }) => type !== "trigger" || !REFUSING_TRIGGER.test(sql ?? ""));
  const text = JSON.stringify(acting.map(({ type, name, tbl_name, sql }) => [type, name, tbl_name, sql]));
  return createHash("sha256").update(text).digest("hex");
}
