// References in values of secrets, against a model, and over a real store: what is reachable through one.

import assert from "node:assert/strict";
import fc from "fast-check";
import { OPERATOR } from "../../src/actor.ts";
import { expandReferences, type Referenced } from "../../src/calls/secrets/expansion.ts";
import { DEPTH_MAX } from "../../src/core/secrets/reference_syntax.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import type { Caller } from "../../src/core/secrets/resolution.ts";
import type { FunctionId, GroupId, KeyId, OwnerRef, Scope, SecretId, SecretName } from "../../src/ids.ts";
import { type SealableCaller, SecretBroker } from "../../src/calls/secrets/broker.ts";
import { SecretLookup } from "../../src/calls/secrets/lookup.ts";
import { createAccess } from "../../src/core/access/access.ts";
import { createRegistry } from "../../src/core/functions/registry.ts";
import { temporaryStore, unrecorded } from "./temporary.ts";

interface Stored {
  readonly text: string;
  readonly expand: boolean;
}
type Secrets = Record<string, Stored>;

/** The rule in ten lines; undefined for a value that is not complete. `path` has the names that led to the text. */
function model(secrets: Secrets, text: string, path: readonly string[]): string | undefined {
  let complete = path.length - 1 <= DEPTH_MAX;
  const result = text.replaceAll(/\$\$\{|\$\{(?:global:)?(\w+)\}/g, (_, name?: string) => {
    if (name === undefined) return "${";
    const found = secrets[name];
    const value = found && path.length <= DEPTH_MAX && !path.includes(name)
      ? found.expand ? model(secrets, found.text, [...path, name]) : found.text
      : undefined;
    if (value === undefined) complete = false;
    return value ?? "";
  });
  return complete && new TextEncoder().encode(result).length <= 16_384 ? result : undefined;
}

const NAMES = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"];
const piece = fc.oneof(
  fc.constantFrom("$", "${", "$${", "}", "${}", "${a b}", "$A", "€", "x", "${other:A}", "$$", "${A"),
  fc.constantFrom(...NAMES).map((name) => `\${${name}}`),
  fc.constantFrom(...NAMES).map((name) => `\${global:${name}}`),
  fc.constantFrom(...NAMES).map((name) => `$\${${name}}`),
);
const stored = fc.record({
  text: fc.array(piece, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("")),
  expand: fc.boolean(),
});

function expanded(secrets: Secrets, name: string) {
  const idOf = (name: string) => Object.keys(secrets).indexOf(name) as SecretId;
  return expandReferences(idOf(name), secrets[name]!.text, (name): Referenced | string => {
    const found = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
    return found ? { id: idOf(name), scope: "global", ...found } : "has no value for this caller";
  });
}

Deno.test("references give what the model gives, or a problem", () => {
  let [complete, incomplete] = [0, 0];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...NAMES), stored, { minKeys: 1 }), (secrets) => {
      for (const name of Object.keys(secrets)) {
        const expected = model(secrets, secrets[name]!.text, [name]);
        const expansion = expanded(secrets, name);
        assert.equal("problem" in expansion ? undefined : expansion.text, expected, JSON.stringify([secrets, name]));
        if (expected === undefined) incomplete++;
        else complete++;
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(complete > 100 && incomplete > 100, `${complete} ${incomplete}`);
});

Deno.test("eight references may follow one another, nine may not, and a cycle is a problem of any length", () => {
  const chain = (length: number): Secrets =>
    Object.fromEntries(Array.from({ length: length + 1 }, (_, n) => [
      `S${n}`,
      n === length ? { text: "end", expand: false } : { text: `\${S${n + 1}}.`, expand: true },
    ]));
  assert.deepEqual("text" in expanded(chain(8), "S0"), true);
  assert.match(JSON.stringify(expanded(chain(9), "S0")), /More than 8 references/);
  // What is known already counts, too, however deep it was found first.
  const both: Secrets = {
    ...chain(8),
    TOP: { text: "${S2}${DEEP}", expand: true },
    DEEP: { text: "${S2}", expand: true },
  };
  assert.equal("text" in expanded(both, "TOP"), true);
  assert.match(
    JSON.stringify(expanded({ ...both, HIGH: { text: "${S2}${TOP}", expand: true } }, "HIGH")),
    /More than 8/,
  );
  for (let length = 1; length <= 8; length++) {
    const cycle = Object.fromEntries(
      Array.from({ length }, (_, n) => [`S${n}`, { text: `\${S${(n + 1) % length}}`, expand: true }]),
    );
    assert.match(JSON.stringify(expanded(cycle, "S0")), /refers to itself by S0/);
  }
});

Deno.test("a result has at most 16 KiB, and a value that doubles itself eight times is refused at once", () => {
  const secrets: Secrets = { S8: { text: "x".repeat(100), expand: false } };
  for (let n = 7; n >= 0; n--) secrets[`S${n}`] = { text: `\${S${n + 1}}`.repeat(40), expand: true };
  assert.match(JSON.stringify(expanded(secrets, "S0")), /more than 16384 bytes/);
  const exact: Secrets = { A: { text: "${B}${B}", expand: true }, B: { text: "é".repeat(4_096), expand: false } };
  assert.equal("text" in expanded(exact, "A"), true);
  assert.equal("text" in expanded({ ...exact, A: { text: "${B}${B}x", expand: true } }, "A"), false);
});

/** A store with a function, a key and its group, and a caller of each kind. */
function data() {
  const there = temporaryStore();
  const { store, keyring } = there;
  const clock = { now: 1_000_000 };
  const now = () => clock.now;
  const secrets = createSecrets({ store, keyring, now, record: unrecorded });
  const access = createAccess({ store, keyring, now, groupsInSettings: () => [], record: unrecorded });
  const registry = createRegistry({ store, now, onChange: () => {}, record: unrecorded });
  const groupId = access.createGroup(OPERATOR, "staging", "") as GroupId;
  const key = access.createKey(OPERATOR, { groupId, name: "acme", description: "" });
  const other = access.createKey(OPERATOR, { groupId, name: "other", description: "" });
  const fn = (name: string) =>
    registry.create(OPERATOR, {
      ...{ name, description: "", handler: `${name}.ts`, route: `/${name}`, methods: ["GET"], keys: [], enabled: true },
    }).id as FunctionId;
  const [functionId, otherFunction] = [fn("mine"), fn("theirs")];
  const set = (name: string, value: string, owner: OwnerRef = { scope: "global" }, more = {}) =>
    secrets.create(OPERATOR, { name: name as SecretName, value, owner, comment: "", ...more });
  const caller = (keyId: KeyId | undefined, asks: (name: string) => boolean = () => true): Caller => ({
    functionId,
    holder: keyId && { keyId, keyName: "", groupId, groupName: "staging" },
    mayAsk: asks,
  });
  const lookup = new SecretLookup(store, keyring, now);
  const get = (who: Caller, name: string, scope: Scope | null = null) => {
    const found = lookup.find(who, name, scope);
    return found && "problem" in found ? { problem: found.problem } : found?.value.reveal();
  };
  return { ...there, clock, secrets, set, caller, get, lookup, groupId, key, other, functionId, otherFunction };
}

const EXPAND = { expand: true };

Deno.test("a reference is resolved for the same caller by the same rules, and opens nothing else", () => {
  using it = data();
  const { set, caller, get } = it;
  set("URL", "postgres://${USER}:${PASSWORD}@${global:HOST}/$${x}", { scope: "global" }, EXPAND);
  set("USER", "all");
  set("USER", "acme", { scope: "key", keyId: it.key.id });
  set("PASSWORD", "of the function", { scope: "function", functionId: it.functionId });
  set("HOST", "db");
  set("HOST", "narrow", { scope: "group", groupId: it.groupId });
  assert.equal(get(caller(it.key.id), "URL"), "postgres://acme:of the function@db/${x}");
  assert.equal(get(caller(it.other.id), "URL"), "postgres://all:of the function@db/${x}");
  assert.equal(get(caller(undefined), "URL"), "postgres://all:of the function@db/${x}");

  // Of other owners, of a scope that is closed, and of names that the function may not ask for.
  set("THEIRS", "x", { scope: "function", functionId: it.otherFunction });
  set("KEYED", "x", { scope: "key", keyId: it.key.id });
  for (
    const [name, text] of [["R1", "${THEIRS}"], ["R2", "${key:KEYED}"], ["R3", "${KEYED}"], ["R4", "${group:HOST}"]]
  ) {
    set(name!, text!, { scope: "global" }, EXPAND);
    assert.match(JSON.stringify(get(caller(undefined), name!)), /has no value for this caller/, name);
  }
  assert.equal(get(caller(it.key.id), "R3"), "x");
  const restricted = caller(it.key.id, (name) => name !== "USER");
  assert.match(JSON.stringify(get(restricted, "URL")), /refers to USER, which the function may not ask for/);
  // Without `expand`, a dollar sign is one.
  set("PLAIN", "${USER}");
  assert.equal(get(caller(undefined), "PLAIN"), "${USER}");
  set("OF_PLAIN", "<${PLAIN}>", { scope: "global" }, EXPAND);
  assert.equal(get(caller(undefined), "OF_PLAIN"), "<${USER}>");
});

Deno.test("an incomplete value never gives way to one of a wider scope, and each reference is reported as read", () => {
  using it = data();
  const { set, caller, get, lookup } = it;
  set("DB", "wide");
  const narrow = set("DB", "${MISSING}", { scope: "function", functionId: it.functionId }, EXPAND);
  assert.match(JSON.stringify(get(caller(undefined), "DB")), /refers to MISSING, which has no value/);
  const all = lookup.findAll(caller(undefined), "DB");
  assert.deepEqual(all.map((found) => "problem" in found ? found.id : found.value.reveal()), [narrow, "wide"]);
  const missing = set("MISSING", "<${global:DB}${global:DB}>", { scope: "global" }, EXPAND);
  const found = lookup.find(caller(undefined), "DB", null)!;
  assert.ok(!("problem" in found));
  assert.equal(found.value.reveal(), "<widewide>");
  assert.deepEqual(found.used.map(({ name, value }) => [name, value]), [["DB", "wide"], ["MISSING", "<widewide>"]]);
  assert.equal(found.used.at(-1)!.id, missing);
});

Deno.test("a reference to a closed, sealed or unreadable value is a problem that names it, and an expiry ends the answer", () => {
  using it = data();
  const { set, caller, get, clock, store } = it;
  set("TOKEN", "secret value", { scope: "global" }, { expiresAt: clock.now + 1_000, onExpiry: "close" });
  set("HEADER", "Bearer ${TOKEN}", { scope: "global" }, EXPAND);
  const found = it.lookup.find(caller(undefined), "HEADER", null)!;
  assert.ok(!("problem" in found));
  assert.equal(found.until, clock.now + 1_000);
  clock.now += 1_000;
  assert.match(JSON.stringify(get(caller(undefined), "TOKEN")), /It expired at /);
  assert.match(JSON.stringify(get(caller(undefined), "HEADER")), /refers to TOKEN, which cannot be read: It expired/);
  const sealed = set("SEALED", "a sealed value");
  const row = store.secrets.find(sealed)!;
  store.secrets.update({ ...row, sealed: true, hosts: ["api.example.com"], now: clock.now });
  set("OF_SEALED", "${SEALED}", { scope: "global" }, EXPAND);
  assert.match(JSON.stringify(get(caller(undefined), "OF_SEALED")), /SEALED, which is sealed/);
});

Deno.test("a previous value ends with its overlap, where it is sent ahead, too", () => {
  using it = data();
  const { set, caller, clock, secrets, lookup } = it;
  const id = set("KEY", "one");
  secrets.update(OPERATOR, id, { value: "two", keepPreviousMs: 1_000 });
  const end = secrets.get(id).setAt + 1_000;
  const found = lookup.previous(caller(undefined), "KEY", null)!;
  assert.ok(!("problem" in found));
  assert.deepEqual([found.value.reveal(), found.until], ["one", end]);
  const observer = {
    ...{ asked: () => () => {}, needsQuestions: () => false, prefetched: () => {}, unreadable: () => {} },
    ...{ disclosed: () => {}, expired: () => {}, canaryRead: () => {}, canarySent: () => {} },
  };
  const broker = new SecretBroker<SealableCaller>(lookup, observer);
  const asked = { ...caller(undefined), sealed: undefined as never };
  const questions = [["previous", "KEY", null], ["versions", "KEY", null]] as const;
  const ahead = () => {
    const made = broker.prefetch(asked, questions)!;
    const answers = JSON.parse(made.json as string) as [string, string, null, unknown][];
    return { usableMs: made.usableMs, previous: answers[0]![3], versions: (answers[1]![3] as unknown[]).length };
  };
  clock.now = end - 10;
  assert.deepEqual(ahead(), { usableMs: 10, previous: "one", versions: 2 });
  clock.now = end;
  assert.deepEqual(ahead(), { usableMs: undefined, previous: null, versions: 1 });
});
