// Stores settings, and metadata of the database. A setting that was never changed has no row.

import type { RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first } from "./database.ts";

/** Name of the version, in the table `meta`, that the code folder of this machine was last brought to. */
export const CODE_APPLIED = "code-applied";

export interface SettingsStore {
  /** Returns all settings except those whose rows were altered. */
  list(): { name: string; value: string }[];

  /**
   * Deletes the row if it was altered, so that a new one can be written: nothing of the old row is kept.
   * Called before the row is written, in the same transaction or another one.
   */
  discardAltered(name: string): void;

  /** `value` is JSON. */
  put(name: string, value: string): void;
  delete(name: string): void;
}
export interface MetaStore {
  get(name: string): string | undefined;
  put(name: string, value: string): void;
  /** Returns the rows whose names start with `prefix`, which has no wildcards of GLOB. */
  startingWith(prefix: string): { name: string; value: string }[];
  delete(name: string): void;
}

export function createSettingsStore(db: Database, rows: RowCheck): SettingsStore {
  const list = db.prepare("SELECT name, value FROM settings");
  const put = db.prepareChange(
    "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  );
  const remove = db.prepareChange("DELETE FROM settings WHERE name = ?");
  return {
    list: (): { name: string; value: string }[] =>
      all<{ name: string; value: string }>(list).filter(({ name }) => rows.check("settings", name)),
    discardAltered(name: string): void {
      if (!rows.isAltered("settings", name)) return;
      db.transaction(() => {
        rows.discard("settings", name);
        remove.run(name);
      });
    },
    put(name: string, value: string): void {
      put.run(name, value);
    },
    delete(name: string): void {
      remove.run(name);
    },
  };
}

export function createMetaStore(db: Database): MetaStore {
  const get = db.prepare("SELECT value FROM meta WHERE name = ?");
  const put = db.prepareChange(
    "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
  );
  const startingWith = db.prepare("SELECT name, value FROM meta WHERE name GLOB ? || '*' ORDER BY name");
  const remove = db.prepareChange("DELETE FROM meta WHERE name = ?");
  return {
    startingWith: (prefix) => all<{ name: string; value: string }>(startingWith, prefix),
    delete: (name) => void remove.run(name),
    get: (name: string): string | undefined => first<{ value: string }>(get, name)?.value,
    put(name: string, value: string): void {
      put.run(name, value);
    },
  };
}
