// Stores contents of code for all nodes: PostgreSQL has all of them, and each node keeps those that it needed in a folder.
// A content is in PostgreSQL before a change that names it is appended. Every content is checked by its SHA-256 where it
// arrives, so that it does not matter who stored it.

import { z } from "zod";
import { invalid, messageOf } from "../../errors.ts";
import { type Sha256, sha256Of } from "../../sha256.ts";
import { type Blobs, eachOf } from "../../store/blobs.ts";

/** The contents in PostgreSQL. Those that are read are not checked. */
export type SharedBlobs = Omit<Blobs, "place" | "list"> & {
  /** Returns those that are not stored, and does not count the others as used. */
  lacking(wanted: readonly Sha256[]): Promise<Sha256[]>;
};

/** Returns a content as another node has it; undefined if none has it. What is returned is not checked. */
export type ReadFromPeers = (sha256: Sha256) => Promise<Uint8Array<ArrayBuffer> | undefined>;

export interface ClusterBlobsOptions {
  readonly local: Blobs;
  readonly shared: SharedBlobs;
  readonly peers: ReadFromPeers;
  /** Appends an entry of kind `purge`; resolves when every live node has applied it. */
  readonly purge: (body: Uint8Array) => Promise<void>;
  /**
   * Runs `work` unless another node is doing the same; rejects if this node may lack changes, by which it knows what is
   * used.
   */
  readonly once: (work: () => Promise<void>) => Promise<void>;
  readonly report: (level: "warn" | "error", message: string) => void;
}

/** Contents that are looked up at a time. */
const LOOKED_UP_MAX = 1_000;

const purgeSchema = z.array(z.string().regex(/^[0-9a-f]{64}$/));

export class ClusterBlobs implements Blobs {
  readonly #options: ClusterBlobsOptions;
  /** Contents that are being fetched. */
  readonly #fetching = new Map<Sha256, Promise<Uint8Array<ArrayBuffer> | undefined>>();

  /** Contents that peers may still have, until they have applied the entry. */
  readonly #purged = new Set<Sha256>();

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
    if (sha256Of(content) !== sha256) throw invalid("sha256", "is not the SHA-256 of the content");
    this.#purged.delete(sha256);
    const isNew = await shared.put(sha256, content);
    await local.put(sha256, content);
    return isNew;
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

  /** On all nodes. */
  async remove(sha256: Sha256): Promise<void> {
    const { shared, purge } = this.#options;
    await shared.remove(sha256);
    const body = new TextEncoder().encode(JSON.stringify([sha256]));
    await this.applyPurge(body);
    await purge(body);
  }

  /** Applies an entry of kind `purge` of another node. */
  async applyPurge(body: Uint8Array): Promise<void> {
    for (const sha256 of purgeSchema.parse(JSON.parse(new TextDecoder().decode(body)))) {
      this.#purged.add(sha256);
      await this.#options.local.remove(sha256);
    }
  }

  /**
   * Removes those of `purged` that PostgreSQL does not have, unless they are used: this node may not have seen the entries.
   * Nothing else is removed, as PostgreSQL may have lost it.
   */
  async forgetPurged(purged: readonly Sha256[], used: (sha256: Sha256) => boolean): Promise<void> {
    const { local, shared } = this.#options;
    const there = new Set(await local.list());
    const kept = purged.filter((sha256) => there.has(sha256));
    for (let from = 0; from < kept.length; from += LOOKED_UP_MAX) {
      for (const sha256 of await shared.lacking(kept.slice(from, from + LOOKED_UP_MAX))) {
        if (!used(sha256)) await local.remove(sha256);
      }
    }
  }

  list(): Promise<Sha256[]> {
    return this.#options.local.list();
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
    const content = this.#purged.has(sha256) ? undefined : await peers(sha256);
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
