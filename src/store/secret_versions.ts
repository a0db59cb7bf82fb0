// Stores the values that secrets had before, and the last value of each deleted one, as ciphertexts.

import type { SecretId } from "../ids.ts";
import type { RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first, type Row } from "./database.ts";
import {
  type Seal,
  type SealColumns,
  sealValues,
  type Setter,
  type SetterColumns,
  setterValues,
  toSeal,
  toSetter,
} from "./secrets.ts";

/** A value that is not the current one of an existing secret. Times in milliseconds since 1970 UTC. */
export interface SecretVersionRow extends Seal {
  readonly secretId: SecretId;
  readonly number: number;
  /** Bound to the secret's id and the number. */
  readonly ciphertext: string;
  readonly setAt: number;
  /** Null if it is not known. */
  readonly setBy: Setter | null;
  /** When it was replaced or deleted. */
  readonly until: number;
  /** Until when it counts next to its successor; null if it does not. */
  readonly previousUntil: number | null;
}

export interface SecretVersionStore {
  /** Returns the versions of a secret, newest first; altered ones, which are logged as findings, are left out. */
  list(secretId: SecretId): SecretVersionRow[];
  /** Returns one version; undefined also if it was altered. */
  find(secretId: SecretId, number: number): SecretVersionRow | undefined;
  /** Returns the versions that count next to the current one at `now`, newest first, without altered ones. */
  previous(secretId: SecretId, now: number): SecretVersionRow[];
  insert(row: SecretVersionRow): void;
  /** Ends the overlap of all versions of a secret. */
  endOverlap(secretId: SecretId): void;
  /** Returns whether the version existed. */
  delete(secretId: SecretId, number: number): boolean;
  deleteAll(secretId: SecretId): void;
  /**
   * Deletes all but the newest `kept` versions of a secret and those that count next to the current one at `now`, of
   * which at most COUNTING_MAX are kept.
   */
  prune(secretId: SecretId, kept: number, now: number): void;
}

interface Columns extends Row, SealColumns, SetterColumns {
  id: number;
  secret_id: SecretId;
  number: number;
  ciphertext: string;
  set_at: number;
  until: number;
  previous_until: number | null;
}

/** Earlier values that count at one time; with the current one, they fit into one answer to a sandbox. */
export const COUNTING_MAX = 9;

const SELECT = `SELECT id, secret_id, number, ciphertext, sealed, hosts, places, set_at, set_by_kind, set_by_id,
  set_by_name, until, previous_until FROM secret_versions WHERE secret_id = ?`;

export function createSecretVersionStore(db: Database, rows: RowCheck): SecretVersionStore {
  const list = db.prepare(`${SELECT} ORDER BY number DESC`);
  const find = db.prepare(`${SELECT} AND number = ?`);
  const previous = db.prepare(`${SELECT} AND previous_until > ? ORDER BY number DESC LIMIT ${COUNTING_MAX}`);
  const insertRow = db.prepareChange(
    "INSERT INTO secret_versions (secret_id, number, ciphertext, set_at, until, previous_until, sealed, hosts, places," +
      " set_by_kind, set_by_id, set_by_name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const endOverlap = db.prepareChange(
    "UPDATE secret_versions SET previous_until = NULL WHERE secret_id = ? AND previous_until IS NOT NULL",
  );
  const deleteOne = db.prepareChange("DELETE FROM secret_versions WHERE secret_id = ? AND number = ?");
  const deleteAll = db.prepareChange("DELETE FROM secret_versions WHERE secret_id = ?");
  const from = (offset: string) =>
    `(SELECT number FROM secret_versions WHERE secret_id = ?1 ORDER BY number DESC LIMIT 1 OFFSET ${offset})`;
  const prune = db.prepareChange(
    `DELETE FROM secret_versions WHERE secret_id = ?1 AND number <= ${from("?2")}
       AND (ifnull(previous_until, 0) <= ?3 OR number <= ${from(String(COUNTING_MAX))})`,
  );
  const authentic = (found: readonly Columns[]): SecretVersionRow[] =>
    found.filter(({ id }) => rows.check("secret_versions", id)).map(toRow);

  return {
    list: (secretId) => authentic(all<Columns>(list, secretId)),
    find(secretId, number) {
      const row = first<Columns>(find, secretId, number);
      return row && authentic([row])[0];
    },
    previous: (secretId, now) => authentic(all<Columns>(previous, secretId, now)),
    insert(row) {
      const { secretId, number, ciphertext, setAt, until, previousUntil } = row;
      insertRow.run(
        secretId,
        number,
        ciphertext,
        setAt,
        until,
        previousUntil,
        ...sealValues(row),
        ...setterValues(row.setBy),
      );
    },
    endOverlap: (secretId) => void endOverlap.run(secretId),
    delete: (secretId, number) => deleteOne.run(secretId, number).changes > 0,
    deleteAll: (secretId) => void deleteAll.run(secretId),
    prune: (secretId, kept, now) => void prune.run(secretId, kept, now),
  };
}

function toRow(row: Columns): SecretVersionRow {
  return {
    secretId: row.secret_id,
    number: row.number,
    ciphertext: row.ciphertext,
    ...toSeal(row),
    setAt: row.set_at,
    setBy: toSetter(row),
    until: row.until,
    previousUntil: row.previous_until,
  };
}
