// `keyring …` on real data: what it tells, what it changes, and what a kill in the middle leaves.

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { Passphrase } from "../../src/config.ts";
import { KeyFile } from "../../src/keyring/key_file.ts";
import { createGroup, createKey, createSecret } from "../http/handlers.ts";
import { call, startServer } from "../http/server.ts";
import { type Home, makeHome } from "./cli.ts";

const FIRST = "the first passphrase";
const SECOND = "ein zweites Paßwort 🔑";

/** Data with a secret of each scope and two API keys, left by a server that was stopped. */
async function withData(home: Home): Promise<void> {
  await using server = await home.start();
  const groupId = await createGroup(server, "customers");
  const { id: keyId } = await createKey(server, groupId, "acme");
  await createSecret(server, "NAME", "global value");
  await createSecret(server, "NAME", "group value", { scope: "group", groupId });
  await createSecret(server, "NAME", "key value", { scope: "key", keyId });
}

/** Starts a server that must have all of `withData`, and stops it. */
async function assertReadable(home: Home, env: Record<string, string> = {}): Promise<string> {
  await using server = await home.start(env);
  const { body } = await server.api("GET", "/api/secrets?includeValues=true");
  assert.deepEqual(
    body.secrets.map((secret: { value: string }) => secret.value),
    ["global value", "group value", "key value"],
  );
  await server.stop();
  return server.logs();
}

/** What a server that must not start says. */
async function refusal(home: Home, env: Record<string, string> = {}): Promise<string> {
  try {
    await using _server = await startServer({ folder: home.path, env });
  } catch (error) {
    return /^The server ended with 1:\n([^\n]+)\n$/.exec((error as Error).message)![1]!;
  }
  assert.fail("It started.");
}

Deno.test("keyring status and verify tell versions, counts and that all can be read, beside a running server", async () => {
  await using home = makeHome();
  await withData(home);
  await using server = await home.start();
  const status = await home.cli(["keyring", "status", "--json"]);
  assert.equal(status.code, 0, status.stderr);
  const [{ createdAt }] = status.json.versions;
  assert.deepEqual(status.json, {
    keyFile: home.keyFile,
    wrapped: false,
    currentVersion: 1,
    versions: [{ version: 1, createdAt, current: true, values: 5 }],
    missing: [],
    damaged: 0,
  });
  const verified = await home.cli(["keyring", "verify", "--json"]);
  assert.deepEqual(verified.json, { checked: 5, readable: 5, unreadable: [] });
  assert.equal((await home.cli(["keyring", "verify"])).stdout, "Verified 5 values: all can be read.\n");

  assert.equal((await server.api("POST", "/api/encryption-keys/rotation")).status, 200);
  const rotated = await home.cli(["keyring", "status"]);
  assert.match(
    rotated.stdout,
    /^ {2}version 1 {2}created \S+ {2}0 values\n {2}version 2 {2}created \S+ {2}5 values {2}current$/m,
  );
});

Deno.test("keyring verify finds what was tampered with, by id and never by value", async () => {
  await using home = makeHome();
  await withData(home);
  await using server = await home.start();
  {
    // Somebody who can write to the database, but has no key.
    const db = new DatabaseSync(home.database);
    db.exec(`
      UPDATE secrets SET ciphertext = (SELECT ciphertext FROM secrets WHERE id = 1) WHERE id = 2;
      UPDATE secrets SET ciphertext = 'v7' || substr(ciphertext, 3) WHERE id = 3;
      UPDATE api_keys SET lookup = x'00' WHERE id = 2;
    `);
    db.close();
  }
  const verified = await home.cli(["keyring", "verify", "--json"]);
  assert.equal(verified.code, 1);
  const altered =
    "Encryption key version 1 does not decrypt the stored value: it was altered, moved, or encrypted with another key.";
  assert.deepEqual(verified.json, {
    checked: 5,
    readable: 2,
    unreadable: [
      { kind: "secret", id: 2, name: "NAME", scope: "group", ownerId: 2, problem: altered },
      {
        kind: "secret",
        id: 3,
        name: "NAME",
        scope: "key",
        ownerId: 2,
        problem: "Encryption key version 7 is not in the keyring.",
      },
      {
        kind: "apiKey",
        id: 2,
        name: "acme",
        groupId: 2,
        groupName: "customers",
        problem: "It cannot be found by its own value.",
      },
    ],
  });
  const text = await home.cli(["keyring", "verify"]);
  assert.match(
    text.stdout,
    /^Secret 2 "NAME" of group 2: [^\n]+\nSecret 3 [^\n]+\nAPI key 2 "acme" of group "customers": /,
  );
  assert.match(text.stdout, /^3 of 5 values cannot be read\.$/m);
  assert.doesNotMatch(text.stdout + verified.stdout, /global value|group value|key value|v1\.|cf_/);
  const status = await home.cli(["keyring", "status", "--json"]);
  assert.equal(status.code, 1);
  assert.deepEqual(status.json.missing, [{ version: 7, values: 1 }]);
  assert.equal((await server.api("GET", "/api/secrets/1?includeValues=true")).body.value, "global value");
});

Deno.test("keyring rotate and passphrase are refused with exit code 3 while a server runs", async () => {
  await using home = makeHome();
  await using _server = await home.start();
  home.write("new", FIRST);
  const rotate = await home.cli(["keyring", "rotate"]);
  assert.equal(rotate.code, 3);
  assert.match(
    rotate.stderr,
    /^DATA_DIR \S+ is in use by another server\. [^\n]*POST \/api\/encryption-keys\/rotation\.\n$/,
  );
  const passphrase = await home.cli(["keyring", "passphrase", "--new-passphrase-file", "new", "--json"]);
  assert.equal(passphrase.code, 3);
  assert.equal(passphrase.json.exitCode, 3);
  assert.match(passphrase.json.error, /Stop the server/);
});

Deno.test("keyring rotate re-encrypts everything while no server runs, also in a wrapped file", async () => {
  await using home = makeHome();
  await withData(home);
  const rotated = await home.cli(["keyring", "rotate", "--json"]);
  assert.equal(rotated.code, 0, rotated.stderr);
  assert.deepEqual(rotated.json, {
    currentVersion: 2,
    reencrypted: 5,
    unreadable: { values: 0, secrets: [], secretVersions: [], apiKeys: [] },
  });
  await assertReadable(home, { KEYRING_PASSPHRASE: FIRST });
  const env = { KEYRING_PASSPHRASE_FILE: home.write("passphrase", `${FIRST}\n`) };
  assert.equal((await home.cli(["keyring", "rotate"], env)).stdout, "Version 3 is current; 5 values re-encrypted.\n");
  const { wrapping, keys } = JSON.parse(readFileSync(home.keyFile, "utf8"));
  assert.equal(wrapping.kdf, "scrypt");
  assert.deepEqual(keys.map((key: object) => Object.keys(key)), Array(3).fill(["version", "wrapped", "createdAt"]));
  await assertReadable(home, env);
});

Deno.test("a passphrase is added, changed and removed, and between them the server starts with the right one only", async () => {
  await using home = makeHome();
  await withData(home);
  const plain = readFileSync(home.keyFile, "utf8");
  const secrets = [JSON.parse(plain).keys[0].key, JSON.parse(plain).lookupKey, FIRST, SECOND];
  const first = { KEYRING_PASSPHRASE: FIRST };
  const second = { KEYRING_PASSPHRASE_FILE: home.write("second", `${SECOND}\r\n`) };
  const tellsNothing = (text: string) => secrets.forEach((secret) => assert.ok(!text.includes(secret), text));

  const added = await home.cli(["keyring", "passphrase", "--json"], { NEW_KEYRING_PASSPHRASE: FIRST });
  assert.deepEqual(added.json, { keyFile: home.keyFile, wrapped: true, change: "added" });
  const wrapped = readFileSync(home.keyFile, "utf8");
  tellsNothing(wrapped + added.stdout + added.stderr);
  const missing = await refusal(home);
  assert.match(missing, /^\S+encryption-keys\.json is encrypted with a passphrase: set KEYRING_PASSPHRASE_FILE/);
  const wrong = await refusal(home, second);
  assert.match(wrong, /^\S+encryption-keys\.json cannot be decrypted with the passphrase of KEYRING_PASSPHRASE_FILE: /);
  tellsNothing(missing + wrong);
  assert.equal(readFileSync(home.keyFile, "utf8"), wrapped, "what cannot be opened stays as it is");
  tellsNothing(await assertReadable(home, first));
  assert.equal((await home.cli(["keyring", "status", "--json"])).json.wrapped, true, "no passphrase is asked for");
  const unread = await home.cli(["keyring", "verify"]);
  assert.equal(unread.code, 4);
  assert.match(unread.stderr, /^[^\n]+ is encrypted with a passphrase: [^\n]+\n$/);

  const change = ["keyring", "passphrase", "--new-passphrase-file", "second"];
  const refused = await home.cli(change, { KEYRING_PASSPHRASE: "not the right one" });
  assert.equal(refused.code, 4);
  assert.equal(readFileSync(home.keyFile, "utf8"), wrapped);
  const changed = await home.cli(change, first);
  assert.equal(changed.code, 0, changed.stderr);
  assert.match(changed.stdout, /is now encrypted with the new passphrase/);
  assert.match(await refusal(home, first), /cannot be decrypted with the passphrase of KEYRING_PASSPHRASE:/);
  await assertReadable(home, second);

  const removed = await home.cli(["keyring", "passphrase", "--remove", "--json"], second);
  assert.deepEqual(removed.json, { keyFile: home.keyFile, wrapped: false, change: "removed" });
  assert.equal(readFileSync(home.keyFile, "utf8"), plain, "the keys are those that they were");
  await assertReadable(home);
  assert.equal((await home.cli(["keyring", "passphrase", "--remove", "--json"])).json.change, "none");
});

Deno.test("a server with a passphrase wraps the key file at its start, and makes a new one wrapped", async () => {
  await using home = makeHome();
  await withData(home);
  const env = { KEYRING_PASSPHRASE: FIRST };
  assert.match(
    await assertReadable(home, env),
    /INFO {2}\S+encryption-keys\.json is now encrypted with the passphrase\./,
  );
  assert.ok("wrapping" in JSON.parse(readFileSync(home.keyFile, "utf8")));
  assert.doesNotMatch(await assertReadable(home, env), /from now on/);

  await using fresh = makeHome();
  await (await fresh.start(env)).stop();
  assert.ok("wrapping" in JSON.parse(readFileSync(fresh.keyFile, "utf8")));
  assert.ok(!existsSync(`${fresh.keyFile}.draft`));
});

Deno.test("a key file with the passphrase of another database's key file is not touched", async () => {
  await using home = makeHome();
  await using other = makeHome();
  for (const { start } of [home, other]) await (await start()).stop();
  await Deno.copyFile(other.keyFile, home.keyFile);
  const foreign = readFileSync(home.keyFile, "utf8");
  assert.match(await refusal(home, { KEYRING_PASSPHRASE: FIRST }), /is not the key file of the database next to it/);
  assert.equal(readFileSync(home.keyFile, "utf8"), foreign);
  const verified = await home.cli(["keyring", "verify"]);
  assert.equal(verified.code, 4);
  assert.match(verified.stderr, /is not the key file of the database next to it/);
});

Deno.test("killed while it changes the passphrase, the key file opens with the old one or the new one", async () => {
  await using home = makeHome();
  await (await home.start({ KEYRING_PASSPHRASE: FIRST })).stop();
  const { keyring } = new KeyFile(home.keyFile, new Passphrase(FIRST, "test"));
  const fingerprint = keyring.fingerprint();
  const seen = new Set<boolean>();
  let current = FIRST;
  const draft = () => existsSync(`${home.keyFile}.draft`);
  // While the new file is written beside the old one, and as soon as it is in its place.
  const inode = statSync(home.keyFile).ino;
  for (const reached of [draft, () => statSync(home.keyFile).ino !== inode]) {
    const next = current === FIRST ? SECOND : FIRST;
    const child = home.spawn(["keyring", "passphrase"], { KEYRING_PASSPHRASE: current, NEW_KEYRING_PASSPHRASE: next });
    // Looking without a pause: each of these states lasts a few milliseconds at most.
    const deadline = performance.now() + 10_000;
    while (!reached() && performance.now() < deadline);
    child.kill("SIGKILL");
    await child.output();
    const opens = (passphrase: string) => {
      try {
        return new KeyFile(home.keyFile, new Passphrase(passphrase, "test")).keyring.fingerprint() === fingerprint;
      } catch {
        return false;
      }
    };
    const changed = opens(next);
    assert.ok(changed || opens(current), readFileSync(home.keyFile, "utf8"));
    seen.add(changed);
    if (changed) current = next;
  }
  assert.ok(seen.has(true), "the second was killed after the change");
  await (await home.start({ KEYRING_PASSPHRASE: current })).stop();
  // A draft that a kill left is not in the way of the next change.
  new KeyFile(home.keyFile, new Passphrase(current, "test")).addKey(new Date());
  assert.ok(!existsSync(`${home.keyFile}.draft`));
});

Deno.test("the passphrase is in no process that the server starts", async () => {
  await using home = makeHome();
  await using server = await home.startProcess({ KEYRING_PASSPHRASE: FIRST });
  const seen = new Set<string>();
  // Between fork and exec a child is still the server itself, in its memory and by its name.
  const own = Deno.readTextFileSync(`/proc/${server.pid}/cmdline`).replaceAll("\0", " ");
  let looking = true;
  const look = (async () => {
    while (looking) {
      for (const { cmdline, environ } of descendants(server.pid)) {
        if (cmdline === own) continue;
        assert.ok(!environ.includes(FIRST), cmdline);
        seen.add(cmdline.includes(" info ") ? "builder" : "sandbox");
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  const code = "export default (c) => c.json(Object.keys(c.env ?? {}))";
  // A builder lives for a moment, which a look may miss.
  for (let saved = 0; saved === 0 || !seen.has("builder"); saved++) {
    await server.api("PUT", `/api/files/${saved}.ts`, code, { "Content-Type": "text/plain" });
  }
  await server.api("PUT", "/api/files/f.ts", code, { "Content-Type": "text/plain" });
  await server.api("POST", "/api/functions", { name: "f", handler: "f.ts", route: "/f" });
  const { status } = await call("GET", `${server.url}/run/f`);
  looking = false;
  await look;
  assert.equal(status, 200);
  assert.deepEqual([...seen].sort(), ["builder", "sandbox"]);
});

/** Command lines and environments of the processes that come from `pid`. */
function descendants(pid: number): { cmdline: string; environ: string }[] {
  const parents = new Map<number, number>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // proc_pid_stat(5): the name in parentheses may hold anything.
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It has ended meanwhile.
    }
  }
  const isBelow = (id: number | undefined): boolean => id !== undefined && (id === pid || isBelow(parents.get(id)));
  return [...parents].filter(([id, parent]) => id !== pid && isBelow(parent)).flatMap(([id]) => {
    try {
      const [cmdline, environ] = ["cmdline", "environ"].map((file) => Deno.readTextFileSync(`/proc/${id}/${file}`));
      return [{ cmdline: cmdline!.replaceAll("\0", " "), environ: environ! }];
    } catch {
      return [];
    }
  });
}

Deno.test("a bar is shown on a terminal, and nowhere else", async () => {
  await using home = makeHome();
  await withData(home);
  const plain = await home.cli(["keyring", "verify"]);
  assert.deepEqual([plain.stdout, plain.stderr], ["Verified 5 values: all can be read.\n", ""]);
  // script(1) runs a command in a terminal of its own.
  const shown = async (args: string[]) => {
    const command = home.words(args).map((word) => `'${word}'`).join(" ");
    const { stdout } = await new Deno.Command("script", {
      args: ["-qec", command, "/dev/null"],
      env: { DATA_DIR: home.dataDir, CODE_DIR: home.path, TERM: "xterm" },
      stdin: "null",
    }).output();
    return new TextDecoder().decode(stdout);
  };
  assert.match(await shown(["keyring", "verify"]), /Verifying .* 100% \| 5\/5/);
  assert.equal(JSON.parse(await shown(["keyring", "verify", "--json"])).readable, 5);
});
