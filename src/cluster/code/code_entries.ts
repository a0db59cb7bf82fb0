// Brings the code of this node along with the log of changes: the contents that an entry names are fetched before it is
// applied, and its files are put in place with its rows. If a content cannot be had, nothing of the entry is applied.

import { Buffer } from "node:buffer";
import { AppError } from "../../errors.ts";
import { eachOf } from "../../store/blobs.ts";
import type { Blobs } from "../../store/blobs.ts";
import { recordedRows } from "../../store/replication.ts";
import { type ChangedFile, changedFiles, FILES_TABLE } from "../../store/code_versions.ts";
import type { Sha256 } from "../../sha256.ts";

/** New contents that wait to be put in place. */
export interface StagedFiles extends AsyncDisposable {
  apply(): void;
}

export interface CodeEntriesOptions {
  readonly blobs: Pick<Blobs, "read">;
  /** Writes new contents next to the code; see WorkingCopy. */
  readonly stage: (changes: ReadonlyMap<string, ChangedFile | null>) => Promise<StagedFiles>;
}

/** A content that an entry needs is nowhere. */
export class ContentMissing extends AppError {
  constructor(readonly path: string, readonly sha256: Sha256) {
    super(
      "ContentMissing",
      503,
      `The content of ${path} (SHA-256 ${sha256}) is missing or damaged in PostgreSQL, and no other node has it. ` +
        "Nothing of the change was applied. Store it again by PUT /api/blobs/ on any node that answers, or restore " +
        "the table of contents from a backup of PostgreSQL.",
    );
  }
}

/**
 * Prepares an entry of kind `change`; undefined if it changes no code. Disposing of what it returns removes what was not
 * put in place.
 * @throws ContentMissing, StoreUnavailable
 */
export async function prepareCode(
  body: Uint8Array,
  { blobs, stage }: CodeEntriesOptions,
): Promise<StagedFiles | undefined> {
  // Most entries name no such table, which is found much faster than that none of their rows is one of its.
  if (!Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(FILES_TABLE)) return undefined;
  const changes = changedFiles(recordedRows(body));
  if (changes.size === 0) return undefined;
  await eachOf([...changes], async ([path, file]) => {
    if (file && !await blobs.read(file.sha256)) throw new ContentMissing(path, file.sha256);
  });
  return await stage(changes);
}
