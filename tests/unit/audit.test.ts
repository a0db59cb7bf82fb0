// The audit over a real database: what an entry holds, that whatever is done to the file is found, and that others
// cannot fill it. What was done is undone by nobody: the triggers are dropped as an intruder would.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import {
  type Actor,
  type AuditEvent,
  type KeyActor,
  manyEvents,
  OPERATOR,
  type Origin,
  SERVER,
} from "../../src/actor.ts";
import { exportStream } from "../../src/control/api/audit.ts";
import { exportStream as exportLogs } from "../../src/control/api/log_export.ts";
import type { MergedEntry } from "../../src/telemetry/cluster/node_logs.ts";
import type { KeyId } from "../../src/ids.ts";
import { type Audit, createAudit, HEAD } from "../../src/core/audit/audit.ts";
import {
  AUDIT_KEY,
  type AuditHead,
  type ChainProblem,
  createSigner,
  openHead,
  verifyChain,
} from "../../src/core/audit/chain.ts";
import { exportHead, exportLine, readExport } from "../../src/core/audit/export.ts";
import { createCoalescer } from "../../src/core/audit/coalesce.ts";
import { openSnapshot } from "../../src/store/snapshot.ts";

import { openStoreAt, type TemporaryStore, temporaryStore } from "./temporary.ts";

const KEY: KeyActor & Origin = {
  kind: "key",
  id: 7 as KeyId,
  name: "ci",
  group: "management",
  address: "192.0.2.1",
  requestId: "r-1",
  refusal: () => undefined,
};
const signOf = ({ keyring }: TemporaryStore) => createSigner(keyring.derive(AUDIT_KEY));
const VISITOR: Actor = { kind: "visitor", address: "192.0.2.9", requestId: "r-9" };

const event = (n: number): AuditEvent => ({
  action: "secret.updated",
  subject: { kind: "secret", id: n, name: `S${n}` },
  before: { comment: "old" },
  after: { comment: `new ${n}`, value: "changed" },
});

interface There extends Disposable {
  at: TemporaryStore;
  audit: Audit;
  warnings: string[];
  /** Changes the file as somebody would who can write it, and does not have the key. */
  tamper(sql: string, ...values: (string | number | null)[]): void;
  /** What is found by whoever opens the file anew. */
  verify(known?: AuditHead, from?: number): ChainProblem | undefined;
  head(): string | undefined;
}

/** An audit of `count` entries, the first of which tells that it began. */
function audited(count = 6): There {
  const at = temporaryStore();
  const warnings: string[] = [];
  const audit = createAudit({
    store: at.store,
    keyring: at.keyring,
    now: () => 1_700_000_000_000,
    warn: (message) => warnings.push(message),
  });
  void audit.start();
  for (let n = 2; n <= count; n++) audit.record(KEY, event(n));
  return {
    at,
    audit,
    warnings,
    tamper(sql, ...values) {
      const db = new DatabaseSync(at.path);
      for (const name of ["audit_keeps_rows", "audit_keeps_fields", "audit_grows_at_its_end"]) {
        db.exec(`DROP TRIGGER IF EXISTS ${name}`);
      }
      db.prepare(sql).run(...values);
      db.close();
    },
    verify(known, from) {
      using snapshot = openSnapshot(at.path);
      return verifyChain({
        ...snapshot.audit!,
        sign: signOf(at),
        known,
        ...(from && { from }),
      });
    },
    head() {
      using snapshot = openSnapshot(at.path);
      return snapshot.audit!.head;
    },
    [Symbol.dispose]: () => at[Symbol.dispose](),
  };
}

const opened = (there: There): AuditHead => openHead(there.head()!, signOf(there.at))!;

Deno.test("an entry tells who, when, from where and what, and the chain of all of them holds", () => {
  using there = audited(3);
  const { entries: [entry, , first] } = there.audit.list({}, Infinity, 10);
  const { mac, ...facts } = { ...entry! };
  assert.deepEqual(facts, {
    id: 3,
    at: 1_700_000_000_000,
    actorKind: "key",
    actorId: "7",
    actorName: "ci",
    actorGroup: "management",
    address: "192.0.2.1",
    requestId: "r-1",
    action: "secret.updated",
    subjectKind: "secret",
    subjectId: "3",
    subjectName: "S3",
    before: '{"comment":"old"}',
    after: '{"comment":"new 3","value":"changed"}',
  });
  assert.match(mac, /^[0-9a-f]{64}$/);
  assert.deepEqual([first!.action, first!.actorKind, first!.address], ["audit.started", "server", null]);
  assert.equal(there.verify(), undefined);
});

Deno.test("an entry is stored with its change or not at all, and leaves no gap", () => {
  using there = audited(2);
  const { store } = there.at;
  assert.throws(() =>
    store.transaction(() => {
      store.settings.put("x", "1");
      there.audit.record(OPERATOR, event(3));
      throw new Error("the change failed");
    })
  );
  assert.deepEqual([store.audit.lastId(), store.settings.list()], [2, []]);
  there.audit.record(OPERATOR, event(3));
  assert.deepEqual([store.audit.lastId(), there.verify()], [3, undefined]);
});

Deno.test("any altered field of any entry is found, by the entry's id", () => {
  const texts = [
    "actor_kind",
    "actor_id",
    "actor_name",
    "actor_group",
    "address",
    "request_id",
    "action",
    "subject_kind",
    "subject_id",
    "subject_name",
    "before",
    "after",
    "mac",
  ];
  using there = audited();
  for (const id of [1, 3, 6]) {
    for (const column of [...texts, "at"]) {
      const [old] = there.at.store.audit.following(id - 1, id, 1);
      for (const value of column === "at" ? [0, 1_700_000_000_001] : ["", "x", null]) {
        if (value === null && !["actor_id", "actor_name", "actor_group", "address", "before"].includes(column)) {
          continue;
        }
        const was = { ...old } as Record<string, string | number | null>;
        const name = column.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
        if (was[name] === value) continue;
        there.tamper(`UPDATE audit SET ${column} = ? WHERE id = ?`, value, id);
        const found = there.verify();
        assert.equal(found?.id, id, `${column} of entry ${id} set to ${value}`);
        assert.match(found.problem, /was altered/);
        there.tamper(`UPDATE audit SET ${column} = ? WHERE id = ?`, was[name]!, id);
      }
    }
  }
  assert.equal(there.verify(), undefined);
});

Deno.test("text that moves from one field to the next is found", () => {
  using there = audited();
  there.tamper("UPDATE audit SET actor_name = 'c', actor_group = 'imanagement' WHERE id = 4");
  assert.equal(there.verify()?.id, 4);
});

Deno.test("a removed entry is found, in the middle, at the beginning, at the end, and if all are", () => {
  const cases: [sql: string, ChainProblem][] = [
    ["id = 3", { id: 3, problem: "is missing" }],
    ["id IN (3, 4)", { id: 3, problem: "is missing, as are all entries up to 4" }],
    ["id = 1", { id: 1, problem: "is missing" }],
    ["id = 6", { id: 6, problem: "is missing" }],
    ["id > 3", { id: 4, problem: "is missing, as are all entries up to 6" }],
    ["true", { id: 1, problem: "is missing, as are all entries up to 6" }],
  ];
  for (const [where, expected] of cases) {
    using there = audited();
    there.tamper(`DELETE FROM audit WHERE ${where}`);
    assert.deepEqual(there.verify(), expected, where);
    // What is written later does not cover it up.
    there.audit.record(OPERATOR, event(7));
    assert.equal(there.verify()?.id, expected.id, `${where}, and then another entry`);
  }
});

Deno.test("a removed entry is found if the others moved up, with new ids", () => {
  using there = audited();
  there.tamper("DELETE FROM audit WHERE id = 3");
  there.tamper("UPDATE audit SET id = id - 1 WHERE id > 3");
  const found = there.verify();
  assert.equal(found?.id, 3);
  assert.match(found.problem, /entries before it were removed/);
});

Deno.test("entries that changed places are found", () => {
  for (const [a, b] of [[3, 4], [2, 5], [4, 6]] as const) {
    using there = audited();
    there.tamper("UPDATE audit SET id = -1 WHERE id = ?", a);
    there.tamper("UPDATE audit SET id = ? WHERE id = ?", a, b);
    there.tamper("UPDATE audit SET id = ? WHERE id = -1", b);
    assert.deepEqual(there.verify(), { id: a, problem: `was written as entry ${b}: the order was changed` });
  }
});

Deno.test("an entry that was put in is found, wherever it is", () => {
  const copy = (id: number) =>
    `INSERT INTO audit SELECT ${id}, at, actor_kind, actor_id, actor_name, actor_group, address, request_id, action, ` +
    `subject_kind, subject_id, subject_name, before, after, mac FROM audit WHERE id = 2`;
  for (const id of [7, 0, -5, 100]) {
    using there = audited();
    there.tamper(copy(id));
    const found = there.verify();
    assert.equal(found?.id, id === 100 ? 7 : id, `${id}: ${found?.problem}`);
  }
  using there = audited();
  there.tamper("UPDATE audit SET id = id + 1 WHERE id = 6");
  there.tamper(copy(6));
  assert.equal(there.verify()?.id, 6);
});

Deno.test("a head that is gone, altered or put back is found, and the next entry says so for ever", () => {
  const cases: [what: string, sql: string, id: number][] = [
    ["gone", "DELETE FROM meta WHERE name = 'audit-head'", 7],
    ["altered", "UPDATE meta SET value = replace(value, '\"count\":6', '\"count\":7') WHERE name = 'audit-head'", 7],
    ["no JSON", "UPDATE meta SET value = 'x' WHERE name = 'audit-head'", 7],
  ];
  for (const [what, sql, id] of cases) {
    using there = audited();
    there.tamper(sql);
    assert.equal(there.verify()?.id, id, what);
    there.audit.record(OPERATOR, event(8));
    assert.equal(there.warnings.length, 1, what);
    assert.deepEqual([there.verify()?.id, there.at.store.audit.lastId()], [7, 8], what);
    assert.match(there.verify()!.problem, /restarts the chain/);
    assert.equal(there.verify(undefined, 7), undefined, "what comes after it can be verified from there");
    there.audit.record(OPERATOR, event(9));
    assert.equal(there.warnings.length, 1, "and is not told again");
  }
});

Deno.test("an older head over newer entries is found", () => {
  using there = audited(4);
  const old = there.head()!;
  there.audit.record(OPERATOR, event(5));
  there.tamper("UPDATE meta SET value = ? WHERE name = 'audit-head'", old);
  assert.deepEqual(there.verify(), {
    id: 5,
    problem: "is after the last entry that the head names: the head was rolled back",
  });
  there.audit.record(OPERATOR, event(6));
  assert.equal(there.verify()?.id, 6, "and the entry that follows says so");
});

Deno.test("an audit that was set back with its head is found by a head that was kept, and only by that", () => {
  using there = audited(4);
  const [before, old] = [opened(there), there.head()!];
  there.audit.record(KEY, event(5));
  there.audit.record(KEY, event(6));
  const known = opened(there);
  assert.deepEqual([there.verify(known), there.verify(before)], [undefined, undefined]);

  there.tamper("DELETE FROM audit WHERE id > 4");
  there.tamper("UPDATE meta SET value = ? WHERE name = 'audit-head'", old);
  assert.equal(there.verify(), undefined, "as docs/security-model.md says");
  assert.deepEqual(there.verify(known), { id: 5, problem: "is missing, as are all entries up to 6" });
  for (let n = 5; n <= 7; n++) there.audit.record(OPERATOR, event(n));
  assert.equal(there.verify(known)?.id, 6, "also after it went on anew");
  assert.equal(there.verify(before), undefined);
});

Deno.test("entries that were all removed with their head are told by an entry of the new beginning", async () => {
  using there = audited();
  there.tamper("DELETE FROM audit");
  there.tamper("DELETE FROM meta WHERE name = 'audit-head'");
  assert.equal(there.verify()?.id, 1, "a database without an audit has lost it");
  await there.audit.start();
  const { entries } = there.audit.list({}, Infinity, 10);
  assert.deepEqual(entries.map(({ action }) => action), ["audit.started"]);
});

Deno.test("the start of a server tells that the end of the audit does not fit", async () => {
  using there = audited();
  await there.audit.start();
  assert.deepEqual(there.warnings, []);
  there.tamper("DELETE FROM audit WHERE id = 6");
  await there.audit.start();
  assert.equal(there.warnings.length, 1);
});

Deno.test("another key file's MACs do not fit", () => {
  using there = audited();
  using other = temporaryStore();
  using snapshot = openSnapshot(there.at.path);
  const found = verifyChain({ ...snapshot.audit!, sign: signOf(other) });
  assert.equal(found?.id, 1);
  const lookup = Buffer.from(there.at.keyring.lookup("x")).toString("hex");
  assert.notEqual(signOf(there.at)("x"), lookup, "nor those of look-ups");
});

Deno.test("no statement of this program's connection changes, replaces or removes an entry", () => {
  using there = audited();
  const db = new DatabaseSync(there.at.path);
  const columns = "at, actor_kind, actor_id, actor_name, actor_group, address, request_id, action, " +
    "subject_kind, subject_id, subject_name, before, after, mac";
  for (
    const sql of [
      "DELETE FROM audit WHERE id = 6",
      "UPDATE audit SET actor_name = 'x'",
      `INSERT OR REPLACE INTO audit SELECT 3, ${columns} FROM audit WHERE id = 4`,
      `INSERT INTO audit SELECT 0, ${columns} FROM audit WHERE id = 4`,
    ]
  ) assert.throws(() => db.exec(sql), /audit/, sql);
  db.close();
  assert.equal(there.verify(), undefined);
});

Deno.test("whatever text there is in an entry comes back as it was signed", () => {
  using there = audited(1);
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("a\0b", "\ud800", "'\"\\", "", "x".repeat(5_000)),
  );
  fc.assert(fc.property(text, text, text, (name, subject, value) => {
    there.audit.record({ ...KEY, name }, {
      action: "file.created",
      subject: { kind: "file", id: null, name: subject },
      after: { value, [name]: 1 },
    });
  }));
  assert.equal(there.verify(), undefined);
});

Deno.test("two programs that add to one audit make one chain", () => {
  using there = audited(2);
  const { store } = openStoreAt(there.at.path);
  const second = createAudit({ store, keyring: there.at.keyring, now: Date.now, warn: () => assert.fail() });
  for (let n = 0; n < 5; n++) {
    there.audit.record(KEY, event(n));
    second.record(OPERATOR, event(n));
  }
  store.close();
  assert.deepEqual([there.verify(), opened(there).count], [undefined, 12]);
});

Deno.test("entries are found by who, what and when, and what concerns several by each of them", () => {
  using there = audited(1);
  const record = (actor: Actor, given: AuditEvent) => there.audit.record(actor, given);
  record(KEY, event(5));
  record({ ...KEY, id: 8 as KeyId, name: "ada@example.com" }, { ...event(6), action: "secret.created" });
  record(OPERATOR, { action: "key.created", subject: { kind: "key", id: 5, name: "S5" } });
  const rows = [5, 55, 6].map((id) => ({ id, name: `S${id}` }));
  for (const one of manyEvents("secret.revealed", "secret", rows)) record(KEY, one);
  const ids = (filter: Parameters<Audit["list"]>[0]) =>
    there.audit.list(filter, Infinity, 10).entries.map(({ id }) => id);
  assert.deepEqual(ids({}), [5, 4, 3, 2, 1]);
  assert.deepEqual(ids({ actor: { kind: "key" } }), [5, 3, 2]);
  assert.deepEqual(ids({ actor: { kind: "key", id: "7" } }), [5, 2]);
  assert.deepEqual(ids({ actor: { name: "ada@example.com" } }), [3]);
  assert.deepEqual(ids({ action: "secret.*" }), [5, 3, 2]);
  assert.deepEqual(ids({ action: "secret.created" }), [3]);
  assert.deepEqual(ids({ subject: { kind: "secret", id: "5" } }), [5, 2], "55 is another");
  assert.deepEqual(ids({ subject: { kind: "secret", id: "6" }, actor: { kind: "key", id: "7" } }), [5]);
  assert.deepEqual(ids({ subject: { name: "S5" } }), [4, 2]);
  assert.deepEqual(ids({ from: 1_700_000_000_001 }), []);
  assert.deepEqual(ids({ to: 1_700_000_000_000 }), []);
  assert.deepEqual(ids({ from: 1_700_000_000_000, to: 1_700_000_000_001 }).length, 5);
  there.tamper("UPDATE audit SET after = '{', at = 1152921504606846976 WHERE id = 5");
  assert.deepEqual(ids({ subject: { kind: "secret", id: "5" } }), [2], "one that was tampered with stops nothing");
  assert.deepEqual(ids({}), [5, 4, 3, 2, 1]);
});

Deno.test("no filter walks the whole audit but those of time, and none sorts it", () => {
  using there = temporaryStore();
  const db = new DatabaseSync(there.path);
  const plan = (where: string) =>
    db.prepare(`EXPLAIN QUERY PLAN SELECT * FROM audit WHERE ${where} AND id < 9 ORDER BY id DESC LIMIT 1`).all()
      .map((row) => row.detail).join("; ");
  for (
    const where of [
      "actor_kind = 'key'",
      "actor_name = 'x'",
      "actor_kind = 'key' AND actor_id = '1'",
      "action = 'x'",
      "subject_kind = 'x'",
      "subject_kind = 'x' AND subject_id = '1'",
      "subject_kind = 'x' AND subject_id IS NULL",
      "subject_name = 'x'",
    ]
  ) {
    assert.match(plan(where), /USING INDEX audit_by_\w+ \([^)]*id<\?\)$/, where);
  }
  db.close();
});

Deno.test("many at once are told in entries of bounded size, and none is left out", () => {
  const events = manyEvents(
    "secret.revealed",
    "secret",
    Array.from({ length: 2_500 }, (_, n) => ({ id: n + 1, name: "S" })),
  );
  assert.equal(events.length, 3);
  assert.deepEqual(events.flatMap(({ after }) => after!.ids), Array.from({ length: 2_500 }, (_, n) => n + 1));
  assert.deepEqual(manyEvents("secret.revealed", "secret", []), []);
  using there = audited(1);
  for (const one of events) there.audit.record(KEY, one);
  assert.equal(there.audit.list({ subject: { kind: "secret", id: "2500" } }, Infinity, 10).entries.length, 1);
  there.audit.record(KEY, { ...event(1), after: { text: "x".repeat(1_000_000) } });
  assert.ok(there.audit.list({}, Infinity, 1).entries[0]!.after!.length < 100);
});

Deno.test("an export reads no further than it is taken, and no further than the audit was when it began", async () => {
  using there = audited(1_000);
  let reads = 0;
  const { audit } = there;
  const counted: Pick<Audit, "following" | "matching" | "head"> = {
    head: () => audit.head(),
    matching: () => assert.fail("the whole audit is exported"),
    following: (...range) => (reads++, audit.following(...range)),
  };
  const reader = exportStream(counted, { format: "jsonl", filter: {} }, () => {}).getReader();
  const chunks = [(await reader.read()).value!];
  assert.ok(reads <= 2, `${reads} reads`);
  there.audit.record(OPERATOR, event(1));
  for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value);
  const lines = (await new Blob(chunks as Uint8Array<ArrayBuffer>[]).text()).trimEnd().split("\n");
  assert.deepEqual([lines.length, JSON.parse(lines.at(-1)!).head.count], [1_001, 1_000]);
  assert.deepEqual(
    lines.slice(0, -1).map((line) => JSON.parse(line).id),
    Array.from({ length: 1_000 }, (_, n) => n + 1),
  );
});

Deno.test("an export breaks off when its reader may no longer see it", async () => {
  using there = audited(3_000);
  let mayRead = true;
  const check = () => {
    if (!mayRead) throw new Error("revoked");
  };
  const ofLogs = async () => {
    const entry = {
      at: 0,
      id: "1",
      level: "info",
      event: "print",
      message: "",
      functionId: 1,
      requestId: null,
    } as const;
    const list = () =>
      Promise.resolve({ entries: [entry as unknown as MergedEntry], next: "1", newest: "", silent: [] });
    return await exportLogs({ list }, {}, () => "line", check);
  };
  for (
    const stream of [
      exportStream(there.audit, { format: "csv", filter: {} }, check),
      exportStream(there.audit, { format: "jsonl", filter: {} }, check),
      exportStream(there.audit, { format: "jsonl", filter: { from: 0 } }, check),
      await ofLogs(),
    ]
  ) {
    mayRead = true;
    const reader = stream.getReader();
    await reader.read();
    mayRead = false;
    // What was read ahead may still come.
    await assert.rejects(async () => {
      for (let n = 0; n < 3; n++) await reader.read();
    }, /revoked/);
  }
});

Deno.test("an entry comes back from its line whatever text there is in it, and any other line counts as altered", () => {
  using there = audited(1);
  const facts = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue());
  fc.assert(fc.property(
    fc.string({ unit: "binary" }),
    fc.constantFrom(KEY, VISITOR, SERVER),
    fc.option(fc.integer({ min: 1 })),
    fc.option(facts),
    fc.option(facts),
    (name, actor, id, before, after) => {
      const subject = { kind: "secret", id, name };
      there.audit.record(actor, {
        action: "secret.updated",
        subject,
        ...(before && { before }),
        ...(after && { after }),
      });
    },
  ));
  const rows = there.audit.following(0, Infinity, 1_000).map((row) => ({ ...row }));
  const lines = [...rows.map(exportLine), exportHead(there.head()!)];
  const found = readExport(() => lines);
  assert.deepEqual([...found.entries(1)], rows);
  assert.equal(verifyChain({ ...found, sign: signOf(there.at) }), undefined);
  for (const [n, line] of lines.slice(0, 20).entries()) {
    for (const altered of [` ${line}`, `${line}\r`, "", "null", "{}", line.slice(1), line.replace("{", '{"x":1,')]) {
      const chain = readExport(() => lines.with(n, altered));
      assert.equal(verifyChain({ ...chain, sign: signOf(there.at) })?.id, n + 1, altered);
    }
  }
});

Deno.test("failed sign-ins are told once and then summed up, however many there are", () => {
  const told: [Actor, AuditEvent][] = [];
  const repetitions = createCoalescer(
    (actor, event) => Promise.resolve(void told.push([actor, event])),
    assert.ifError,
  );
  const failure: AuditEvent = { action: "sign-in.failed", subject: { kind: "admin", id: null, name: "" } };
  for (let n = 0; n < 100_000; n++) repetitions.add({ ...VISITOR, address: `192.0.2.${n % 200}` }, failure);
  assert.equal(told.length, 20, "the first from each of some addresses, at once");
  repetitions.close();
  assert.equal(told.length, 41);
  const counts = told.map(([, { after }]) => after?.repeated as number ?? 1);
  assert.equal(counts.reduce((sum, count) => sum + count), 100_000, "and none is lost from the count");
  assert.deepEqual(told.at(-1)![0], SERVER);
  repetitions.close();
  assert.equal(told.length, 41);
  repetitions.add(VISITOR, failure);
  assert.equal(told.length, 42, "the next minute begins anew");
  repetitions.close();
});

Deno.test("failed sign-ins to one account or many are told alike, so that their time tells nothing, and named later", () => {
  const told: AuditEvent[] = [];
  const repetitions = createCoalescer((_, event) => Promise.resolve(void told.push(event)), assert.ifError);
  const to = (id: number | null): AuditEvent => ({
    action: "sign-in.failed",
    subject: { kind: "admin", id, name: id ? `a${id}@example.com` : "" },
    after: { step: "password" },
  });
  for (const id of [null, 1, null, 2, 1, ...Array.from({ length: 500 }, (_, n) => n + 3)]) {
    repetitions.add(VISITOR, to(id));
  }
  assert.deepEqual(told, [to(null)]);
  repetitions.close();
  assert.deepEqual(told[1]!.subject, { kind: "admin", id: null, name: "" });
  assert.deepEqual(told[1]!.after!.repeated, 504);
  assert.deepEqual((told[1]!.after!.ids as number[]).slice(0, 3), [1, 2, 3]);
  assert.ok((told[1]!.after!.ids as number[]).length <= 20);
  for (let n = 0; n < 3; n++) repetitions.add(VISITOR, to(7));
  repetitions.close();
  assert.deepEqual(told.slice(2), [to(7), { ...to(7), after: { step: "password", repeated: 2 } }]);
});

Deno.test("responses with secrets in them are told once for each function and then summed up, behind the calls", async () => {
  using there = audited(1);
  const leak = { functionId: 3, functionName: "orders", requestId: "r-1", names: ["DB"], blocked: false };
  for (let n = 0; n < 10; n++) there.audit.recordLeak(leak);
  assert.equal(there.at.store.audit.lastId(), 1, "not before the call goes on");
  await new Promise((resolve) => setTimeout(resolve, 0));
  there.audit.close();
  const { entries } = there.audit.list({ subject: { kind: "function", id: "3" } }, Infinity, 10);
  assert.deepEqual(entries.map(({ action, after }) => [action, JSON.parse(after!)]), [
    ["response.leaked", { secrets: ["DB"], requestId: "r-1", repeated: 9 }],
    ["response.leaked", { secrets: ["DB"], requestId: "r-1" }],
  ]);
});

Deno.test("what is summed up is stored when the audit is closed", () => {
  using there = audited(1);
  const failure: AuditEvent = { action: "sign-in.failed", subject: { kind: "admin", id: null, name: "" } };
  for (let n = 0; n < 5; n++) there.audit.recordAlone(VISITOR, failure);
  there.audit.close();
  const { entries } = there.audit.list({ action: "sign-in.failed" }, Infinity, 10);
  assert.deepEqual(entries.map(({ after, address }) => [after, address]), [
    ['{"repeated":4}', "192.0.2.9"],
    [null, "192.0.2.9"],
  ]);
  assert.equal(there.verify(), undefined);
  assert.ok(there.at.store.meta.get(HEAD));
});
