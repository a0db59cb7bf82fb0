// Implements `restore`: replaces the data with a backup. The replaced data is moved aside, never deleted.

import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { syncPath } from "../keyring/durable_file.ts";
import { KeyFile } from "../keyring/key_file.ts";
import { DataFolderError, lockDataFolder, RESTORE_FOLDER } from "../store/data_folder.ts";
import { openSnapshot } from "../store/snapshot.ts";
import { BLOBS, copyBlobs } from "../store/blobs.ts";
import { BACKED_UP, checkPair, copyFile, DATABASE, KEY_FILE } from "./backup.ts";
import { type Command, type Context, type Report, UsageError } from "./command.ts";
import { counted, missingLines, refuseNode, takeLock } from "./folder.ts";
import { prepareData, requireUnaltered, type RestoreOptions, type Revoked } from "./restored_data.ts";

/** Logs and metrics of the replaced data: they refer to functions by ids that the new data may use again. */
const OBSERVATIONS = "observations.db";
/** All files of the replaced data. */
const REPLACED = [
  ...BACKED_UP,
  BLOBS,
  OBSERVATIONS,
  ...[DATABASE, OBSERVATIONS].flatMap((name) => [`${name}-wal`, `${name}-shm`]),
];

export const restoreCommand: Command = {
  name: "restore",
  positionals: ["<dir>"],
  options: {
    revive: { type: "boolean", help: "keep API keys and users that were revoked after the backup" },
    "accept-altered": { type: "boolean", help: "restore rows that something other than this program altered" },
    force: { type: "boolean", help: "replace existing data, which is moved into a folder next to the new data" },
  },
  help: [
    "Replace the data with a backup.",
    "The server must be stopped. Nothing is changed before the backup was verified: the database can be opened, the key",
    "file belongs to it, no key is missing, and no row was altered. Sessions and password links end; API keys and users",
    "that were revoked after the backup are listed and stay revoked.",
  ],
  async run(context, { positionals: [dir], options }) {
    const { dataDir } = context.config;
    const source = resolve(context.cwd, dir!);
    for (const name of [DATABASE, KEY_FILE]) {
      if (!existsSync(join(source, name))) throw new UsageError(`${source} is not a backup: ${name} is missing.`);
    }
    refuseNode(
      context,
      "Restore the backup into another folder, with a DATA_DIR of its own, and move that into an empty cluster by " +
        "migrate-to-cluster.",
    );
    const unlock = takeLock(() => lockDataFolder(dataDir), "Stop the server before you restore.");
    try {
      const old = REPLACED.filter((name) => existsSync(join(dataDir, name)));
      if (old.length > 0 && !options.force) {
        throw new DataFolderError(`${dataDir} contains data (${old.join(", ")}). With --force it is moved aside.`);
      }
      const draft = join(dataDir, "restore.draft");
      const wanted = {
        source,
        acceptAltered: options["accept-altered"] === true,
        revive: options.revive === true,
      };
      const { values, revoked } = await context.progress(
        "Restoring",
        (report) => prepare(context, wanted, draft, report),
      );
      const aside = old.length > 0 ? newFolderName(dataDir, context.now()) : undefined;
      exchange(dataDir, draft, old, aside);
      return {
        json: { restored: source, values, replaced: aside ?? null, [wanted.revive ? "revived" : "revoked"]: revoked },
        lines: [
          `Restored ${counted(values, "value")} to ${dataDir}. All sessions and password links have ended.`,
          ...revokedLines(revoked, wanted.revive),
          ...(aside ? [`The replaced data is in ${aside}.`] : []),
        ],
      };
    } finally {
      unlock();
    }
  },
};

/** Copies the backup into the folder `draft` and prepares it there; returns the number of its values. */
async function prepare(
  context: Context,
  options: RestoreOptions,
  draft: string,
  report: Report,
): Promise<{ values: number; revoked: Revoked }> {
  const { source } = options;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  try {
    {
      // Not as a file: a database that was copied manually may have a write-ahead log next to it.
      using snapshot = openSnapshot(join(source, DATABASE));
      await snapshot.copyTo(join(draft, DATABASE), report);
    }
    for (const name of BACKED_UP) {
      if (name !== DATABASE && existsSync(join(source, name))) copyFile(join(source, name), join(draft, name));
    }
    copyBlobs(source, draft);
    const { values, missing } = checkPair(draft, context.config.keyringPassphrase);
    if (missing.length > 0) {
      throw new DataFolderError(`${source} was not restored. ${missingLines(missing).join(" ")}`);
    }
    const keyFile = new KeyFile(join(draft, KEY_FILE), context.config.keyringPassphrase);
    const database = join(draft, DATABASE);
    await requireUnaltered(database, draft, keyFile, options);
    const current = existsSync(context.database) ? context.database : undefined;
    const revoked = prepareData(context, database, keyFile, current, options);
    for (const name of readdirSync(draft)) syncPath(join(draft, name));
    syncPath(draft);
    return { values, revoked };
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

function revokedLines({ keys, users }: Revoked, revived: boolean): string[] {
  const what = revived ? "is valid again" : "stays revoked";
  return [
    ...keys.map(({ id, name, group }) =>
      `API key ${id} ${JSON.stringify(name)} of group ${JSON.stringify(group)} ${what}.`
    ),
    ...users.map((email) => `User ${email} ${revived ? "can sign in again" : "stays removed"}.`),
  ];
}

/**
 * Moves the files named `old` into the folder `aside`, and replaces them by those of `draft`. Meanwhile a marker folder,
 * which `openDataFolder` checks for, prevents servers from starting on a mixture.
 */
function exchange(dataDir: string, draft: string, old: readonly string[], aside: string | undefined): void {
  const pending = join(dataDir, RESTORE_FOLDER);
  mkdirSync(pending, { recursive: true, mode: 0o700 });
  syncPath(dataDir);
  if (aside) {
    mkdirSync(aside, { mode: 0o700 });
    for (const name of old) renameSync(join(dataDir, name), join(aside, name));
    syncPath(aside);
  }
  for (const name of readdirSync(draft)) renameSync(join(draft, name), join(dataDir, name));
  syncPath(dataDir);
  rmdirSync(draft);
  rmdirSync(pending);
  syncPath(dataDir);
}

/** Returns a path such as `replaced-2026-01-31T12-00-00Z`, followed by a number if it exists. */
function newFolderName(dataDir: string, now: Date): string {
  const name = join(dataDir, `replaced-${now.toISOString().slice(0, 19).replaceAll(":", "-")}Z`);
  let free = name;
  for (let n = 2; existsSync(free); n++) free = `${name}-${n}`;
  return free;
}
