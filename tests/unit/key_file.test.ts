// The key file is created once, checked whole and never written over; a value in the clear never prints itself.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { replaceFile } from "../../src/keyring/durable_file.ts";
import { KeyFileError, openKeyFile } from "../../src/keyring/key_file.ts";
import { SecretValue } from "../../src/keyring/secret_value.ts";
import { temporaryFolder } from "./temporary.ts";

const NOW = new Date("2026-01-02T03:04:05.678Z");
const key = () => randomBytes(32).toString("base64");

interface KeyFile {
  format: unknown;
  current: unknown;
  keys: unknown;
  lookupKey: unknown;
}

function validFile(): KeyFile & { keys: { version: number; key: string; createdAt: string }[] } {
  const createdAt = NOW.toISOString();
  return {
    format: 1,
    current: 2,
    keys: [{ version: 1, key: key(), createdAt }, { version: 2, key: key(), createdAt }],
    lookupKey: key(),
  };
}

/** Asserts that the file at `path`, with `text` in it, is refused by a message that names it and tells no key. */
function assertRefused(path: string, text: string, secrets: string[]): void {
  writeFileSync(path, text);
  for (const dataExists of [true, false]) {
    assert.throws(() => openKeyFile(path, dataExists, NOW), (error: Error) => {
      assert.ok(error instanceof KeyFileError, `${text} gave ${error}`);
      assert.ok(error.message.includes(path), error.message);
      assert.ok(!error.message.includes("\n"), "one line");
      for (const secret of secrets) {
        // Any quarter of it would be too much.
        for (let at = 0; at + 8 <= secret.length; at += 4) {
          assert.ok(!inspect(error).includes(secret.slice(at, at + 8)), error.message);
        }
      }
      return true;
    });
  }
  assert.equal(readFileSync(path, "utf8"), text, "the file is left as it is");
}

Deno.test("the first start creates a key file of mode 0600 in the documented form", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  const { keyring } = openKeyFile(path, false, NOW);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const file = JSON.parse(readFileSync(path, "utf8"));
  assert.deepEqual(Object.keys(file), ["format", "current", "keys", "lookupKey"]);
  assert.equal(file.format, 1);
  assert.equal(file.current, 1);
  assert.equal(file.keys.length, 1);
  assert.deepEqual(Object.keys(file.keys[0]), ["version", "key", "createdAt"]);
  assert.equal(file.keys[0].version, 1);
  assert.equal(file.keys[0].createdAt, NOW.toISOString());
  for (const text of [file.keys[0].key, file.lookupKey]) {
    assert.match(text, /^[A-Za-z0-9+/]{43}=$/);
    assert.equal(Buffer.from(text, "base64").length, 32);
  }
  assert.notEqual(file.keys[0].key, file.lookupKey);
  assert.equal(keyring.currentVersion, 1);
  assert.deepEqual(readdirSync(folder.path), ["encryption-keys.json"], "no draft is left");
});

Deno.test("two new key files share no key", () => {
  using folder = temporaryFolder();
  const keys = ["a", "b"].flatMap((name) => {
    openKeyFile(join(folder.path, name), false, NOW);
    const file = JSON.parse(readFileSync(join(folder.path, name), "utf8"));
    return [file.keys[0].key, file.lookupKey];
  });
  assert.equal(new Set(keys).size, 4);
});

Deno.test("an existing key file is read and never written over, whether there is data or not", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  const sealed = openKeyFile(path, false, NOW).keyring.seal("value", "aad");
  const before = readFileSync(path, "utf8");
  for (const dataExists of [false, true]) {
    assert.equal(openKeyFile(path, dataExists, new Date()).keyring.open(sealed, "aad").reveal(), "value");
    assert.equal(readFileSync(path, "utf8"), before);
  }
});

Deno.test("a key file of several versions opens what each of them sealed", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  const file = validFile();
  writeFileSync(path, JSON.stringify({ ...file, current: 1 }));
  const sealedByFirst = openKeyFile(path, true, NOW).keyring.seal("first", "aad");
  writeFileSync(path, JSON.stringify(file));
  const { keyring } = openKeyFile(path, true, NOW);
  assert.equal(keyring.currentVersion, 2);
  assert.match(sealedByFirst, /^v1\./);
  assert.match(keyring.seal("second", "aad"), /^v2\./);
  assert.equal(keyring.open(sealedByFirst, "aad").reveal(), "first");
});

Deno.test("a key file that others could read is closed to them", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  openKeyFile(path, false, NOW);
  chmodSync(path, 0o644);
  openKeyFile(path, true, NOW);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

Deno.test("a missing key file beside data stops the start and no new one is written", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  assert.throws(() => openKeyFile(path, true, NOW), (error: Error) => {
    assert.ok(error instanceof KeyFileError && error.message.includes(path), error.message);
    return true;
  });
  assert.deepEqual(readdirSync(folder.path), []);
});

Deno.test("a key file that is no valid key file is refused by name, without a word of its keys", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  const file = validFile();
  const [first, second] = file.keys;
  const secrets = [first!.key, second!.key, file.lookupKey as string];
  const whole = JSON.stringify(file, null, 2);
  const withKey = (text: string) => ({ ...file, keys: [first, { ...second, key: text }] });
  const short = randomBytes(31).toString("base64");
  const long = randomBytes(33).toString("base64");
  const wrong: Record<string, unknown> = {
    "another format": { ...file, format: 2 },
    "no format": { ...file, format: undefined },
    "a current version that keys does not hold": { ...file, current: 3 },
    "a current version that is text": { ...file, current: "2" },
    "a current version of 0": { ...file, current: 0 },
    "no current version": { ...file, current: undefined },
    "a version twice": { ...file, keys: [...file.keys, { ...second, key: key() }] },
    "no keys": { ...file, keys: [] },
    "keys that are no list": { ...file, keys: { ...first } },
    "a key of 31 bytes": withKey(short),
    "a key of 33 bytes": withKey(long),
    "an empty key": withKey(""),
    "a key in hexadecimal": withKey(randomBytes(32).toString("hex")),
    "a key in base64url": withKey(Buffer.alloc(32, 0xff).toString("base64url")),
    "a key with a space": withKey(` ${second!.key}`),
    "a key without padding": withKey(second!.key.replace("=", "")),
    "a key that is a number": { ...file, keys: [first, { ...second, key: 7 }] },
    "a time that is none": { ...file, keys: [first, { ...second, createdAt: "yesterday" }] },
    "no look-up key": { ...file, lookupKey: undefined },
    "a look-up key of 31 bytes": { ...file, lookupKey: short },
    "a field that nobody knows": { ...file, wrapped: "x" },
    "a list": [file],
    "null": null,
  };
  for (const [what, content] of Object.entries(wrong)) {
    try {
      assertRefused(path, JSON.stringify(content), [...secrets, short, long]);
    } catch (error) {
      throw new Error(`a key file with ${what}`, { cause: error });
    }
  }
  for (const garbage of ["", "{", "\0\0\0\0", "not json", `${whole}}`, `"${first!.key}"`, first!.key, "\ufeff"]) {
    assertRefused(path, garbage, secrets);
  }
  for (let length = 0; length < whole.length; length += 7) assertRefused(path, whole.slice(0, length), secrets);
  writeFileSync(path, whole);
  assert.equal(
    openKeyFile(path, true, NOW).keyring.currentVersion,
    2,
    "the file that all of them were made from is valid",
  );
});

Deno.test("a key file that cannot be read is refused and not replaced", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  mkdirSync(path);
  assert.throws(() => openKeyFile(path, false, NOW), (error: Error) => {
    assert.ok(error instanceof KeyFileError && error.message.includes(path), error.message);
    return true;
  });
  assert.ok(statSync(path).isDirectory());
});

Deno.test("a draft left by a crash is neither read nor in the way", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "encryption-keys.json");
  writeFileSync(`${path}.draft`, JSON.stringify(validFile()));
  assert.throws(() => openKeyFile(path, true, NOW), KeyFileError, "a draft is no key file");
  assert.equal(openKeyFile(path, false, NOW).keyring.currentVersion, 1);
  assert.ok(!existsSync(`${path}.draft`));
  const before = readFileSync(path, "utf8");
  writeFileSync(`${path}.draft`, "half a fi");
  openKeyFile(path, true, NOW);
  assert.equal(readFileSync(path, "utf8"), before);
});

Deno.test("a file that is replaced has mode 0600 from its first moment, and its new content whole", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.json");
  writeFileSync(path, "old", { mode: 0o644 });
  for (const text of ["new", "", "é🔑".repeat(100_000)]) {
    replaceFile(path, text);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(readFileSync(path, "utf8"), text);
    assert.deepEqual(readdirSync(folder.path), ["keys.json"]);
  }
});

Deno.test("a file that cannot be replaced stays as it was", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "keys.json");
  writeFileSync(path, "old");
  // A folder in the draft's place stands for a disk that takes no new file.
  mkdirSync(join(`${path}.draft`, "in the way"), { recursive: true });
  assert.throws(() => replaceFile(path, "new"));
  assert.equal(readFileSync(path, "utf8"), "old");
});

Deno.test("a secret value prints as [secret] however it is printed", () => {
  const value = new SecretValue("hunter2");
  const printed: Record<string, string> = {
    "String()": String(value),
    "a template": `${value}`,
    "joined to a text": "" + value,
    "an array's join": [value].join(),
    "JSON": JSON.stringify(value),
    "JSON of what holds it": JSON.stringify({ secrets: [{ value }] }),
    "Deno.inspect": Deno.inspect(value),
    "Deno.inspect of what holds it": Deno.inspect({ secrets: [{ value }] }, { depth: 10, showHidden: true }),
    "node's inspect": inspect(value),
    "node's inspect of what holds it": inspect({ secrets: [{ value }] }, { depth: 10, showHidden: true }),
    "an error's message": new Error(`cannot use ${value}`).message,
    "an error's stack": new Error(`cannot use ${value}`).stack!,
    "an error that carries it": Deno.inspect(Object.assign(new Error("no"), { value })),
    "an error's cause": Deno.inspect(new Error("no", { cause: value })),
  };
  for (const [how, text] of Object.entries(printed)) {
    assert.ok(!text.includes("hunter2"), `${how}: ${text}`);
    if (how !== "an error's stack") assert.ok(text.includes("[secret]"), `${how}: ${text}`);
  }
  assert.deepEqual(Object.getOwnPropertyNames(value), []);
  assert.deepEqual(Reflect.ownKeys(structuredClone(value)), [], "a copy for another isolate does not hold it");
  assert.equal(value.reveal(), "hunter2");
});

Deno.test("a secret value prints as [secret] on the real console", async () => {
  const script = `
    import { SecretValue } from ${JSON.stringify(new URL("../../src/keyring/secret_value.ts", import.meta.url).href)};
    const value = new SecretValue("hunter2");
    console.log("value:", value, { value }, [value], new Map([[value, value]]));
    console.log("%s %o %O %j %d %i %c", value, value, value, value, value, value, value);
    console.error(new Error(\`cannot use \${value}\`, { cause: value }));
    console.dir({ value }, { showHidden: true, depth: 10 });
    console.table([{ value }]);
    console.assert(false, value);
    throw value;
  `;
  const args = ["eval", "--no-config", "--no-lock", script];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } }).output();
  const printed = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.ok(!printed.includes("hunter2"), printed);
  assert.ok(printed.split("[secret]").length > 8, printed);
});
