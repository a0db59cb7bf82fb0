// Runs in a worker of the server: copies a database, as SQLite's backup blocks the thread that it runs on, and a node that
// does not renew its lease for two seconds is cut off.

import { messageOf } from "../errors.ts";
import { openSnapshot } from "../store/snapshot.ts";

/** What the worker is asked. */
export interface CopyRequest {
  readonly from: string;
  /** Does not exist yet. */
  readonly to: string;
  /** The name of a row of the table `meta` to return. */
  readonly meta: string;
}

export type CopyAnswer =
  | { readonly schema: number; readonly meta: string | undefined }
  | { readonly error: string };

interface WorkerScope {
  onmessage: (event: MessageEvent<CopyRequest>) => void;
  postMessage(answer: CopyAnswer): void;
}

const scope = globalThis as unknown as WorkerScope;
scope.onmessage = async ({ data }) => scope.postMessage(await copy(data));

async function copy({ from, to, meta }: CopyRequest): Promise<CopyAnswer> {
  try {
    using snapshot = openSnapshot(from);
    const answer = { schema: snapshot.version, meta: snapshot.meta(meta) };
    await snapshot.copyTo(to, () => {});
    return answer;
  } catch (error) {
    return { error: messageOf(error) };
  }
}
