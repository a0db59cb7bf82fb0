// Takes a copy of another node's database for this node's.

import { renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { RECORD_FILE, RecordFile } from "../keyring/generation_record.ts";
import type { KeyFile } from "../keyring/key_file.ts";
import type { Head } from "../keyring/sealed_head.ts";
import { LOCAL_META } from "./replication.ts";
import { NodeDatabase } from "./node_database.ts";

/**
 * Moves the database at `from`, whose content was checked, to `to`, where there is none. What the record next to it says
 * of an earlier one no longer applies.
 * @throws DataFolderError if it does not belong to the key file, or its rows cannot be trusted
 */
export function adoptDatabase(from: string, to: string, keyFile: KeyFile): void {
  const { epoch, generation } = headWithout(LOCAL_META, from, keyFile);
  for (const suffix of ["-wal", "-shm"]) rmSync(from + suffix, { force: true });
  new RecordFile(join(dirname(to), RECORD_FILE), keyFile.keyring).write({ epoch, generation });
  renameSync(from, to);
}

/** Deletes rows that describe the machine of the other node; the schema stays as it is. */
function headWithout(local: readonly string[], path: string, keyFile: KeyFile): Head {
  using database = new NodeDatabase(path, { keyFile, isCopy: true });
  for (const name of local) database.meta.delete(name);
  return database.head().head;
}
