// Maintains the order of secrets: an authenticated row for each secret that names the next one. One such MAC proves that
// no secret exists between the two, independent of the number of secrets, as NSEC does in DNS (RFC 4034, section 4).

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { AppError } from "../errors.ts";
import type { RowMacs, SqlValue } from "../keyring/row_macs.ts";
import { EMPTY, plus, type TableSum } from "../keyring/sealed_head.ts";
import {
  type AuthenticatedTable,
  describeTable,
  fieldsOf,
  type Finding,
  idOf,
  isAuthentic,
  readExactly,
  type StoredRow,
  walk,
} from "./authenticated_tables.ts";
import type { RecordedValues, RowChange } from "./changeset.ts";
import { RESTORE } from "./data_folder.ts";

export const SECRET_ORDER = "secret_order";

/** The position of a secret: its name, scope and owner's id. Places are ordered as SQLite orders these three. */
export type Place = readonly [name: string, scope: string, ownerId: bigint];

/** The place of the first row, which represents no secret. No secret has such a name. */
const START: Place = ["", "", 0n];
const START_ID = 0n;

/** A parsed row. */
interface Entry {
  readonly row: StoredRow;
  readonly place: Place;
  readonly secretId: bigint;
  /** Undefined after the last secret. */
  readonly next: Place | undefined;
}

function entryOf(row: StoredRow): Entry {
  const [name, scope, ownerId, secretId, nextName, nextScope, nextOwnerId] = row as [
    ...Place,
    bigint,
    ...(Place | [null, null, null]),
  ];
  const next = nextName === null ? undefined : [nextName, nextScope, nextOwnerId] as Place;
  return { row, place: [name, scope, ownerId], secretId, next };
}

/** Compares two places; negative if `a` is before `b`. All texts are ASCII, so JavaScript compares as SQLite does. */
function compare(a: Place, b: Place): number {
  for (let n = 0; n < a.length; n++) {
    if (a[n]! !== b[n]!) return a[n]! < b[n]! ? -1 : 1;
  }
  return 0;
}

/** A row that a transaction has changed. */
interface Touched {
  readonly place: Place;
  /** As it was before the transaction; undefined if it is new. */
  readonly before: StoredRow | undefined;
  isDeleted: boolean;
}

/** By `keyOf` their places. */
type TouchedRows = Map<string, Touched>;

function isSame(a: Place | undefined, b: Place | undefined): boolean {
  return a && b ? compare(a, b) === 0 : a === b;
}

const PLACE = "name, scope, owner_id";
const COLUMNS = `${PLACE}, secret_id, next_name, next_scope, next_owner_id`;

/** Problem of an authentic row that is not followed by the row that it names. */
const GAP = "is followed by another row than it names";
/** Problem of a secret that is not at its place in the order. */
const GONE = "was deleted, or moved to another name or owner";

export class SecretOrder {
  readonly #macs: RowMacs;
  readonly #table: AuthenticatedTable;
  readonly #report: (finding: Finding) => void;
  readonly #upTo: StatementSync;
  readonly #before: StatementSync;
  readonly #placeOf: StatementSync;
  readonly #insert: StatementSync;
  readonly #setNext: StatementSync;
  readonly #setSecret: StatementSync;
  readonly #delete: StatementSync;
  /** Positions of `name`, `scope` and `owner_id` in a row of `secrets`. */
  readonly #positions: readonly number[];
  readonly #idPosition: number;

  constructor(db: DatabaseSync, macs: RowMacs, report: (finding: Finding) => void) {
    this.#macs = macs;
    this.#table = describeTable(db, SECRET_ORDER);
    this.#report = report;
    const last = `ORDER BY name DESC, scope DESC, owner_id DESC LIMIT 1`;
    const where = "WHERE name = ? AND scope = ? AND owner_id = ?";
    const select = `SELECT ${this.#table.columns.join(", ")} FROM ${SECRET_ORDER}`;
    this.#upTo = db.prepare(`${select} WHERE (${PLACE}) <= (?, ?, ?) ${last}`);
    this.#before = db.prepare(`${select} WHERE (${PLACE}) < (?, ?, ?) ${last}`);
    this.#placeOf = db.prepare(`SELECT ${PLACE} FROM secrets WHERE id = ?`);
    for (const statement of [this.#upTo, this.#before, this.#placeOf]) readExactly(statement);
    this.#insert = db.prepare(`INSERT INTO ${SECRET_ORDER} (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`);
    this.#setNext = db.prepare(
      `UPDATE ${SECRET_ORDER} SET next_name = ?, next_scope = ?, next_owner_id = ? ${where}`,
    );
    this.#setSecret = db.prepare(`UPDATE ${SECRET_ORDER} SET secret_id = ? ${where}`);
    this.#delete = db.prepare(`DELETE FROM ${SECRET_ORDER} ${where}`);
    const { columns } = describeTable(db, "secrets");
    this.#positions = ["name", "scope", "owner_id"].map((column) => columns.indexOf(column));
    this.#idPosition = columns.indexOf("id");
  }

  /** Returns those of `places` (at which no row was found) whose absence is not proven, and reports why. */
  unproven<P extends Place>(places: readonly P[]): P[] {
    // One row often proves several of them.
    let proof: Entry | undefined;
    return places.filter((place) => {
      if (proof && covers(proof, place)) return false;
      proof = this.#proofOf(place);
      return proof === undefined;
    });
  }

  #proofOf(place: Place): Entry | undefined {
    const entry = this.#find(this.#upTo, place);
    if (entry && this.#isAuthentic(entry) && covers(entry, place)) return entry;
    if (!entry) this.#report({ table: SECRET_ORDER, id: undefined, problem: "lacks its first row" });
    else if (!this.#isAuthentic(entry)) this.#report(this.#finding(entry, "was altered"));
    else if (!isSame(entry.place, place)) this.#report(this.#finding(entry, GAP));
    else this.#report({ table: "secrets", id: String(entry.secretId), problem: GONE });
    return undefined;
  }

  /**
   * Updates the order for all changes of a transaction, which nothing else can change, and returns the changes of its rows.
   * The caller computes their MACs.
   * @throws AppError TamperedRow (409) if a secret is added where rows of the order were altered or are missing
   */
  follow(changes: Iterable<RowChange>): RowChange[] {
    const removed: [Place, bigint][] = [];
    const added: [Place, bigint][] = [];
    for (const { table, kind, values } of changes) {
      if (table === SECRET_ORDER) throw new Error("the order of secrets was changed by something else");
      if (table !== "secrets") continue;
      const id = values[this.#idPosition] as bigint;
      if (kind === "insert") added.push([this.#placeIn(values), id]);
      else if (kind === "delete") removed.push([this.#placeIn(values), id]);
      else if (this.#positions.some((position) => values[position] !== undefined)) {
        const present = this.#placeOf.get(id) as unknown as Place;
        removed.push([this.#positions.map((position, n) => values[position] ?? present[n]!) as unknown as Place, id]);
        added.push([present, id]);
      }
    }
    // Rows that were checked and then changed have a wrong MAC until the caller has computed a new one.
    const own: TouchedRows = new Map();
    // Removals first, as a secret may take the place of another one.
    for (const [place, id] of removed) this.#remove(place, id, own);
    for (const [place, id] of added) this.#add(place, id, own);
    return [...own.values()].flatMap(({ place, before, isDeleted }): RowChange[] => {
      if (isDeleted) return before ? [{ table: SECRET_ORDER, kind: "delete", values: before }] : [];
      if (before) return [{ table: SECRET_ORDER, kind: "update", values: before }];
      return [{ table: SECRET_ORDER, kind: "insert", values: this.#find(this.#upTo, place)!.row }];
    });
  }

  /**
   * Removes a secret from the order. A deletion must not fail, because it may be a revocation. If a row next to it was
   * altered, the secret's own row, or a gap in the order, remains: absence is then not proven, and a value of a wider
   * scope is not given either.
   */
  #remove(place: Place, id: bigint, own: TouchedRows): void {
    const entry = this.#find(this.#upTo, place);
    // An altered secret may have the place of another one.
    if (!entry || !isSame(entry.place, place) || entry.secretId !== id) return;
    const before = this.#find(this.#before, place);
    const altered = [entry, before].find((each) => each && !this.#isAuthentic(each, own));
    if (altered) return this.#report(this.#finding(altered, "was altered"));
    if (!before) return this.#report({ table: SECRET_ORDER, id: undefined, problem: "lacks its first row" });
    if (!isSame(before.next, place)) return this.#report(this.#finding(before, GAP));
    this.#setNext.run(...(entry.next ?? [null, null, null]), ...before.place);
    this.#delete.run(...place);
    touch(own, before.place, before.row);
    touch(own, place, entry.row).isDeleted = true;
  }

  #add(place: Place, id: bigint, own: TouchedRows): void {
    const before = this.#find(this.#upTo, place);
    if (!before) throw this.#refusal({ table: SECRET_ORDER, id: undefined, problem: "lacks its first row" });
    if (!this.#isAuthentic(before, own)) throw this.#refusal(this.#finding(before, "was altered"));
    if (isSame(before.place, place)) {
      // The secret was deleted by something else and is now created again.
      this.#setSecret.run(id, ...place);
      touch(own, place, before.row);
    } else {
      if (!covers(before, place)) throw this.#refusal(this.#finding(before, GAP));
      this.#insert.run(...place, id, ...(before.next ?? [null, null, null]));
      this.#setNext.run(...place, ...before.place);
      touch(own, before.place, before.row);
      touch(own, place, undefined).isDeleted = false;
    }
  }

  #find(statement: StatementSync, place: Place): Entry | undefined {
    const row = statement.get(...place) as unknown as StoredRow | undefined;
    return row && entryOf(row);
  }

  #isAuthentic({ row, place }: Entry, own?: TouchedRows): boolean {
    return own?.has(keyOf(place)) || isAuthentic(this.#macs, this.#table, row);
  }

  #placeIn(values: RecordedValues): Place {
    return this.#positions.map((position) => values[position]) as unknown as Place;
  }

  #finding({ row }: Entry, problem: string): Finding {
    return { table: SECRET_ORDER, id: idOf(this.#table, row), problem };
  }

  #refusal(finding: Finding): AppError {
    this.#report(finding);
    return new AppError(
      "TamperedRow",
      409,
      "No secret can be added next to rows that something other than this program altered or deleted: " +
        `${finding.id === undefined ? "table" : `row ${finding.id} of`} ${SECRET_ORDER} ${finding.problem}. ${RESTORE}`,
    );
  }
}

function covers({ place, next }: Entry, absent: Place): boolean {
  return compare(place, absent) < 0 && (next === undefined || compare(absent, next) < 0);
}

/** Records that a row, which is now as given, is changed. */
function touch(own: TouchedRows, place: Place, now: StoredRow | undefined): Touched {
  const key = keyOf(place);
  let touched = own.get(key);
  if (!touched) own.set(key, touched = { place, before: now, isDeleted: false });
  return touched;
}

function keyOf(place: Place): string {
  return place.join();
}

/**
 * Replaces the order with that of the existing secrets and returns its sum for the head. Runs within the caller's
 * transaction. `onRow` is called with the number of secrets done.
 */
export function writeOrder(db: DatabaseSync, macs: RowMacs, onRow: (done: number) => void = () => {}): TableSum {
  db.exec(`DELETE FROM ${SECRET_ORDER}`);
  const table = describeTable(db, SECRET_ORDER);
  const insert = db.prepare(`INSERT INTO ${SECRET_ORDER} (${COLUMNS}, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  let sum = EMPTY;
  let done = 0;
  const write = (place: Place, id: bigint, next: Place | undefined): void => {
    const values: SqlValue[] = [...place, id, ...(next ?? [null, null, null])];
    const mac = macs.mac(SECRET_ORDER, fieldsOf(table, values));
    insert.run(...values, mac);
    sum = plus(sum, macs.element(SECRET_ORDER, mac));
  };
  let [place, id] = [START, START_ID];
  for (const [next, nextId] of places(db)) {
    write(place, id, next);
    [place, id] = [next, nextId];
    onRow(++done);
  }
  write(place, id, undefined);
  return sum;
}

/** Secrets read at a time. */
const PAGE = 1_000;

/** Iterates over the places of all secrets in order, with their ids. Reads one index. */
function* places(db: DatabaseSync): Generator<[Place, bigint]> {
  const page = db.prepare(
    `SELECT ${PLACE}, id FROM secrets INDEXED BY secrets_by_name WHERE (${PLACE}) > (?, ?, ?) ORDER BY ${PLACE} LIMIT ${PAGE}`,
  );
  readExactly(page);
  for (let last = START;;) {
    const rows = page.all(...last) as unknown as [...Place, bigint][];
    for (const [name, scope, ownerId, id] of rows) yield [last = [name, scope, ownerId], id];
    if (rows.length < PAGE) return;
  }
}

/**
 * Compares the order with the secrets: each row must name the next row and the secret at its place, and there must be no
 * other secrets. Yields after each row.
 */
export function* compareOrder(
  db: DatabaseSync,
  listedMax: number,
): Generator<void, Finding[]> {
  const table = describeTable(db, SECRET_ORDER);
  const secretAt = db.prepare(`SELECT id FROM secrets WHERE name = ? AND scope = ? AND owner_id = ?`);
  const secretCount = db.prepare("SELECT count(*) FROM secrets");
  for (const statement of [secretAt, secretCount]) readExactly(statement);
  const findings: Finding[] = [];
  const found = (finding: Finding): unknown => findings.length < listedMax && findings.push(finding);
  let before: Entry | undefined;
  let ordered = 0n;
  for (const row of walk(db, table)) {
    const entry = entryOf(row);
    if (before && !isSame(before.next, entry.place)) {
      found({ table: SECRET_ORDER, id: idOf(table, before.row), problem: GAP });
    }
    if (!isSame(entry.place, START)) {
      const [id] = (secretAt.get(...entry.place) ?? []) as unknown as [bigint?];
      if (id === entry.secretId) ordered++;
      else found({ table: "secrets", id: String(entry.secretId), problem: GONE });
    } else if (before) found({ table: SECRET_ORDER, id: undefined, problem: "does not begin with its first row" });
    before = entry;
    yield;
  }
  if (!before) found({ table: SECRET_ORDER, id: undefined, problem: "lacks its first row" });
  else if (before.next) found({ table: SECRET_ORDER, id: idOf(table, before.row), problem: GAP });
  const [count] = secretCount.get() as unknown as [bigint];
  if (count !== ordered) {
    found({ table: SECRET_ORDER, id: undefined, problem: `has ${ordered} of ${count} secrets at their places` });
  }
  return findings;
}
