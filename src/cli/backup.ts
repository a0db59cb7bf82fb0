// Implements `backup`: copies the database and the key file consistently, while a server may be running.

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Passphrase } from "../config.ts";
import { inspectKeyFile, KeyFile, KeyFileError } from "../keyring/key_file.ts";
import { syncPath } from "../keyring/durable_file.ts";
import { RECORD_FILE, RecordFile } from "../keyring/generation_record.ts";
import { HeadError } from "../store/rows_head.ts";
import { openSnapshot, type Snapshot } from "../store/snapshot.ts";
import { openVerification } from "../store/verification.ts";
import { BLOBS, copyBlobs } from "../store/blobs.ts";
import { type Command, type Context, EXIT, type Report, UsageError } from "./command.ts";
import { messageOf } from "../errors.ts";
import { counted, missingLines, missingVersions, recordIn, requirePair } from "./folder.ts";

export const DATABASE = "database.db";
export const KEY_FILE = "encryption-keys.json";
const LOCK_FILE = "imports.lock";
/** The files of a backup; the last one exists only in data of earlier versions. */
export const BACKED_UP = [DATABASE, KEY_FILE, RECORD_FILE, LOCK_FILE];

export const backupCommand: Command = {
  name: "backup",
  positionals: ["<dir>"],
  help: [
    "Copy the database and the key file consistently into a new folder.",
    "Works while the server runs. The versions of the code are included, the folder CODE_DIR is not. Anyone who has the",
    "backup, and the passphrase if the key file has one, can read every secret.",
  ],
  async run(context, { positionals: [dir] }) {
    const folder = resolve(context.cwd, dir!);
    const existed = prepare(folder);
    try {
      recordBackup(context, folder);
      const copy = () => context.progress("Copying", (report) => copyData(context, folder, report));
      let copied = await copy();
      // With encryption.retired-keys.keep-days at 0, a key may be dropped as soon as a rotation has ended.
      if (copied.missing.length > 0) copied = await copy();
      const { values, missing } = copied;
      const contents = copyBlobs(context.config.dataDir, folder);
      const files = BACKED_UP.filter((name) => existsSync(join(folder, name)))
        .map((name) => ({ name, sizeBytes: statSync(join(folder, name)).size }));
      return {
        code: missing.length > 0 ? EXIT.failed : EXIT.ok,
        json: { folder, files, values, contents, missing },
        lines: [
          `${folder} contains ${counted(values, "value")} and the keys that decrypt them:`,
          ...files.map(({ name, sizeBytes }) => `  ${name}  ${counted(sizeBytes, "byte")}`),
          ...missingLines(missing),
          `It also contains ${
            counted(contents, "content")
          } of the code's versions. ${context.config.codeDir} is not included.`,
        ],
      };
    } catch (error) {
      // An incomplete backup must not look like a complete one.
      if (existed) clear(folder);
      else rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  },
};

/** Creates the folder, or accepts an empty one; returns whether it existed. */
function prepare(folder: string): boolean {
  const existed = existsSync(folder);
  if (existed && (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)) {
    throw new UsageError(`${folder} exists and is not an empty folder. A backup needs a new or empty folder.`);
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  return existed;
}

/**
 * Records the backup in the audit before the copy, so that the copy contains the entry, too. A backup that cannot be
 * recorded, such as from a full or read-only disk, is better than none.
 */
function recordBackup(context: Context, folder: string): void {
  const { database, keyFile, config } = context;
  if (!existsSync(database) || !existsSync(keyFile)) return;
  if (inspectKeyFile(keyFile).isOfCluster) {
    context.note("A backup of a node of a cluster is not recorded in the audit.");
    return;
  }
  try {
    const file = new KeyFile(keyFile, config.keyringPassphrase);
    {
      using snapshot = openSnapshot(database);
      // A backup does not upgrade the schema, and the check of the copy reports a key file of another database.
      if (!snapshot.isCurrent || !snapshot.isOf(file.keyring)) return;
    }
    recordIn(context, database, file, {
      action: "backup.created",
      subject: { kind: "backup", id: null, name: folder },
    });
  } catch (error) {
    context.note(`This backup could not be recorded in the audit: ${messageOf(error)}`);
  }
}

function clear(folder: string): void {
  for (const name of [...BACKED_UP, BLOBS]) rmSync(join(folder, name), { recursive: true, force: true });
}

async function copyData({ database, keyFile, config }: Context, folder: string, report: Report) {
  clear(folder);
  {
    using snapshot = openSnapshot(database);
    await snapshot.copyTo(join(folder, DATABASE), report);
  }
  // After the database: a key is written to the file before it is used, and kept long after its last use. So a key file
  // that is newer than the database decrypts all of it; an older one might lack a key.
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

/** Writes the record of the copied database, so that a server can start on it and `restore` detects later changes. */
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
    // A backup is useful even if the head was altered; `restore` reports that.
    if (!(error instanceof HeadError)) throw error;
  }
}

/** Copies a small file in one read, with mode 0600. */
export function copyFile(from: string, to: string): void {
  if (!existsSync(from)) throw new KeyFileError(`There is no ${from}.`);
  writeFileSync(to, readFileSync(from), { flag: "wx", mode: 0o600 });
}

/**
 * Opens the key file and the database of a folder and checks that they belong together. Returns the number of values,
 * and those whose keys are missing.
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
