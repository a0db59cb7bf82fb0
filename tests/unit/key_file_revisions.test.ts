// Revisions of a cluster's keyring: each change is a text that is adopted later, by its author as by others.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Passphrase } from "../../src/config.ts";
import { KeyFile, KeyFileError, leaveRevisions, openKeyFile, writeKeyFile } from "../../src/keyring/key_file.ts";
import { temporaryFolder } from "./temporary.ts";

const NOW = new Date("2026-01-02T03:04:05.678Z");
const PASSPHRASE = new Passphrase("correct horse battery", "KEYRING_PASSPHRASE");
const OTHER = new Passphrase("another horse battery", "KEYRING_PASSPHRASE");

/** Returns two nodes with the first revision of one keyring, each with a file of its own. */
function twoNodes(folder: string): { paths: [string, string]; nodes: [KeyFile, KeyFile]; text: string } {
  const paths: [string, string] = [join(folder, "a"), join(folder, "b")];
  const single = openKeyFile(join(folder, "single"), false, NOW);
  const { text, revision } = single.asFirstRevision(PASSPHRASE);
  assert.equal(revision, 1);
  const nodes = paths.map((path) => writeKeyFile(path, text, PASSPHRASE, "the cluster")) as [KeyFile, KeyFile];
  assert.equal(nodes[0].keyring.fingerprint(), single.keyring.fingerprint());
  return { paths, nodes, text };
}

Deno.test("a key is added, made current and dropped in steps that every node adopts", () => {
  using folder = temporaryFolder();
  const { paths, nodes, text } = twoNodes(folder.path);
  const [a, b] = nodes;
  const adopt = (text: string) => nodes.forEach((node) => node.adopt(text));

  const added = a.withKey(NOW, 0, [2]);
  assert.equal(added.version, 3, "a version that values have is not used again");
  assert.equal(a.keyring.has(3), false, "a draft is not in use");
  assert.equal(readFileSync(paths[0], "utf8"), text, "nor on disk");
  adopt(added.text);
  for (const node of nodes) {
    assert.deepEqual([node.keyring.currentVersion, node.keyring.has(3), node.pendingVersion], [1, true, 3]);
  }
  const old = b.keyring.seal("value", "aad");

  adopt(b.withCurrent(3).text);
  assert.deepEqual(nodes.map(({ keyring }) => keyring.currentVersion), [3, 3]);
  assert.equal(a.pendingVersion, undefined);
  const sealed = b.keyring.seal("value", "aad");
  assert.match(sealed, /^v3\./);
  assert.equal(a.keyring.open(sealed, "aad").reveal(), "value");
  assert.equal(a.keyring.open(old, "aad").reveal(), "value");

  adopt(a.withoutKeys([1]).text);
  assert.deepEqual(nodes.map((node) => node.versions().map(({ version }) => version)), [[3], [3]]);
  assert.deepEqual(nodes.map(({ revision }) => revision), [4, 4]);
  assert.equal(readFileSync(paths[0], "utf8"), readFileSync(paths[1], "utf8"));
  assert.equal(new KeyFile(paths[1], PASSPHRASE).revision, 4, "the next start continues");
  assert.throws(() => a.withoutKeys([3]), /current/);
});

Deno.test("an earlier revision changes nothing, and one of another keyring is refused", () => {
  using folder = temporaryFolder();
  const { paths, nodes: [a], text } = twoNodes(folder.path);
  const later = a.withKey(NOW).text;
  a.adopt(later);
  for (const earlier of [text, later]) {
    a.adopt(earlier);
    assert.equal(readFileSync(paths[0], "utf8"), later);
  }
  const foreign = openKeyFile(join(folder.path, "foreign"), false, NOW);
  const plain = { ...JSON.parse(readFileSync(foreign.path, "utf8")), revision: 9, mac: "0".repeat(64) };
  assert.throws(() => a.adopt(JSON.stringify(plain)), /no passphrase/);
  const other = writeKeyFile(join(folder.path, "other"), foreign.asFirstRevision(PASSPHRASE).text, PASSPHRASE, "it");
  for (let n = 0; n < 2; n++) other.adopt(other.withKey(NOW).text);
  assert.throws(() => a.adopt(readFileSync(other.path, "utf8")), KeyFileError);
  assert.equal(readFileSync(paths[0], "utf8"), later);
});

Deno.test("a new passphrase is for the next start: keys that need it earlier are refused with what to do", () => {
  using folder = temporaryFolder();
  const { paths, nodes: [a, b] } = twoNodes(folder.path);
  const sealed = b.keyring.seal("value", "aad");
  const changed = a.withPassphrase(OTHER).text;
  b.adopt(changed);
  assert.equal(b.keyring.open(sealed, "aad").reveal(), "value", "running nodes go on");
  assert.ok(b.hasNewPassphrase);
  assert.throws(() => b.withKey(NOW), /passphrase.*was changed.*restart/, "but change nothing more");
  assert.throws(() => new KeyFile(paths[1], PASSPHRASE), /another passphrase/);

  const restarted = writeKeyFile(paths[0], changed, OTHER, "the cluster");
  const added = restarted.withKey(NOW).text;
  assert.throws(() => b.adopt(added), /passphrase.*was changed.*restart/);
  assert.equal(readFileSync(paths[1], "utf8"), changed);
  const joined = new KeyFile(paths[1], OTHER);
  joined.adopt(added);
  assert.equal(joined.keyring.has(2), true);
});

Deno.test("a keyring from elsewhere is written only if the passphrase opens it", () => {
  using folder = temporaryFolder();
  const { text } = twoNodes(folder.path);
  const path = join(folder.path, "c");
  for (const [given, passphrase] of [[text, OTHER], ["{}", PASSPHRASE], [text.slice(1), PASSPHRASE]] as const) {
    assert.throws(() => writeKeyFile(path, given, passphrase, "the keyring in PostgreSQL"), (error: Error) => {
      assert.ok(error instanceof KeyFileError);
      assert.match(error.message, /^the keyring in PostgreSQL/);
      return true;
    });
    assert.throws(() => readFileSync(path), /ENOENT|No such file/);
  }
});

Deno.test("a revision of which anything was altered is refused", () => {
  using folder = temporaryFolder();
  const { nodes: [a] } = twoNodes(folder.path);
  a.adopt(a.withKey(NOW).text);
  const text = a.withCurrent(2).text;
  // deno-lint-ignore no-explicit-any
  const changes: ((file: any) => void)[] = [
    (file) => file.current = 1,
    (file) => file.keys.shift(),
    (file) => file.keys.reverse(),
    (file) => file.keys[0].createdAt = "2020-01-01T00:00:00.000Z",
    (file) => file.revision++,
    (file) => file.mac = "0".repeat(64),
    (file) => delete file.mac,
  ];
  for (const change of changes) {
    const file = JSON.parse(text);
    change(file);
    assert.throws(() => a.adopt(JSON.stringify(file)), KeyFileError, String(change));
  }
  const first = { ...JSON.parse(text) };
  delete first.revision;
  assert.throws(
    () => writeKeyFile(join(folder.path, "x"), JSON.stringify(first), PASSPHRASE, "the keyring"),
    /the keyring was altered/,
  );
  a.adopt(text);
  assert.equal(a.keyring.currentVersion, 2);
});

Deno.test("a node's file becomes that of a single server, with the same keys", () => {
  using folder = temporaryFolder();
  const { paths: [path], nodes: [a] } = twoNodes(folder.path);
  const sealed = a.keyring.seal("value", "aad");
  leaveRevisions(path);
  assert.equal("revision" in JSON.parse(readFileSync(path, "utf8")), false);
  assert.equal(new KeyFile(path, PASSPHRASE).keyring.open(sealed, "aad").reveal(), "value");
});
