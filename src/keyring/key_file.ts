// Reads, checks, creates and replaces encryption-keys.json. Nothing else handles keys as text.

import { Buffer } from "node:buffer";
import { createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from "node:crypto";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import type { Passphrase } from "../config.ts";
import { DerivedKey } from "./derived_key.ts";
import { replaceFile } from "./durable_file.ts";
import { VERSION_MAX } from "./cipher.ts";
import { Keyring } from "./keyring.ts";
import {
  derive,
  type Kdf,
  kdfSchema,
  newWrappingKey,
  unwrap,
  wrap,
  wrapAad,
  wrappedSchema,
  type WrappingKey,
} from "./passphrase.ts";

const KEY_BYTES = 32;

const keyText = z.string().refine((text) => {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === KEY_BYTES && bytes.toString("base64") === text;
}, `must be ${KEY_BYTES} bytes in base64`);

const version = z.int().min(1);
const createdAt = z.iso.datetime();
/**
 * Counts the changes of a cluster's keyring; a file of a single server has none. The MAC covers everything else in the
 * file, of which the passphrase protects each key alone: which one is current, and that none is left out.
 */
const revisions = {
  revision: z.int().min(1).optional(),
  mac: z.string().regex(/^[0-9a-f]{64}$/).optional(),
};

const plainSchema = z.strictObject({
  format: z.literal(1),
  current: version,
  keys: z.array(z.strictObject({ version, key: keyText, createdAt })).min(1),
  lookupKey: keyText,
  ...revisions,
}).superRefine(checkVersions);

const wrappedFileSchema = z.strictObject({
  format: z.literal(1),
  current: version,
  wrapping: kdfSchema,
  keys: z.array(z.strictObject({ version, wrapped: wrappedSchema, createdAt })).min(1),
  lookupKey: z.strictObject({ wrapped: wrappedSchema }),
  ...revisions,
}).superRefine(checkVersions);

/** The content of a file without or with a passphrase; only the latter has `wrapping`. */
type FileText = z.infer<typeof plainSchema> | z.infer<typeof wrappedFileSchema>;

function checkVersions(file: { current: number; keys: { version: number }[] }, context: z.RefinementCtx): void {
  const versions = file.keys.map((key) => key.version);
  if (new Set(versions).size !== versions.length) {
    context.addIssue({ code: "custom", path: ["keys"], message: "contains a version twice" });
  }
  if (!versions.includes(file.current)) {
    context.addIssue({ code: "custom", path: ["current"], message: "is a version that is not in keys" });
  }
}

/** A problem with the key file that the operator has to fix; the message names the file. */
export class KeyFileError extends Error {}

/** The keyring of the cluster is encrypted with another passphrase than this process was given. */
export class PassphraseChangedError extends KeyFileError {}

/** The content of the file as objects. */
interface Contents {
  readonly current: number;
  readonly keys: ReadonlyMap<number, { readonly key: KeyObject; readonly createdAt: string }>;
  readonly lookupKey: KeyObject;
  /** The key that the file's keys are encrypted with; undefined if they are not encrypted. */
  readonly wrapping: WrappingKey | undefined;
  /** Undefined outside of a cluster. */
  readonly revision: number | undefined;
}

/** A changed content of the file that is not in use yet. */
export interface KeyFileDraft {
  readonly text: string;
  readonly revision: number;
}

/** The key file of a running program. Keys are written to the file before they are used. */
export class KeyFile {
  readonly #path: string;
  #contents: Contents;
  /** Whether the file on disk is encrypted with a passphrase that this process does not have. */
  #hasNewPassphrase = false;
  /** The same object while the program runs. */
  readonly keyring: Keyring;

  /** @throws KeyFileError if the file does not exist or cannot be decrypted with the passphrase */
  constructor(path: string, passphrase: Passphrase | undefined, contents: Contents = read(path, passphrase)) {
    this.#path = path;
    this.#contents = contents;
    this.keyring = new Keyring(keysOf(this.#contents), this.#contents.current, this.#contents.lookupKey);
  }

  get path(): string {
    return this.#path;
  }

  /** Returns the versions in order, with the times at which their keys were created, in ISO 8601. */
  versions(): { version: number; createdAt: string }[] {
    return [...this.#contents.keys].map(([version, { createdAt }]) => ({ version, createdAt }))
      .sort((a, b) => a.version - b.version);
  }

  /**
   * Adds a new key and makes it current. Its version is above all versions in the file and above `last`, and is none of
   * `taken`: to reuse a version would make the values of its earlier key permanently unreadable.
   * @throws errors of the file system; the keyring is then unchanged
   */
  addKey(now: Date, last = 0, taken: readonly number[] = []): number {
    const { keys, version } = this.#withNewKey(now, last, taken);
    this.#replace({ ...this.#contents, current: version, keys });
    return version;
  }

  /**
   * Permanently deletes keys other than the current one. The caller has to make sure that nothing needs them.
   * @throws errors of the file system; the keyring is then unchanged
   */
  dropKeys(versions: readonly number[]): void {
    const keys = this.#without(versions);
    if (keys.size < this.#contents.keys.size) this.#replace({ ...this.#contents, keys });
  }

  /** The number of changes in the cluster; 0 outside of one. */
  get revision(): number {
    return this.#contents.revision ?? 0;
  }

  /** The version of a key that was added and never made current, as the first step of a rotation in a cluster does. */
  get pendingVersion(): number | undefined {
    const newest = Math.max(...this.#contents.keys.keys());
    return newest > this.#contents.current ? newest : undefined;
  }

  /** Returns the file as the first revision of a cluster's keyring, encrypted with the passphrase. */
  asFirstRevision(passphrase: Passphrase): KeyFileDraft {
    return this.#draft({ ...this.#contents, wrapping: newWrappingKey(passphrase) });
  }

  /** Returns the next revision with one more key, which is not current; versions as for `addKey`. */
  withKey(now: Date, last = 0, taken: readonly number[] = []): KeyFileDraft & { readonly version: number } {
    const { keys, version } = this.#withNewKey(now, last, taken);
    return { ...this.#draft({ ...this.#contents, keys }), version };
  }

  /** Returns the next revision, of which another key is current. */
  withCurrent(version: number): KeyFileDraft {
    if (!this.#contents.keys.has(version)) throw new Error(`there is no encryption key of version ${version}`);
    return this.#draft({ ...this.#contents, current: version });
  }

  /** Returns the next revision without some keys, as `dropKeys`. */
  withoutKeys(versions: readonly number[]): KeyFileDraft {
    return this.#draft({ ...this.#contents, keys: this.#without(versions) });
  }

  /** Returns the next revision, encrypted with another passphrase. */
  withPassphrase(passphrase: Passphrase): KeyFileDraft {
    return this.#draft({ ...this.#contents, wrapping: newWrappingKey(passphrase) });
  }

  /**
   * Puts a later revision of the same keyring on disk and then in use; an earlier one changes nothing. The caller has
   * checked where it is from. One that is encrypted with a new passphrase is put on disk for the next start; its keys
   * stay as they are. Returns whether it was later.
   * @throws PassphraseChangedError if it has both a new passphrase and other keys; KeyFileError if it belongs to another
   *   keyring or was altered
   */
  adopt(text: string): boolean {
    const name = "The keyring of the cluster";
    const file = parse(text, name);
    if ((file.revision ?? 0) <= this.revision) return false;
    if (!("wrapping" in file)) throw new KeyFileError(`${name} has no passphrase.`);
    const { wrapping } = this.#contents;
    if (wrapping && !isSameKdf(file.wrapping, wrapping.kdf)) {
      this.#adoptUnread(file, text);
      return true;
    }
    const contents = contentsOf(file, name, undefined, wrapping);
    if (!contents.lookupKey.equals(this.#contents.lookupKey)) throw new KeyFileError(`${name} is another one.`);
    replaceFile(this.#path, text);
    this.#use(contents);
    return true;
  }

  #adoptUnread(file: z.infer<typeof wrappedFileSchema>, text: string): void {
    const { current, keys } = this.#contents;
    const isSame = file.current === current && file.keys.length === keys.size &&
      file.keys.every(({ version }) => keys.has(version));
    if (!isSame) throw this.#outdated();
    replaceFile(this.#path, text);
    this.#contents = { ...this.#contents, revision: file.revision };
    this.#hasNewPassphrase = true;
  }

  #outdated(): PassphraseChangedError {
    return new PassphraseChangedError(
      "The passphrase of the cluster's keyring was changed. Set KEYRING_PASSPHRASE_FILE or KEYRING_PASSPHRASE to the " +
        "new one and restart this server.",
    );
  }

  #draft(contents: Contents): KeyFileDraft {
    if (this.#hasNewPassphrase) throw this.#outdated();
    const revision = this.revision + 1;
    return { text: serialize({ ...contents, revision }), revision };
  }

  #withNewKey(now: Date, last: number, taken: readonly number[]): { keys: Contents["keys"]; version: number } {
    let version = Math.max(last, ...this.#contents.keys.keys()) + 1;
    while (taken.includes(version)) version++;
    if (version > VERSION_MAX) throw new Error(`versions above ${VERSION_MAX} are not possible`);
    const added = { key: newKey(), createdAt: now.toISOString() };
    return { keys: new Map([...this.#contents.keys, [version, added]]), version };
  }

  #without(versions: readonly number[]): Contents["keys"] {
    if (versions.includes(this.#contents.current)) throw new Error("the current encryption key cannot be dropped");
    return new Map([...this.#contents.keys].filter(([version]) => !versions.includes(version)));
  }

  get hasNewPassphrase(): boolean {
    return this.#hasNewPassphrase;
  }

  get isWrapped(): boolean {
    return this.#contents.wrapping !== undefined;
  }

  /**
   * Encrypts the file's keys with this passphrase instead of any earlier one, or stores them unencrypted without one.
   * @throws errors of the file system; the file is then unchanged
   */
  wrapWith(passphrase: Passphrase | undefined): void {
    this.#replace({ ...this.#contents, wrapping: passphrase && newWrappingKey(passphrase) });
  }

  /** Replaces the file before the keys in memory, so that no key in use can be lost in a crash. */
  #replace(contents: Contents): void {
    replaceFile(this.#path, serialize(contents));
    this.#use(contents);
  }

  #use(contents: Contents): void {
    this.#contents = contents;
    this.keyring.switchTo(keysOf(contents), contents.current);
  }
}

/**
 * Opens the key file at `path`. Creates it if it does not exist and `dataExists` is false, encrypted if a passphrase is
 * given. A new file is on disk before this returns, so that no key in use can be lost.
 * @throws KeyFileError if the file is missing although there is data, unreadable or invalid; it is then left unchanged
 */
export function openKeyFile(path: string, dataExists: boolean, now: Date, passphrase?: Passphrase): KeyFile {
  if (!existsSync(path)) {
    if (dataExists) {
      throw new KeyFileError(
        `${path} is missing, but there is a database next to it. Restore the key file from your backup; ` +
          "without it the secrets and API keys in the database cannot be read.",
      );
    }
    const first = { key: newKey(), createdAt: now.toISOString() };
    const wrapping = passphrase && newWrappingKey(passphrase);
    const contents = { current: 1, keys: new Map([[1, first]]), lookupKey: newKey(), wrapping, revision: undefined };
    replaceFile(path, serialize(contents));
  }
  return new KeyFile(path, passphrase);
}

/**
 * Opens the key file at `path` with a text that came from elsewhere, which is written once the passphrase decrypted it
 * and `check` accepted it.
 * @throws KeyFileError naming `source`, or what `check` throws; nothing is then written
 */
export function writeKeyFile(
  path: string,
  text: string,
  passphrase: Passphrase,
  source: string,
  check: (file: KeyFile) => void = () => {},
): KeyFile {
  const file = new KeyFile(path, passphrase, contentsOf(parse(text, source), source, passphrase));
  check(file);
  replaceFile(path, text);
  return file;
}

/** Makes the key file of a node that of a single server; any other one stays as it is. */
export function leaveRevisions(path: string): void {
  if (!inspectKeyFile(path).isOfCluster) return;
  const { revision: _revision, mac: _mac, ...file } = parse(readText(path), path);
  replaceFile(path, textOf(file as FileText));
}

/** What can be read from a key file without its passphrase. */
export interface KeyFileFacts {
  readonly current: number;
  readonly keys: readonly { readonly version: number; readonly createdAt: string }[];
  /** How the wrapping key is derived from the passphrase; undefined if the file has none. */
  readonly kdf: Kdf | undefined;
  /** Whether it is of a node of a cluster. */
  readonly isOfCluster: boolean;
}

/** @throws KeyFileError */
export function inspectKeyFile(path: string): KeyFileFacts {
  const file = parse(readText(path), path);
  return {
    current: file.current,
    keys: file.keys.map(({ version, createdAt }) => ({ version, createdAt })).sort((a, b) => a.version - b.version),
    kdf: "wrapping" in file ? file.wrapping : undefined,
    isOfCluster: file.revision !== undefined,
  };
}

function read(path: string, passphrase: Passphrase | undefined): Contents {
  const contents = contentsOf(parse(readText(path), path), path, passphrase);
  chmodSync(path, 0o600);
  return contents;
}

/** `wrapping` is used instead of deriving the same key again. @throws KeyFileError naming `path` */
function contentsOf(
  file: FileText,
  path: string,
  passphrase: Passphrase | undefined,
  wrapping?: WrappingKey,
): Contents {
  const contents = "wrapping" in file ? unwrapped(file, path, passphrase, wrapping) : {
    current: file.current,
    keys: new Map(file.keys.map(({ version, key, createdAt }) => [version, { key: keyObject(key), createdAt }])),
    lookupKey: keyObject(file.lookupKey),
    wrapping: undefined,
    revision: file.revision,
  };
  requireMac(file, path, contents.lookupKey);
  return contents;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new KeyFileError(
      `${path} cannot be read (${(error as { code?: string }).code}). Restore the key file from your backup.`,
    );
  }
}

/** @throws KeyFileError naming `path` */
function parse(text: string, path: string): FileText {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's own message would quote the text, which may contain keys.
    throw new KeyFileError(`${path} is not JSON. Restore the key file from your backup.`);
  }
  const isWrapped = typeof json === "object" && json !== null && "wrapping" in json;
  const parsed = isWrapped ? wrappedFileSchema.safeParse(json) : plainSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue!.path.join(".") || "the file";
    throw new KeyFileError(
      `${path} is not a valid key file: ${where}: ${issue!.message}. Restore it from your backup.`,
    );
  }
  return parsed.data;
}

/** @throws KeyFileError naming `path` and the source of the passphrase */
function unwrapped(
  file: z.infer<typeof wrappedFileSchema>,
  path: string,
  passphrase: Passphrase | undefined,
  known?: WrappingKey,
): Contents {
  if (!passphrase && !known) {
    throw new KeyFileError(
      `${path} is encrypted with a passphrase: set KEYRING_PASSPHRASE_FILE to a file that contains it, or set ` +
        "KEYRING_PASSPHRASE.",
    );
  }
  const wrapping = known ?? derive(passphrase!, file.wrapping);
  const open = (wrapped: string, aad: string, problem: string): KeyObject => {
    try {
      return unwrap(wrapping, wrapped, aad);
    } catch {
      throw new KeyFileError(`${path} ${problem}`);
    }
  };
  const lookupKey = open(
    file.lookupKey.wrapped,
    wrapAad.lookupKey,
    `cannot be decrypted with the passphrase${
      passphrase ? ` of ${passphrase.source}` : ""
    }: it has another passphrase, or was altered.`,
  );
  const keys = file.keys.map(({ version, wrapped, createdAt }) => {
    const problem = `was altered: its key of version ${version} cannot be decrypted. Restore it from your backup.`;
    return [version, { key: open(wrapped, wrapAad.key(version), problem), createdAt }] as const;
  });
  return { current: file.current, keys: new Map(keys), lookupKey, wrapping, revision: file.revision };
}

function isSameKdf(a: Kdf, b: Kdf): boolean {
  return a.N === b.N && a.r === b.r && a.p === b.p && a.salt === b.salt;
}

function serialize({ current, keys, lookupKey, wrapping, revision }: Contents): string {
  const list = [...keys].map(([version, { key, createdAt }]) => ({ version, key, createdAt }));
  const file: FileText = wrapping
    ? {
      format: 1,
      current,
      wrapping: wrapping.kdf,
      keys: list.map(({ version, key, createdAt }) => (
        { version, wrapped: wrap(wrapping, key, wrapAad.key(version)), createdAt }
      )),
      lookupKey: { wrapped: wrap(wrapping, lookupKey, wrapAad.lookupKey) },
    }
    : {
      format: 1,
      current,
      keys: list.map(({ version, key, createdAt }) => ({ version, key: base64Of(key), createdAt })),
      lookupKey: base64Of(lookupKey),
    };
  if (revision === undefined) return textOf(file);
  const revised = { ...file, revision };
  return textOf({ ...revised, mac: macOf(revised, lookupKey) });
}

function macOf({ mac: _, ...file }: FileText, lookupKey: KeyObject): string {
  return new DerivedKey(lookupKey, "cluster keyring").hexMac(JSON.stringify(file));
}

/** @throws KeyFileError naming `path` if the file is a revision and was altered */
function requireMac(file: FileText, path: string, lookupKey: KeyObject): void {
  if (file.revision === undefined && file.mac === undefined) return;
  const [found, expected] = [file.mac ?? "", macOf(file, lookupKey)].map((text) => Buffer.from(text, "hex"));
  if (found!.length === expected!.length && timingSafeEqual(found!, expected!)) return;
  throw new KeyFileError(`${path} was altered: it does not match its MAC.`);
}

function textOf(file: FileText): string {
  return JSON.stringify(file, null, 2) + "\n";
}

function keysOf({ keys }: Contents): Map<number, KeyObject> {
  return new Map([...keys].map(([version, { key }]) => [version, key]));
}

function newKey(): KeyObject {
  return keyOf(randomBytes(KEY_BYTES));
}

function keyObject(base64: string): KeyObject {
  return keyOf(Buffer.from(base64, "base64"));
}

/** Returns a key of these bytes and overwrites them. */
function keyOf(bytes: Uint8Array): KeyObject {
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

function base64Of(key: KeyObject): string {
  return key.export().toString("base64");
}
