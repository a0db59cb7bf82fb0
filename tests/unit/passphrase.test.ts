// A passphrase over the key file: the format as documented, each key in its own place, and no file that asks for
// too little or too much.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createDecipheriv, scryptSync } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { Passphrase } from "../../src/config.ts";
import { inspectKeyFile, KeyFile, KeyFileError, openKeyFile } from "../../src/keyring/key_file.ts";
import { kdfSchema, newWrappingKey, unwrap, wrap } from "../../src/keyring/passphrase.ts";
import { temporaryFolder } from "./temporary.ts";

const NOW = new Date("2026-01-02T03:04:05.678Z");
const TEXT = "correct horse 🔑 battery";
const PASSPHRASE = new Passphrase(TEXT, "KEYRING_PASSPHRASE");

// deno-lint-ignore no-explicit-any
type Json = any;

/** Asserts that the file at `path` with this content is refused, by name, with no word of its keys, and untouched. */
function assertRefused(path: string, content: Json, message: RegExp): void {
  const text = JSON.stringify(content);
  writeFileSync(path, text);
  assert.throws(() => openKeyFile(path, true, NOW, PASSPHRASE), (error: Error) => {
    assert.ok(error instanceof KeyFileError, `${error.stack}`);
    assert.match(error.message, message);
    assert.ok(error.message.startsWith(path) && !error.message.includes("\n"), error.message);
    for (const secret of [TEXT, content.keys[0].wrapped, content.lookupKey.wrapped]) {
      if (secret) assert.ok(!error.message.includes(secret), error.message);
    }
    return true;
  });
  assert.equal(readFileSync(path, "utf8"), text);
}

Deno.test("a wrapped key file can be read by what docs/encryption.md says, and opens what the plain one sealed", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  const plain = openKeyFile(path, false, NOW);
  const { keys: [{ key }], lookupKey } = JSON.parse(readFileSync(path, "utf8"));
  const sealed = plain.keyring.seal("value", "aad");
  const fingerprint = plain.keyring.fingerprint();
  assert.ok(!plain.isWrapped);
  plain.wrapWith(PASSPHRASE);
  assert.ok(plain.isWrapped);
  assert.equal(statSync(path).mode & 0o777, 0o600);

  const file = JSON.parse(readFileSync(path, "utf8"));
  const { kdf, N, r, p, salt } = file.wrapping;
  assert.deepEqual({ kdf, N, r, p }, { kdf: "scrypt", N: 131_072, r: 8, p: 1 });
  const wrappingKey = scryptSync(Buffer.from(TEXT, "utf8"), Buffer.from(salt, "base64"), 32, {
    N,
    r,
    p,
    maxmem: 256 * 2 ** 20,
  });
  const unwrapped = (wrapped: string, aad: string) => {
    const bytes = Buffer.from(wrapped, "base64");
    const decipher = createDecipheriv("aes-256-gcm", wrappingKey, bytes.subarray(0, 12));
    decipher.setAAD(Buffer.from(aad)).setAuthTag(bytes.subarray(-16));
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString("base64");
  };
  assert.equal(unwrapped(file.keys[0].wrapped, "keyring:key:1"), key);
  assert.equal(unwrapped(file.lookupKey.wrapped, "keyring:lookup-key"), lookupKey);

  assert.equal(plain.addKey(NOW), 2, "a key added to a wrapped file is wrapped with it");
  const reopened = new KeyFile(path, PASSPHRASE);
  assert.deepEqual(reopened.versions().map(({ version }) => version), [1, 2]);
  assert.equal(reopened.keyring.open(sealed, "aad").reveal(), "value");
  assert.equal(reopened.keyring.open(plain.keyring.seal("newer", "aad"), "aad").reveal(), "newer");
  assert.equal(reopened.keyring.fingerprint(), fingerprint);
  const text = readFileSync(path, "utf8");
  assert.ok(!text.includes(key) && !text.includes(lookupKey));
  assert.equal(JSON.parse(text).wrapping.salt, salt);
  assert.notEqual(JSON.parse(text).lookupKey.wrapped, file.lookupKey.wrapped, "each time with a nonce of its own");
  assert.deepEqual(inspectKeyFile(path).keys.map(({ version }) => version), [1, 2]);

  reopened.wrapWith(undefined);
  assert.equal(JSON.parse(readFileSync(path, "utf8")).keys[0].key, key);
});

Deno.test("a wrapped key in another's place, altered, or with another passphrase is refused, and the file stays", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  openKeyFile(path, false, NOW, PASSPHRASE).addKey(NOW);
  const whole = readFileSync(path, "utf8");
  const file = (): Json => JSON.parse(whole);
  const changed = (change: (file: Json) => void) => {
    const copy = file();
    change(copy);
    return copy;
  };
  const altered = (text: string) => {
    const bytes = Buffer.from(text, "base64");
    bytes[20]! ^= 1;
    return bytes.toString("base64");
  };
  const swapped = changed(({ keys: [a, b] }) => [a.wrapped, b.wrapped] = [b.wrapped, a.wrapped]);
  assertRefused(path, swapped, /its key of version 1 cannot be decrypted/);
  assertRefused(path, changed((f) => f.keys[1].wrapped = altered(f.keys[1].wrapped)), /its key of version 2 cannot be/);
  assertRefused(path, changed((f) => f.keys[1].version = 3), /current: is a version that is not in keys/);
  assertRefused(
    path,
    changed((f) => f.lookupKey.wrapped = f.keys[0].wrapped),
    /with the passphrase of KEYRING_PASSPHRASE/,
  );
  const otherSalt = Buffer.alloc(16, 1).toString("base64");
  assertRefused(path, changed((f) => f.wrapping.salt = otherSalt), /with the passphrase of KEYRING_PASSPHRASE: /);

  writeFileSync(path, whole);
  assert.throws(() => new KeyFile(path, undefined), /is encrypted with a passphrase: set KEYRING_PASSPHRASE_FILE/);
  const wrong = new Passphrase(`${TEXT} `, "KEYRING_PASSPHRASE_FILE");
  assert.throws(
    () => new KeyFile(path, wrong),
    /with the passphrase of KEYRING_PASSPHRASE_FILE: it has another passphrase/,
  );
  assert.equal(readFileSync(path, "utf8"), whole);
});

Deno.test("a file whose parameters are too weak, or would take all memory, is refused before any is taken", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  const salt = Buffer.alloc(16).toString("base64");
  const wrapped = Buffer.alloc(60).toString("base64");
  const good = { kdf: "scrypt", N: 2 ** 17, r: 8, p: 1, salt };
  assert.ok(kdfSchema.safeParse(good).success);
  assert.ok(kdfSchema.safeParse({ ...good, N: 2 ** 20 }).success);
  assert.ok(kdfSchema.safeParse({ ...good, p: 8 }).success);
  const bad: Record<string, unknown>[] = [
    { N: 2 ** 16 },
    { N: 2 ** 21 },
    { N: 2 ** 20, r: 16 },
    { N: 2 ** 17 + 1 },
    { N: 2 ** 40 },
    { N: "131072" },
    { N: 131_072.5 },
    { r: 7 },
    { r: 2 ** 20 },
    { p: 0 },
    { p: 9 },
    { kdf: "pbkdf2" },
    { salt: "" },
    { salt: Buffer.alloc(15).toString("base64") },
    { more: 1 },
  ];
  for (const change of bad) {
    const file = {
      format: 1,
      current: 1,
      wrapping: { ...good, ...change },
      keys: [{ version: 1, wrapped, createdAt: NOW.toISOString() }],
      lookupKey: { wrapped },
    };
    assertRefused(path, file, /is not a valid key file: wrapping/);
  }
  const halfPlain = {
    format: 1,
    current: 1,
    wrapping: good,
    keys: [{ version: 1, key: Buffer.alloc(32).toString("base64"), createdAt: NOW.toISOString() }],
    lookupKey: { wrapped },
  };
  assertRefused(path, halfPlain, /keys\.0/);
});

Deno.test("wrapping the same key twice gives different texts, each of which opens", () => {
  const wrapping = newWrappingKey(PASSPHRASE);
  const key = newWrappingKey(PASSPHRASE).key;
  assert.ok(!key.equals(wrapping.key), "each wrapping key has a salt of its own");
  const texts = Array.from({ length: 100 }, () => wrap(wrapping, key, "aad"));
  assert.equal(new Set(texts).size, 100);
  for (const text of texts) assert.ok(unwrap(wrapping, text, "aad").equals(key));
  assert.throws(() => unwrap(wrapping, texts[0]!, "aae"));
});

Deno.test("a passphrase does not print itself", () => {
  for (
    const text of [String(PASSPHRASE), `${PASSPHRASE}`, JSON.stringify({ PASSPHRASE }), Deno.inspect({ PASSPHRASE })]
  ) {
    assert.ok(!text.includes("horse"), text);
  }
  assert.ok(!inspect(PASSPHRASE, { showHidden: true }).includes("horse"));
  assert.equal(new TextDecoder().decode(PASSPHRASE.bytes()), TEXT);
});
