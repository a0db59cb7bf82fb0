// Checks everything that PostgreSQL keeps and nodes take over: the log, snapshots, the keyring, rows of nodes, and contents
// of code.

import { AppError } from "../errors.ts";
import { sha256Of } from "../sha256.ts";
import { RowMacs } from "./node/node_row.ts";
import type { OpenCluster } from "./open_cluster.ts";
import { type Verified, verifyLog, type VerifyOptions } from "./verify_log.ts";

export interface VerifiedCluster extends Verified {
  /** The number of contents of code. */
  readonly contents: number;
}

/**
 * @throws AppError LogTampered naming the first thing that is wrong; StoreUnavailable
 */
export async function verifyCluster(cluster: OpenCluster, options: VerifyOptions = {}): Promise<VerifiedCluster> {
  const { id, keyring, log, snapshots, table } = cluster;
  const verified = await verifyLog(log, snapshots, options);
  const { stored, newest } = await cluster.keyrings();
  // Without one, the entry was removed, as snapshots contain it.
  if (newest && (stored?.seq !== newest.seq || !isEqual(stored.body, newest.body))) {
    throw tampered(
      `The keyring is not the one of entry ${newest.seq} of the log of changes: it was altered or put back.`,
    );
  }
  new RowMacs(keyring.derive("cluster nodes"), id).check(await table.list());
  return { ...verified, contents: await verifyContents(cluster) };
}

async function verifyContents({ contents }: OpenCluster): Promise<number> {
  let count = 0;
  for (let after = "";;) {
    const page = await contents.listAfter(after);
    for (const sha256 of page) {
      const content = await contents.read(sha256);
      // One that was removed meanwhile is no longer needed.
      if (content && sha256Of(content) !== sha256) {
        throw tampered(`The content ${sha256} of code does not match its SHA-256: it was altered or is damaged.`);
      }
      count++;
    }
    if (page.length === 0) return count;
    after = page.at(-1)!;
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, n) => byte === b[n]);
}

function tampered(message: string): AppError {
  return new AppError("LogTampered", 503, message);
}
