// `backup`: database and key file as they belong together, copied beside a running server.

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Passphrase } from "../config.ts";
import { KeyFile, KeyFileError } from "../keyring/key_file.ts";
import { syncPath } from "../keyring/durable_file.ts";
import { RECORD_FILE, RecordFile } from "../keyring/generation_record.ts";
import { HeadError } from "../store/authenticated_rows.ts";
import { openSnapshot, type Snapshot } from "../store/snapshot.ts";
import { openVerification } from "../store/verification.ts";
import { type Command, type Context, EXIT, type Report, UsageError } from "./command.ts";
import { messageOf } from "../errors.ts";
import { counted, missingLines, missingVersions, recordIn, requirePair } from "./folder.ts";

export const DATABASE = "database.db";
export const KEY_FILE = "encryption-keys.json";
const LOCK_FILE = "imports.lock";
/** What a backup consists of; the last one only if packages were ever fetched. */
export const BACKED_UP = [DATABASE, KEY_FILE, RECORD_FILE, LOCK_FILE];

export const backupCommand: Command = {
  name: "backup",
  positionals: ["<dir>"],
  help: [
    "Copy database and key file, as they are at one moment, into a new folder.",
    "Works while the server runs. The handlers in CODE_DIR are not part of it. Whoever has the folder, and the",
    "passphrase if the key file has one, can read every secret.",
  ],
  async run(context, { positionals: [dir] }) {
    const folder = resolve(context.cwd, dir!);
    const had = prepare(folder);
    try {
      tellAudit(context, folder);
      const copy = () => context.progress("Copying", (report) => copyData(context, folder, report));
      let copied = await copy();
      // With encryption.retired-keys.keep-days at 0, a key can be gone as soon as a rotation has ended.
      if (copied.missing.length > 0) copied = await copy();
      const { values, missing } = copied;
      const files = BACKED_UP.filter((name) => existsSync(join(folder, name)))
        .map((name) => ({ name, sizeBytes: statSync(join(folder, name)).size }));
      return {
        code: missing.length > 0 ? EXIT.failed : EXIT.ok,
        json: { folder, files, values, missing },
        lines: [
          `${folder} holds ${counted(values, "value")} and the keys that open them:`,
          ...files.map(({ name, sizeBytes }) => `  ${name}  ${counted(sizeBytes, "byte")}`),
          ...missingLines(missing),
          `The handlers in ${context.config.codeDir} are not part of it.`,
        ],
      };
    } catch (error) {
      // Half a backup must not look like one.
      if (had) clear(folder);
      else rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  },
};

/** Makes the folder, or takes one that is empty; whether it was there. */
function prepare(folder: string): boolean {
  const had = existsSync(folder);
  if (had && (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)) {
    throw new UsageError(`${folder} is there already and not an empty folder. A backup needs a new one.`);
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  return had;
}

/**
 * Before the copy, which holds the entry, too. A backup that cannot be told of, from a full disk or a medium that
 * cannot be written, is better than none.
 */
function tellAudit(context: Context, folder: string): void {
  const { database, keyFile, config } = context;
  if (!existsSync(database) || !existsSync(keyFile)) return;
  try {
    const file = new KeyFile(keyFile, config.keyringPassphrase);
    {
      using snapshot = openSnapshot(database);
      // A backup does not bring the schema forward, and the copy tells if the two do not belong together.
      if (!snapshot.isCurrent || !snapshot.isOf(file.keyring)) return;
    }
    recordIn(context, database, file, {
      action: "backup.created",
      subject: { kind: "backup", id: null, name: folder },
    });
  } catch (error) {
    context.note(`The audit has no entry of this backup: ${messageOf(error)}`);
  }
}

function clear(folder: string): void {
  for (const name of BACKED_UP) rmSync(join(folder, name), { force: true });
}

async function copyData({ database, keyFile, config }: Context, folder: string, report: Report) {
  clear(folder);
  {
    using snapshot = openSnapshot(database);
    await snapshot.copyTo(join(folder, DATABASE), report);
  }
  // After the database: a key is in the file before it is used, and stays for long after its last use. So a
  // key file that is newer than the database opens all of it; an older one might lack a key.
  copyFile(keyFile, join(folder, KEY_FILE));
  const lockFile = join(config.dataDir, LOCK_FILE);
  if (existsSync(lockFile)) copyFile(lockFile, join(folder, LOCK_FILE));
  const checked = checkPair(folder, config.keyringPassphrase);
  writeRecord(folder, config.keyringPassphrase);
  for (const path of [...BACKED_UP.map((name) => join(folder, name)), folder, resolve(folder, "..")]) {
    if (existsSync(path)) syncPath(path);
  }
  return checked;
}

/** Of the copied database, so that a server can start on the backup and `restore` finds if it was altered since. */
function writeRecord(folder: string, passphrase: Passphrase | undefined): void {
  const { keyring } = new KeyFile(join(folder, KEY_FILE), passphrase);
  const database = join(folder, DATABASE);
  {
    using snapshot = openSnapshot(database);
    if (!snapshot.isAuthenticated) return;
  }
  try {
    using verification = openVerification(database, keyring);
    new RecordFile(join(folder, RECORD_FILE), keyring).write(verification.head);
  } catch (error) {
    // A database whose head was altered is still worth a backup; `restore` reports it.
    if (!(error instanceof HeadError)) throw error;
  }
}

/** Copies a small file with mode 0600, as it is at one moment. */
export function copyFile(from: string, to: string): void {
  if (!existsSync(from)) throw new KeyFileError(`There is no ${from}.`);
  writeFileSync(to, readFileSync(from), { flag: "wx", mode: 0o600 });
}

/**
 * Opens what a folder holds: the key file with the passphrase, the database, and asks whether they belong
 * together.
 * @throws KeyFileError, DataFolderError
 */
export function checkPair(folder: string, passphrase: Passphrase | undefined) {
  const keyFile = join(folder, KEY_FILE);
  const file = new KeyFile(keyFile, passphrase);
  using snapshot: Snapshot = openSnapshot(join(folder, DATABASE));
  requirePair(snapshot, file.keyring, keyFile);
  const held = file.versions().map(({ version }) => version);
  return { values: snapshot.count(), missing: missingVersions(snapshot.countByVersion(), held) };
}
