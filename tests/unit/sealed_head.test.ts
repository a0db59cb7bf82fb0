// Row MACs and the sealed head: what one text stands for, and that sums tell any two sets of rows apart.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, hkdfSync, randomBytes } from "node:crypto";
import fc from "fast-check";
import { DerivedKey } from "../../src/keyring/derived_key.ts";
import { encodeRow, type Field, RowMacs, type SqlValue } from "../../src/keyring/row_macs.ts";
import { EMPTY, minus, MODULUS, openHead, plus, sealHead, type TableSum } from "../../src/keyring/sealed_head.ts";
import { temporaryStore } from "./temporary.ts";

const text = fc.string({ unit: "binary", maxLength: 12 });
const value: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  text,
  fc.uint8Array({ maxLength: 12 }),
);
const field: fc.Arbitrary<Field> = fc.tuple(fc.constantFrom("a", "b", "ab", "name"), value);
const row = fc.tuple(fc.constantFrom("t", "tt", "secrets"), fc.array(field, { maxLength: 4 }));

/** A row as it is meant, whatever JavaScript type its numbers have. */
function meaning([table, fields]: readonly [string, readonly Field[]]): string {
  const shown = (value: SqlValue) =>
    value instanceof Uint8Array ? { blob: [...value] } : typeof value === "string" ? value : { number: String(value) };
  return JSON.stringify([
    table,
    fields.filter(([, value]) => value !== null).map(([name, value]) => [name, shown(value)]),
  ]);
}

Deno.test("two rows have one encoding only if they are the same", () => {
  fc.assert(
    fc.property(row, row, (a, b) => {
      assert.equal(encodeRow(...a) === encodeRow(...b), meaning(a) === meaning(b));
    }),
    { numRuns: 5_000 },
  );
  const pairs: [Field[], Field[]][] = [
    [[["a", "1"]], [["a", 1]]],
    [[["a", "bc"], ["b", ""]], [["a", "b"], ["b", "c"]]],
    [[["a", "x"]], [["b", "x"]]],
    [[["a", ""]], [["a", null]]],
    [[["a", "61"]], [["a", new Uint8Array([0x61])]]],
    [[["a", "x1:c1:b"]], [["a", "x"], ["b", ""]]],
  ];
  for (const [a, b] of pairs) assert.notEqual(encodeRow("t", a), encodeRow("t", b), JSON.stringify([a, b]));
  assert.equal(encodeRow("t", [["a", 5]]), encodeRow("t", [["a", 5n]]));
});

Deno.test("the sum of a set of rows does not depend on the order, and taking a row away undoes adding it", () => {
  using there = temporaryStore();
  const macs = new RowMacs(there.keyring);
  const elementOf = (id: number) => macs.element("t", macs.mac("t", [["id", id]]));
  const sumOf = (ids: readonly number[]) => ids.reduce((sum, id) => plus(sum, elementOf(id)), EMPTY);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 12 }), (ids) => {
      const shuffled = ids.toSorted((a, b) => Number((elementOf(a) - elementOf(b)) % 2n) || b - a);
      assert.deepEqual(sumOf(ids), sumOf(shuffled));
      for (const id of ids) assert.deepEqual(minus(plus(sumOf(ids), elementOf(id)), elementOf(id)), sumOf(ids));
      assert.deepEqual(ids.reduce((sum, id) => minus(sum, elementOf(id)), sumOf(ids)), EMPTY);
    }),
    { numRuns: 100 },
  );
});

Deno.test("sets of rows that differ have sums that differ: rows more often, exchanged, or of another table", () => {
  using there = temporaryStore();
  const macs = new RowMacs(there.keyring);
  const sums = new Map<bigint, string>();
  const add = (what: string, sum: TableSum) => {
    assert.ok(sum.sum >= 0n && sum.sum < MODULUS);
    assert.equal(sums.get(sum.sum), undefined, what);
    sums.set(sum.sum, what);
  };
  const element = (table: string, id: number) => macs.element(table, macs.mac(table, [["id", id]]));
  for (let a = 0; a < 12; a++) {
    add(`${a}`, plus(EMPTY, element("t", a)));
    add(`u ${a}`, plus(EMPTY, element("u", a)));
    for (let b = a; b < 12; b++) add(`${a} ${b}`, plus(plus(EMPTY, element("t", a)), element("t", b)));
  }
});

Deno.test("the sealed text gives nothing of the sums away, and opens with its own key only", () => {
  using there = temporaryStore();
  using other = temporaryStore();
  const key = there.keyring.derive("head");
  const tables = new Map([["secrets", { count: 3, sum: MODULUS - 1n }], ["sessions", EMPTY]]);
  const head = { epoch: "0123", generation: 7, schema: "abc", tables };
  const [first, second] = [sealHead(head, key), sealHead(head, key)];
  assert.notEqual(first, second, "each time another nonce");
  assert.deepEqual(openHead(first, key), head);
  assert.equal(openHead(first, other.keyring.derive("head")), undefined);
  for (const wrong of ["", "AAAA", randomBytes(80).toString("base64"), first.slice(4)]) {
    assert.equal(openHead(wrong, key), undefined);
  }
  const bytes = Buffer.from(first, "base64");
  for (const at of [0, 12, 40, bytes.length - 1]) {
    const altered = Buffer.from(bytes);
    altered[at]! ^= 1;
    assert.equal(openHead(altered.toString("base64"), key), undefined, `byte ${at}`);
  }
});

Deno.test("a row's MAC is HMAC-SHA-256 of the text that docs/encryption.md describes", () => {
  using there = temporaryStore();
  const macs = new RowMacs(there.keyring);
  const fields: Field[] = [["id", 7n], ["name", "dä"], ["note", null], ["code", new Uint8Array([1, 255])]];
  assert.equal(encodeRow("things", fields), "t6:thingsc2:idi1:7c4:names2:däc4:codeb4:01ff");
  assert.deepEqual(macs.mac("things", fields), there.keyring.derive("rows").mac(encodeRow("things", fields)));
  assert.equal(macs.mac("things", fields).length, createHmac("sha256", "").update("").digest().length);
});

Deno.test("a derived key computes the HMAC of RFC 2104 with the key of HKDF", () => {
  const root = randomBytes(32);
  const derived = new DerivedKey(createSecretKey(root), "rows");
  const key = Buffer.from(hkdfSync("sha256", root, new Uint8Array(), "crude-functions:rows", 32));
  for (const text of ["", "a", "ä€😀", "x".repeat(55), "x".repeat(64), "x".repeat(10_000)]) {
    const expected = createHmac("sha256", key).update(text).digest("hex");
    assert.equal(Buffer.from(derived.mac(text)).toString("hex"), expected, text.slice(0, 10));
    assert.equal(derived.hexMac(text), expected, text.slice(0, 10));
  }
});
