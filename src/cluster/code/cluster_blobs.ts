// Stores contents of code for all nodes: PostgreSQL has all of them, and each node keeps those that it needed in a folder.
// A content is in PostgreSQL before a change that names it is appended. Every content is checked by its SHA-256 where it
// arrives, so that it does not matter who stored it.

import { messageOf } from "../../errors.ts";
import { type Sha256, sha256Of } from "../../sha256.ts";
import { type Blobs, eachOf } from "../../store/blobs.ts";

/** The contents in PostgreSQL. Those that are read are not checked. */
export type SharedBlobs = Omit<Blobs, "place">;

/** Returns a content as another node has it; undefined if none has it. What is returned is not checked. */
export type ReadFromPeers = (sha256: Sha256) => Promise<Uint8Array<ArrayBuffer> | undefined>;

export interface ClusterBlobsOptions {
  readonly local: Blobs;
  readonly shared: SharedBlobs;
  readonly peers: ReadFromPeers;
  /**
   * Runs `work` unless another node is doing the same; rejects if this node may lack changes, by which it knows what is
   * used.
   */
  readonly once: (work: () => Promise<void>) => Promise<void>;
  readonly report: (level: "warn" | "error", message: string) => void;
}

export function createClusterBlobs(options: ClusterBlobsOptions): Blobs {
  return new ClusterBlobs(options);
}

class ClusterBlobs implements Blobs {
  readonly #options: ClusterBlobsOptions;
  /** Contents that are being fetched. */
  readonly #fetching = new Map<Sha256, Promise<Uint8Array<ArrayBuffer> | undefined>>();

  constructor(options: ClusterBlobsOptions) {
    this.#options = options;
  }

  /** What PostgreSQL lost and this node has is stored there again. */
  async missing(wanted: readonly Sha256[]): Promise<Sha256[]> {
    const { local, shared } = this.#options;
    await local.missing(wanted);
    const missing: Sha256[] = [];
    await eachOf(await shared.missing(wanted), async (sha256) => {
      const content = await local.read(sha256);
      if (content) await shared.put(sha256, content);
      else missing.push(sha256);
    });
    return missing.sort();
  }

  async put(sha256: Sha256, content: Uint8Array): Promise<boolean> {
    const { local, shared } = this.#options;
    await local.put(sha256, content);
    return await shared.put(sha256, content);
  }

  async read(sha256: Sha256): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { local } = this.#options;
    const content = await local.read(sha256);
    if (content) return content;
    let fetching = this.#fetching.get(sha256);
    if (!fetching) {
      fetching = this.#fetch(sha256).finally(() => this.#fetching.delete(sha256));
      this.#fetching.set(sha256, fetching);
    }
    return await fetching;
  }

  async place(sha256: Sha256, path: string): Promise<void> {
    const { local } = this.#options;
    if ((await local.missing([sha256])).length > 0) await this.read(sha256);
    await local.place(sha256, path);
  }

  async remove(sha256: Sha256): Promise<void> {
    const { local, shared } = this.#options;
    await shared.remove(sha256);
    await local.remove(sha256);
  }

  async sweep(before: number, used: (sha256: Sha256) => boolean): Promise<number> {
    const { local, shared, once } = this.#options;
    await once(async () => void await shared.sweep(before, used));
    return await local.sweep(before, used);
  }

  async #fetch(sha256: Sha256): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { local, shared, peers, report } = this.#options;
    const stored = await shared.read(sha256);
    if (stored && sha256Of(stored) === sha256) {
      await local.put(sha256, stored);
      return stored;
    }
    if (stored) report("error", `The content ${sha256} in PostgreSQL is damaged or was altered.`);
    const content = await peers(sha256);
    if (!content || sha256Of(content) !== sha256) return undefined;
    await local.put(sha256, content);
    try {
      if (stored) await shared.remove(sha256);
      await shared.put(sha256, content);
      report("warn", `The content ${sha256}, which PostgreSQL lacked, was stored there again from another node.`);
    } catch (error) {
      report("warn", `The content ${sha256} could not be stored in PostgreSQL again: ${messageOf(error)}`);
    }
    return content;
  }
}
