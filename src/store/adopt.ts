// Takes a copy of another node's database for this node's.

import { renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { RECORD_FILE, RecordFile } from "../keyring/generation_record.ts";
import type { KeyFile } from "../keyring/key_file.ts";
import { LOCAL_META } from "./replication.ts";
import { openStore } from "./store.ts";

/**
 * Moves the database at `from`, whose content was checked, to `to`, where there is none. What the record next to it says
 * of an earlier one no longer applies.
 * @throws DataFolderError if it does not belong to the key file, or its rows cannot be trusted
 */
export function adoptDatabase(from: string, to: string, keyFile: KeyFile): void {
  const store = openStore(from, keyFile, { isRestored: true });
  store.local(() => LOCAL_META.forEach((name) => store.meta.delete(name)));
  const { epoch, generation } = store.head();
  store.close();
  for (const suffix of ["-wal", "-shm"]) rmSync(from + suffix, { force: true });
  new RecordFile(join(dirname(to), RECORD_FILE), keyFile.keyring).write({ epoch, generation });
  renameSync(from, to);
}
