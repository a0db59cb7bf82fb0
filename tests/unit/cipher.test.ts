// The cipher against NIST's known answers, and what must hold for every value sealed with it.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import type { FunctionId, GroupId, KeyId, SecretName } from "../../src/ids.ts";
import { apiKeyAad, secretAad } from "../../src/keyring/aad.ts";
import { decode, decrypt, encode, encrypt } from "../../src/keyring/cipher.ts";
import { DecryptionError, Keyring } from "../../src/keyring/keyring.ts";
import vectors from "../fixtures/aes_256_gcm_vectors.json" with { type: "json" };

const bytes = (hex: string) => Buffer.from(hex, "hex");
const newKey = () => createSecretKey(randomBytes(32));
const keyring = new Keyring(new Map([[1, newKey()], [7, newKey()]]), 7, newKey());
const AAD = "secrets:global:0:NAME";

/** Any well-formed text of 1 to 16,384 bytes: control characters, emoji, all scripts. */
const text = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 300 }),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 100 }),
  fc.tuple(fc.constantFrom("\0", "a", "é", "€", "🔑", "\u{10FFFF}"), fc.integer({ min: 1, max: 16_384 })).map(
    ([unit, length]) => unit.repeat(Math.max(1, Math.floor(length / Buffer.byteLength(unit)))),
  ),
);

const doesNotOpen = (stored: string, aad: string) => assert.throws(() => keyring.open(stored, aad), DecryptionError);

Deno.test("encryption gives NIST's ciphertexts and tags, and decryption their plaintexts", () => {
  assert.ok(vectors.encrypt.length >= 15);
  for (const { key, iv, pt, aad, ct, tag } of vectors.encrypt) {
    const secret = createSecretKey(bytes(key));
    const sealed = encrypt(secret, bytes(pt), bytes(aad), bytes(iv));
    assert.equal(Buffer.from(sealed).toString("hex"), iv + ct + tag);
    assert.equal(Buffer.from(decrypt(secret, sealed, bytes(aad))).toString("hex"), pt);
  }
});

Deno.test("decryption gives NIST's plaintexts and refuses what NIST marks as failing", () => {
  assert.ok(vectors.decrypt.filter(({ pt }) => pt === null).length >= 5);
  for (const { key, iv, pt, aad, ct, tag } of vectors.decrypt) {
    const open = () => decrypt(createSecretKey(bytes(key)), bytes(iv + ct + tag), bytes(aad));
    if (pt === null) assert.throws(open, `tag ${tag}`);
    else assert.equal(Buffer.from(open()).toString("hex"), pt);
  }
});

Deno.test("the vectors themselves hold for node:crypto used directly", () => {
  for (const { key, iv, pt, aad, ct, tag } of vectors.encrypt) {
    const cipher = createCipheriv("aes-256-gcm", bytes(key), bytes(iv)).setAAD(bytes(aad));
    assert.equal(cipher.update(pt, "hex", "hex") + cipher.final("hex"), ct);
    assert.equal(cipher.getAuthTag().toString("hex"), tag);
  }
  for (const { key, iv, pt, aad, ct, tag } of vectors.decrypt) {
    const decipher = createDecipheriv("aes-256-gcm", bytes(key), bytes(iv)).setAAD(bytes(aad)).setAuthTag(bytes(tag));
    const open = () => decipher.update(ct, "hex", "hex") + decipher.final("hex");
    if (pt === null) assert.throws(open);
    else assert.equal(open(), pt);
  }
});

Deno.test("any text comes back as it was sealed", () => {
  fc.assert(fc.property(text, fc.string(), (value, aad) => {
    fc.pre(Buffer.byteLength(value) <= 16_384);
    assert.equal(keyring.open(keyring.seal(value, aad), aad).reveal(), value);
  }));
  for (const value of ["\0", "a\0b", "🔑", "\uFEFFmark", "\u2028", "x".repeat(16_384), "€".repeat(5_461)]) {
    assert.equal(keyring.open(keyring.seal(value, AAD), AAD).reveal(), value);
  }
});

Deno.test("a stored value is v<version>. and base64 of 12 + n + 16 bytes", () => {
  fc.assert(fc.property(text, (value) => {
    const [, version, base64] = /^v([0-9]+)\.((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/.exec(
      keyring.seal(value, AAD),
    )!;
    assert.equal(version, "7");
    assert.equal(Buffer.from(base64!, "base64").length, 12 + Buffer.byteLength(value) + 16);
  }));
});

Deno.test("a value with any bit flipped does not open", () => {
  const value = "every bit counts";
  const { version, sealed } = decode(keyring.seal(value, AAD));
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const altered = Uint8Array.from(sealed);
    altered[bit >> 3]! ^= 1 << (bit & 7);
    doesNotOpen(encode(version, altered), AAD);
  }
  assert.equal(keyring.open(encode(version, sealed), AAD).reveal(), value);
});

Deno.test("a value does not open under any other AAD", () => {
  const stored = keyring.seal("value", AAD);
  const others = ["", "secrets:global:0:name", "secrets:global:0:NAM", "secrets:function:0:NAME", `${AAD}\0`];
  for (const aad of others) doesNotOpen(stored, aad);
  fc.assert(fc.property(fc.string({ unit: "binary" }), (aad) => {
    fc.pre(aad !== AAD);
    doesNotOpen(stored, aad);
  }));
});

Deno.test("a value does not open under another key version than its own", () => {
  const base64 = keyring.seal("value", AAD).slice("v7.".length);
  for (const prefix of ["v1.", "v2.", "v77.", "v0.", "v07.", "v-7.", "v7.0.", "v 7.", "V7.", "7.", "v.", "v7", ""]) {
    doesNotOpen(prefix + base64, AAD);
  }
  assert.equal(keyring.open(`v7.${base64}`, AAD).reveal(), "value");
});

Deno.test("a value cut off anywhere does not open", () => {
  const stored = keyring.seal("truncate me", AAD);
  for (let length = 0; length < stored.length; length++) doesNotOpen(stored.slice(0, length), AAD);
  const { version, sealed } = decode(stored);
  for (let length = 0; length < sealed.length; length++) doesNotOpen(encode(version, sealed.subarray(0, length)), AAD);
});

Deno.test("a value has one base64 text only: any other spelling of the same bytes does not open", () => {
  // 12 + 2 + 16 = 30 bytes need no padding, 29 need "=", 31 need "==": each is spelt otherwise.
  for (const value of ["1", "22", "333"]) {
    const stored = keyring.seal(value, AAD);
    const base64 = stored.slice("v7.".length);
    const spellings = [
      `${base64} `,
      ` ${base64}`,
      `${base64}\n`,
      `${base64.slice(0, 8)}\n${base64.slice(8)}`,
      `${base64}=`,
      `${base64}A`,
      base64.replaceAll("=", ""),
      base64.replaceAll("+", "-").replaceAll("/", "_"),
      `${base64}!`,
    ];
    // The bits that padding leaves over must be zero.
    const last = base64.replaceAll("=", "").length - 1;
    if (base64.endsWith("=")) {
      const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
      const next = alphabet[alphabet.indexOf(base64[last]!) + 1]!;
      spellings.push(base64.slice(0, last) + next + base64.slice(last + 1));
    }
    for (const spelling of spellings) if (spelling !== base64) doesNotOpen(`v7.${spelling}`, AAD);
  }
});

Deno.test("what is no stored value is damaged, not a crash", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^v[0-9]{0,12}\.?[A-Za-z0-9+/=]*$/)),
      (stored) => {
        doesNotOpen(stored, AAD);
      },
    ),
  );
  for (const stored of ["v123", "v7", "v1234567", "v7.", "."]) {
    assert.throws(() => decode(stored + "\n"));
    doesNotOpen(stored, AAD);
  }
  assert.throws(() => decode("v123"), "a version without a dot is no version");
});

Deno.test("the authenticated data are the documented texts: changing one makes stored values unreadable", () => {
  const name = "DB_url" as SecretName;
  assert.equal(secretAad({ scope: "global" }, name), "secrets:global:0:DB_url");
  assert.equal(secretAad({ scope: "function", functionId: 12 as FunctionId }, name), "secrets:function:12:DB_url");
  assert.equal(secretAad({ scope: "group", groupId: 12 as GroupId }, name), "secrets:group:12:DB_url");
  assert.equal(secretAad({ scope: "key", keyId: 12 as KeyId }, name), "secrets:key:12:DB_url");
  assert.equal(apiKeyAad(12 as GroupId, "a:b"), "api-keys:12:a:b");
});

Deno.test("10,000 seals of one value use 10,000 nonces", () => {
  const nonces = new Set<string>();
  for (let n = 0; n < 10_000; n++) {
    nonces.add(Buffer.from(decode(keyring.seal("same", AAD)).sealed.subarray(0, 12)).toString("hex"));
  }
  assert.equal(nonces.size, 10_000);
});

Deno.test("a value sealed under an old key still opens, and new ones are sealed under the current one", () => {
  const [first, second, lookup] = [newKey(), newKey(), newKey()];
  const before = new Keyring(new Map([[1, first]]), 1, lookup);
  const after = new Keyring(new Map([[1, first], [2, second]]), 2, lookup);
  assert.equal(after.open(before.seal("old", AAD), AAD).reveal(), "old");
  assert.match(after.seal("new", AAD), /^v2\./);
  assert.throws(() => before.open(after.seal("new", AAD), AAD), /version 2 is not in the keyring/);
});

Deno.test("why a value does not open never quotes it", () => {
  const stored = keyring.seal("hunter2", AAD);
  for (const bad of [stored.slice(0, -4), `v2.${stored.slice(3)}`, `x${stored}`]) {
    assert.throws(() => keyring.open(bad, AAD), (error: Error) => {
      assert.ok(!error.message.includes(stored.slice(3, 20)) && !error.message.includes("hunter2"));
      return true;
    });
  }
});

Deno.test("the look-up of a value is the same each time, and depends on value and look-up key", () => {
  const other = new Keyring(new Map([[1, newKey()]]), 1, newKey());
  assert.deepEqual(keyring.lookup("key"), keyring.lookup("key"));
  assert.equal(keyring.lookup("key").length, 32);
  assert.notDeepEqual(keyring.lookup("key"), keyring.lookup("Key"));
  assert.notDeepEqual(keyring.lookup("key"), other.lookup("key"));
});
