// Changesets that are applied by prepared statements: the result is that of the node that made them, and rows that do
// not fit are found.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { ChangesetApplier, DivergedError } from "../../src/store/changeset_apply.ts";
import { encodeInOrderOfReferences, inOrderOfReferences, rowChanges } from "../../src/store/changeset.ts";
import { runs } from "../thorough.ts";

const SCHEMA = `
  PRAGMA foreign_keys = ON;
  CREATE TABLE "group" (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size REAL);
  CREATE TABLE members (
    group_id INTEGER NOT NULL REFERENCES "group" (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    "order" INTEGER UNIQUE,
    body BLOB,
    length INTEGER GENERATED ALWAYS AS (length(body)),
    PRIMARY KEY (group_id, name)
  ) WITHOUT ROWID;
  CREATE TABLE notes (
    id INTEGER PRIMARY KEY,
    answers_id INTEGER REFERENCES notes (id),
    body TEXT,
    is_open INTEGER NOT NULL DEFAULT 1
  );
  CREATE UNIQUE INDEX open_notes ON notes (body) WHERE is_open;
`;
const ROWS = `
  INSERT INTO notes VALUES (1, NULL, 'p', 1), (2, 1, 'q', 1), (3, 2, 'p', 0);
  INSERT INTO "group" VALUES (1, 'a', 1), (2, 'b', 0.5), (3, 'c', NULL);
  INSERT INTO members VALUES (1, 'x', 1, x'00ff'), (1, 'y', 2, NULL), (2, 'x', 3, x''), (3, 'z', NULL, x'01');
`;

function database(rows = ROWS): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  db.exec(SCHEMA);
  db.exec(rows);
  return db;
}

function rowsOf(db: DatabaseSync): unknown[] {
  return ['"group"', "members", "notes"].map((table) => db.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all());
}

const depthOf = (table: string) => table === "members" ? 1 : 0;

/** Returns what `work` changes, in the order in which nodes apply it. */
function changesetOf(db: DatabaseSync, work: () => void): Uint8Array {
  return inOrderOfReferences(recorded(db, work), depthOf).bytes;
}

function recorded(db: DatabaseSync, work: () => void): Uint8Array {
  const session = db.createSession();
  work();
  const changeset = session.changeset();
  session.close();
  return changeset;
}

function apply(db: DatabaseSync, changeset: Uint8Array): void {
  const applier = new ChangesetApplier(db);
  db.exec("BEGIN");
  try {
    applier.apply(changeset);
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

const id = fc.integer({ min: 1, max: 6 });
const name = fc.constantFrom("a", "b", "c", "d", "x", "y", "z");
const order = fc.option(fc.integer({ min: 1, max: 6 }));
const body = fc.option(fc.uint8Array({ maxLength: 3 }));
const note = fc.constantFrom("p", "q", "r");
const isOpen = fc.constantFrom(0, 1);
const size = fc.option(fc.constantFrom(0.25, 1, -3, 9_007_199_254_740_993));
const statement = fc.oneof(
  fc.tuple(fc.constant('INSERT INTO "group" VALUES (?, ?, ?)'), fc.tuple(id, name, size)),
  fc.tuple(fc.constant('UPDATE "group" SET size = ? WHERE id = ?'), fc.tuple(size, id)),
  fc.tuple(fc.constant('UPDATE "group" SET name = ?, size = ? WHERE id = ?'), fc.tuple(name, size, id)),
  fc.tuple(fc.constant('DELETE FROM "group" WHERE id = ?'), fc.tuple(id)),
  fc.tuple(fc.constant("INSERT INTO members VALUES (?, ?, ?, ?)"), fc.tuple(id, name, order, body)),
  fc.tuple(fc.constant('UPDATE members SET "order" = ? WHERE name = ?'), fc.tuple(order, name)),
  fc.tuple(fc.constant('UPDATE members SET "order" = "order" + 1 WHERE group_id = ?'), fc.tuple(id)),
  fc.tuple(fc.constant("UPDATE members SET group_id = ?, body = ? WHERE name = ?"), fc.tuple(id, body, name)),
  fc.tuple(fc.constant("DELETE FROM members WHERE name = ?"), fc.tuple(name)),
  fc.tuple(fc.constant("INSERT INTO notes VALUES (?, ?, ?, ?)"), fc.tuple(id, order, note, isOpen)),
  fc.tuple(fc.constant("UPDATE notes SET body = ? WHERE id = ?"), fc.tuple(note, id)),
  fc.tuple(fc.constant("UPDATE notes SET is_open = ? WHERE id = ?"), fc.tuple(isOpen, id)),
  fc.tuple(fc.constant("UPDATE notes SET answers_id = ? WHERE id = ?"), fc.tuple(order, id)),
  fc.tuple(fc.constant("DELETE FROM notes WHERE id = ?"), fc.tuple(id)),
);

Deno.test("any changeset leads from the same rows to the same result, and from others to none", () => {
  fc.assert(
    fc.property(fc.array(statement, { minLength: 1, maxLength: 12 }), (statements) => {
      using made = database();
      using own = database();
      const changeset = changesetOf(made, () => {
        for (const [sql, values] of statements) {
          try {
            made.prepare(sql).run(...values);
          } catch {
            // A constraint does not allow it.
          }
        }
      });
      const before = rowsOf(own);
      apply(own, changeset);
      assert.deepEqual(rowsOf(own), rowsOf(made));
      // A second time, the rows are those of after the changes.
      if (rowChanges(changeset).next().done) return;
      assert.notDeepEqual(rowsOf(own), before);
      assert.throws(() => apply(own, changeset), DivergedError);
      assert.deepEqual(rowsOf(own), rowsOf(made));
    }),
    { numRuns: runs(300, 20_000) },
  );
});

Deno.test("changes are encoded as SQLite does it", () => {
  using db = database();
  const applier = new ChangesetApplier(db);
  const work = `
    INSERT INTO "group" VALUES (9007199254740993, 'é😀\u0001', 0.1), (-7, '', -1e300);
    INSERT INTO members VALUES (-7, '${"long ".repeat(4_000)}', NULL, zeroblob(20000)), (3, 'b', -1, x'');
    UPDATE members SET body = NULL WHERE name = 'x'; UPDATE "group" SET size = NULL, name = 'z' WHERE id = 2;
    DELETE FROM members WHERE name = 'z'; UPDATE notes SET is_open = 0;`;
  const changeset = recorded(db, () => db.exec(work));
  const made = inOrderOfReferences(changeset, depthOf);
  const changes = [...rowChanges(changeset)];
  const encoded = encodeInOrderOfReferences(changes, depthOf, (table) => applier.headerOf(table));
  assert.equal(changes.length, 10);
  assert.deepEqual(encoded.changes, made.changes);
  assert.deepEqual(Buffer.from(encoded.bytes), Buffer.from(made.bytes));
});

Deno.test("unique values that rows exchange are applied", () => {
  for (
    const work of [
      `UPDATE members SET "order" = 9 WHERE name = 'y'; UPDATE members SET "order" = 2 WHERE "order" = 1;
       UPDATE members SET "order" = 1 WHERE name = 'y'`,
      `UPDATE "group" SET name = 'i' WHERE id = 1; UPDATE "group" SET name = 'a' WHERE id = 2;
       UPDATE "group" SET name = 'b' WHERE id = 3; UPDATE "group" SET name = 'c' WHERE id = 1`,
      // A row that is deleted and inserted again counts as changed.
      `DELETE FROM members WHERE name = 'x'; UPDATE members SET "order" = 3 WHERE name = 'y';
       INSERT INTO members VALUES (2, 'x', 2, NULL)`,
    ]
  ) {
    using made = database();
    using own = database();
    const changeset = changesetOf(made, () => made.exec(work));
    apply(own, changeset);
    assert.deepEqual(rowsOf(own), rowsOf(made), work);
  }
});

Deno.test("rows that are not those that the changes were made from are found, and nothing is changed", () => {
  const cases: [change: string, other: string, message: RegExp][] = [
    [
      "UPDATE members SET body = x'05' WHERE name = 'z'",
      "UPDATE members SET body = x'06' WHERE name = 'z'",
      /other val/,
    ],
    ["UPDATE members SET body = x'05' WHERE name = 'z'", "DELETE FROM members WHERE name = 'z'", /a row is missing/],
    ["DELETE FROM members WHERE name = 'z'", "UPDATE members SET body = NULL WHERE name = 'z'", /has other values/],
    ["DELETE FROM members WHERE name = 'z'", "DELETE FROM members WHERE name = 'z'", /a row is missing/],
    [`INSERT INTO "group" VALUES (9, 'i', 1)`, `INSERT INTO "group" VALUES (9, 'k', 1)`, /a row exists already/],
    [`INSERT INTO "group" VALUES (9, 'i', 1)`, `INSERT INTO "group" VALUES (8, 'i', 1)`, /a constraint does not hold/],
    [`UPDATE "group" SET name = 'i' WHERE id = 1`, `INSERT INTO "group" VALUES (8, 'i', 1)`, /a constraint does not/],
    [`UPDATE "group" SET size = 7 WHERE id = 1`, `ALTER TABLE "group" ADD COLUMN more TEXT`, /other columns/],
  ];
  for (const [change, other, message] of cases) {
    using made = database();
    using own = database();
    own.exec(other);
    const before = rowsOf(own);
    const changeset = changesetOf(made, () => made.exec(change));
    assert.throws(() => apply(own, changeset), message, `${change}, but ${other}`);
    assert.deepEqual(rowsOf(own), before);
  }
});

Deno.test("what is written every day is applied without compiling the statements again", () => {
  using db = database();
  const cases: [change: string, isSimple: boolean][] = [
    [`UPDATE "group" SET size = 7`, true],
    [`INSERT INTO "group" VALUES (4, 'd', 1); INSERT INTO members VALUES (4, 'new', 9, NULL)`, true],
    [`UPDATE members SET "order" = 7 WHERE name = 'y'; INSERT INTO notes VALUES (9, 1, 'n', 1)`, true],
    ["DELETE FROM notes WHERE id = 3; INSERT INTO \"group\" VALUES (4, 'd', 1)", true],
    [`DELETE FROM "group" WHERE id = 1`, true],
    [`UPDATE members SET "order" = "order" + 10`, false],
    ["UPDATE notes SET answers_id = NULL", false],
    ["UPDATE notes SET is_open = 1 - is_open", false],
    [`DELETE FROM "group" WHERE id = 1; INSERT INTO members VALUES (2, 'new', 1, NULL)`, false],
    [`DELETE FROM members WHERE name = 'y'; INSERT INTO members VALUES (1, 'z', 9, NULL)`, true],
    [`DELETE FROM members WHERE name = 'y'; INSERT INTO members VALUES (1, 'z', 2, NULL)`, false],
    [`DELETE FROM notes WHERE id = 3; INSERT INTO notes VALUES (9, 1, 'n', 1)`, false],
  ];
  for (const [work, isSimple] of cases) {
    using made = database();
    const changes = [...rowChanges(changesetOf(made, () => made.exec(work)))];
    assert.equal(new ChangesetApplier(db).isSimple(changes), isSimple, work);
  }
});

Deno.test("a foreign key that does not hold after all changes is found", () => {
  using made = database();
  using own = database();
  own.exec('DELETE FROM "group" WHERE id = 3');
  const before = rowsOf(own);
  for (
    const [work, message] of [
      ["INSERT INTO members VALUES (3, 'new', NULL, NULL)", /a foreign key does not hold/],
      [`UPDATE "group" SET name = 'i' WHERE id = 1; INSERT INTO members VALUES (3, 'more', NULL, NULL)`, /FOREIGN KEY/],
    ] as const
  ) {
    const changeset = changesetOf(made, () => made.exec(work));
    assert.throws(() => apply(own, changeset), message);
    assert.deepEqual(rowsOf(own), before);
  }
});

Deno.test("changes of a table after its columns have changed are applied to the new ones", () => {
  using made = database();
  using own = database();
  const applier = new ChangesetApplier(own);
  const both = (sql: string) => {
    const changeset = changesetOf(made, () => made.exec(sql));
    own.exec("BEGIN");
    assert.equal(applier.apply(changeset).length, [...rowChanges(changeset)].length);
    own.exec("COMMIT");
    assert.deepEqual(rowsOf(own), rowsOf(made));
  };
  both(`UPDATE "group" SET size = 7 WHERE id = 1`);
  for (const db of [made, own]) db.exec(`ALTER TABLE "group" ADD COLUMN more TEXT`);
  both(`UPDATE "group" SET size = 8, more = 'm' WHERE id = 1`);
  both(`INSERT INTO "group" VALUES (9, 'i', 1, 'n')`);
});
