// `restore`: puts a backup in the data folder's place. What was there is moved aside, never deleted.

import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { syncPath } from "../keyring/durable_file.ts";
import { KeyFile } from "../keyring/key_file.ts";
import { DataFolderError, lockDataFolder, RESTORE_FOLDER } from "../store/data_folder.ts";
import { openSnapshot } from "../store/snapshot.ts";
import { BACKED_UP, checkPair, copyFile, DATABASE, KEY_FILE } from "./backup.ts";
import { type Command, type Context, type Report, UsageError } from "./command.ts";
import { counted, missingLines, takeLock } from "./folder.ts";
import { prepareData, requireUnaltered, type RestoreOptions, type Revoked } from "./restored_data.ts";

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
    revive: { type: "boolean", help: "keep API keys and users that were revoked after the backup was made" },
    "accept-altered": { type: "boolean", help: "restore rows that something other than this program has altered" },
    force: { type: "boolean", help: "replace data that is there; it is moved into a folder beside the new data" },
  },
  help: [
    "Put a backup in place of the data.",
    "The server must be stopped. Nothing is touched before the backup has proved to be whole: the database opens,",
    "the key file is its own, no key is missing, and no row was altered. Sessions and password links end; API keys and",
    "users that were revoked after the backup are listed and stay revoked.",
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
          `${dataDir} holds the backup's ${counted(values, "value")}. All sessions and password links have ended.`,
          ...revokedLines(revoked, wanted.revive),
          ...(aside ? [`What was there is in ${aside}.`] : []),
        ],
      };
    } finally {
      unlock();
    }
  },
};

/** Copies the backup into the folder `draft` and makes it ready there; how many values it has. */
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
