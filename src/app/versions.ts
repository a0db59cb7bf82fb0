// Opens the versions of the code, and completes a change of the code folder that a killed server began.

import { join } from "node:path";
import type { CodeFolder } from "../code/files/code_folder.ts";
import { type CodeHistory, createCodeHistory } from "../code/versions/history.ts";
import { WorkingCopy } from "../code/versions/working_copy.ts";
import { BLOBS, type Blobs, createBlobs } from "../store/blobs.ts";
import type { Data } from "./data.ts";
import type { Host } from "./host.ts";

export interface Versions {
  readonly blobs: Blobs;
  readonly history: CodeHistory;
  readonly workingCopy: WorkingCopy;
}

export async function openVersions(
  opened: AsyncDisposableStack,
  { log, now }: Host,
  { store, keyring, dataDir, codeDir, cluster }: Data,
  folder: CodeFolder,
): Promise<Versions> {
  const local = createBlobs(join(dataDir, BLOBS));
  const blobs = cluster?.blobsOver(local) ?? local;
  const history = createCodeHistory({ store: store.codeVersions, key: keyring.derive("code versions"), now });
  const workingCopy = new WorkingCopy({
    ...store,
    codeDir,
    folder,
    blobs,
    history,
    report: log,
    undoneDir: cluster?.undoneDir,
    onBehind: cluster && ((reason) => cluster.holdBack(reason)),
  });
  opened.defer(() => workingCopy.stop());
  await workingCopy.recover();
  cluster?.bringCode(() => workingCopy.hasContents());
  cluster?.stageCode((changes) => workingCopy.stage(changes));
  await cluster?.forgetPurged(blobs, (sha256) => history.head().tree.values().some((file) => file.sha256 === sha256));
  return { blobs, history, workingCopy };
}
