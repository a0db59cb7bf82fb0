// `restore`: puts a backup in the data folder's place. What was there is moved aside, never deleted.

import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { syncPath } from "../keyring/durable_file.ts";
import { KeyFile } from "../keyring/key_file.ts";
import { DataFolderError, lockDataFolder, RESTORE_FOLDER } from "../store/data_folder.ts";
import { openSnapshot } from "../store/snapshot.ts";
import { BACKED_UP, checkPair, copyFile, DATABASE, KEY_FILE } from "./backup.ts";
import { type Command, type Context, type Report, UsageError } from "./command.ts";
import { counted, missingLines, recordIn, takeLock } from "./folder.ts";

/** What was observed of the data that is replaced: it names functions by ids that the new data may give again. */
const OBSERVATIONS = "observations.db";
/** All that belongs to the data which is replaced. */
const REPLACED = [
  ...BACKED_UP,
  OBSERVATIONS,
  ...[DATABASE, OBSERVATIONS].flatMap((name) => [`${name}-wal`, `${name}-shm`]),
];

export const restoreCommand: Command = {
  name: "restore",
  positionals: ["<dir>"],
  options: {
    force: { type: "boolean", help: "replace data that is there; it is moved into a folder beside the new data" },
  },
  help: [
    "Put a backup in place of the data.",
    "The server must be stopped. Nothing is touched before the backup has proved to be whole: the database opens,",
    "the key file is its own, and no key is missing.",
  ],
  async run(context, { positionals: [dir], options }) {
    const { dataDir } = context.config;
    const source = resolve(context.cwd, dir!);
    for (const name of [DATABASE, KEY_FILE]) {
      if (!existsSync(join(source, name))) throw new UsageError(`${source} is no backup: it has no ${name}.`);
    }
    const unlock = takeLock(() => lockDataFolder(dataDir), "Stop the server before you restore.");
    try {
      const old = REPLACED.filter((name) => existsSync(join(dataDir, name)));
      if (old.length > 0 && !options.force) {
        throw new DataFolderError(`${dataDir} holds data (${old.join(", ")}). With --force it is moved aside.`);
      }
      const draft = join(dataDir, "restore.draft");
      const values = await context.progress("Restoring", (report) => prepare(context, source, draft, report));
      const aside = old.length > 0 ? newFolderName(dataDir, context.now()) : undefined;
      exchange(dataDir, draft, old, aside);
      return {
        json: { restored: source, values, replaced: aside ?? null },
        lines: [
          `${dataDir} holds the backup's ${counted(values, "value")}.`,
          ...(aside ? [`What was there is in ${aside}.`] : []),
        ],
      };
    } finally {
      unlock();
    }
  },
};

/** Copies the backup into the folder `draft` and checks it there; how many values it has. */
async function prepare(context: Context, source: string, draft: string, report: Report): Promise<number> {
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  try {
    {
      // Not as a file: one that was copied by hand may have a log of changes beside it.
      using snapshot = openSnapshot(join(source, DATABASE));
      await snapshot.copyTo(join(draft, DATABASE), report);
    }
    for (const name of BACKED_UP) {
      if (name !== DATABASE && existsSync(join(source, name))) copyFile(join(source, name), join(draft, name));
    }
    const { values, missing } = checkPair(draft, context.config.keyringPassphrase);
    if (missing.length > 0) {
      throw new DataFolderError(`${source} is not restored. ${missingLines(missing).join(" ")}`);
    }
    recordIn(context, join(draft, DATABASE), new KeyFile(join(draft, KEY_FILE), context.config.keyringPassphrase), {
      action: "backup.restored",
      subject: { kind: "backup", id: null, name: source },
    });
    for (const name of readdirSync(draft)) syncPath(join(draft, name));
    syncPath(draft);
    return values;
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

/**
 * Moves the files named `old` into the folder `aside` and those of `draft` in their place. While it lasts,
 * a folder stands there that keeps servers from starting on a mixture: `openDataFolder` looks for it.
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

/** Such as `replaced-2026-01-31T12-00-00Z`, with a number behind if there is one already. */
function newFolderName(dataDir: string, now: Date): string {
  const name = join(dataDir, `replaced-${now.toISOString().slice(0, 19).replaceAll(":", "-")}Z`);
  let free = name;
  for (let n = 2; existsSync(free); n++) free = `${name}-${n}`;
  return free;
}
