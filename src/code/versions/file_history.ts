// Makes a version of each file that is written, moved or deleted through the server.

import type { Blobs } from "../../store/blobs.ts";
import type { FileHistory } from "../files/files.ts";
import { authorOf } from "./author.ts";
import type { CodeHistory } from "./history.ts";
import { isVersioned, type TreeFile } from "./tree.ts";
import type { WorkingCopy } from "./working_copy.ts";

export function createFileHistory(
  { blobs, history, workingCopy }: { blobs: Blobs; history: CodeHistory; workingCopy: WorkingCopy },
): FileHistory {
  return {
    settle: (path) => workingCopy.recordEditsOf(path),
    async keep(path, sha256, content) {
      if (isVersioned(path, content.length)) await blobs.put(sha256, content);
    },
    commit(actor, message, files) {
      const changes = new Map<string, TreeFile | null>();
      for (const [path, file] of files) if (isVersioned(path, file?.sizeBytes ?? 0)) changes.set(path, file);
      return history.commit(authorOf(actor), "file", message, changes);
    },
    wrote: (paths) => workingCopy.wrote(paths),
    putsInPlaceLater: (error) => workingCopy.putsInPlaceLater(error),
  };
}
