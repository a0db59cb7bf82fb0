// The chain of MACs over the log of changes: what was not appended by a holder of the keyring is found, with its number.

import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import fc from "fast-check";
import type { Entry, EntryKind, Head } from "../../src/cluster/log/change_log.ts";
import { type Chain, createChain, newEntryId } from "../../src/cluster/log/entry.ts";
import { LogTampered } from "../../src/cluster/log/errors.ts";
import { Keyring } from "../../src/keyring/keyring.ts";

const CLUSTER = "0d1f6f3e-8f5f-4c0a-9d43-6a1a3c6a7b11";

function keyring(seed: number): Keyring {
  const key = createSecretKey(new Uint8Array(32).fill(seed));
  return new Keyring(new Map([[1, key]]), 1, createSecretKey(new Uint8Array(32).fill(seed + 1)));
}

const chain = createChain(keyring(1), CLUSTER);

function entries(of: Chain, count: number): Entry[] {
  const all: Entry[] = [];
  let head: Head = of.start;
  for (let n = 1; n <= count; n++) {
    const entry = of.append(head, {
      id: newEntryId(),
      kind: n === 1 ? "keyring" : "change",
      body: new Uint8Array([n, 2, 3]),
      summary: `change ${n}`,
    });
    all.push(entry);
    head = entry;
  }
  return all;
}

/** Checks all entries in order; returns the number in the error, or undefined if there is none. */
function firstWrong(all: readonly Entry[], of = chain): number | undefined {
  let head = of.start;
  try {
    for (const entry of all) head = of.check(head, entry);
  } catch (error) {
    assert.ok(error instanceof LogTampered);
    assert.match(error.message, new RegExp(`^Entry ${error.seq} of the log of changes `));
    assert.deepEqual(error.facts, { seq: error.seq });
    return error.seq;
  }
}

Deno.test("entries as they were appended are the log, one after the other from 1", () => {
  const all = entries(chain, 20);
  assert.deepEqual(all.map(({ seq }) => seq), Array.from({ length: 20 }, (_, i) => i + 1));
  assert.equal(firstWrong(all), undefined);
});

Deno.test("an entry that was altered in any part, dropped, moved or repeated is found, and named", () => {
  const all = entries(chain, 8);
  const other: Partial<Entry>[] = [
    { id: newEntryId() },
    { kind: "migration" as EntryKind },
    { body: new Uint8Array([9]) },
    { body: new Uint8Array() },
    { summary: "" },
    { mac: "" },
    { mac: "é".repeat(64) },
    { mac: "0".repeat(64) },
  ];
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 6 }), fc.constantFrom(...other), fc.nat(7), (at, change, to) => {
      assert.equal(firstWrong(all.with(at, { ...all[at]!, ...change })), at + 1, "altered");
      assert.equal(firstWrong(all.toSpliced(at, 1)), at + 1, "dropped");
      assert.equal(firstWrong(all.toSpliced(at, 0, all[at]!)), at + 2, "repeated");
      const dropped = all.toSpliced(at, 1).map((entry, i) => ({ ...entry, seq: i + 1 }));
      assert.equal(firstWrong(dropped), at + 1, "dropped, and the others renumbered");
      if (to > at) {
        const moved = all.toSpliced(at, 1).toSpliced(to, 0, all[at]!).map((entry, i) => ({ ...entry, seq: i + 1 }));
        assert.equal(firstWrong(moved), at + 1, "moved");
      }
    }),
  );
});

Deno.test("entries of another keyring or another cluster are none of this one", () => {
  assert.equal(firstWrong(entries(createChain(keyring(2), CLUSTER), 3)), 1);
  assert.equal(firstWrong(entries(createChain(keyring(1), "another"), 3)), 1);
});

Deno.test("a head that is behind what was applied, or another one, is found", () => {
  const all = entries(chain, 5);
  const number = (known: Head, head: Head): number | undefined => {
    try {
      chain.confirm(known, head);
    } catch (error) {
      return (error as LogTampered).seq;
    }
  };
  assert.equal(number(all[2]!, all[2]!), undefined);
  assert.equal(number(all[2]!, all[4]!), undefined, "what is ahead is checked when it is read");
  assert.equal(number(all[4]!, all[2]!), 4);
  assert.equal(number(all[4]!, { seq: 5, mac: all[3]!.mac }), 5);
  assert.equal(number(chain.start, createChain(keyring(1), "another").start), 0);
});

Deno.test("a summary is a line of ASCII, so that no user's text stands in PostgreSQL unencrypted", () => {
  const entry = { id: newEntryId(), kind: "change" as const, body: new Uint8Array() };
  for (const summary of ["a\nb", "\0", "ä", "x".repeat(201)]) {
    assert.throws(() => chain.append(chain.start, { ...entry, summary }), /summary/);
  }
  assert.throws(() => chain.append(chain.start, { ...entry, id: "1", summary: "" }), /newEntryId/);
});
