// Stores contents of files under their SHA-256, each in a file of its own: a content never changes, and equal contents
// are stored once. Written outside of the database, so that large contents neither delay nor inflate its transactions.

import { randomUUID } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { syncPath } from "../keyring/durable_file.ts";
import { invalid } from "../errors.ts";
import { type Sha256, sha256Of } from "../sha256.ts";

export interface Blobs {
  /** Returns those that are not stored, each once. Stored ones count as used for another day. */
  missing(wanted: readonly Sha256[]): Promise<Sha256[]>;
  /**
   * Stores a content, which survives a power cut when this resolves; returns whether it is new.
   * @throws AppError InvalidInput (400) if it has another SHA-256
   */
  put(sha256: Sha256, content: Uint8Array): Promise<boolean>;
  /** Returns a content; undefined if it is missing. A file with another content is removed, so that it can be stored again. */
  read(sha256: Sha256): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Creates the file `path` with the stored content, without copying it if possible. Must not be written to. */
  place(sha256: Sha256, path: string): Promise<void>;
  remove(sha256: Sha256): Promise<void>;
  /** Returns all that are stored, in no order. */
  list(): Promise<Sha256[]>;
  /** Removes contents that were stored before `before` (milliseconds since 1970) and are not `used`. */
  sweep(before: number, used: (sha256: Sha256) => boolean): Promise<number>;
}

/** Contents that are read, written or checked at a time. */
const AT_ONCE = 16;
const DRAFT = ".draft";
/** The name of a whole content in the folder that is named after its first byte. */
const CONTENT = /^[0-9a-f]{62}$/;

/** Opens the folder at `folder`, which is created with its first content. */
export function createBlobs(folder: string): Blobs {
  return new BlobFolder(folder);
}

class BlobFolder implements Blobs {
  readonly #folder: string;
  readonly #made = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  async missing(wanted: readonly Sha256[]): Promise<Sha256[]> {
    const missing: Sha256[] = [];
    await eachOf([...new Set(wanted)], async (sha256) => {
      const path = this.#path(sha256);
      const info = await Deno.stat(path).catch(ignoreMissing);
      if (!info) missing.push(sha256);
      // Only the time of access, as copies of the file by links show the time of modification, too.
      else await Deno.utime(path, new Date(), info.mtime ?? new Date()).catch(ignoreMissing);
    });
    return missing.sort();
  }

  async put(sha256: Sha256, content: Uint8Array): Promise<boolean> {
    if (sha256Of(content) !== sha256) throw invalid("sha256", "is not the SHA-256 of the content");
    // A damaged file is replaced.
    if ((await this.missing([sha256])).length === 0 && await this.read(sha256)) return false;
    const path = this.#path(sha256);
    const folder = this.#makeFolder(sha256);
    const draft = `${path}.${randomUUID()}${DRAFT}`;
    try {
      using file = await Deno.open(draft, { write: true, createNew: true, mode: 0o600 });
      for (let at = 0; at < content.length;) at += await file.write(content.subarray(at));
      await file.syncData();
      await Deno.rename(draft, path);
    } catch (error) {
      await Deno.remove(draft).catch(ignoreMissing);
      throw error;
    }
    syncPath(folder);
    return true;
  }

  async read(sha256: Sha256): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const content = await Deno.readFile(this.#path(sha256)).catch(ignoreMissing);
    if (!content || sha256Of(content) === sha256) return content;
    await this.remove(sha256);
  }

  async place(sha256: Sha256, path: string): Promise<void> {
    try {
      await Deno.link(this.#path(sha256), path);
    } catch {
      // On another file system, or one without links.
      await Deno.copyFile(this.#path(sha256), path);
    }
  }

  async remove(sha256: Sha256): Promise<void> {
    await Deno.remove(this.#path(sha256)).catch(ignoreMissing);
  }

  async list(): Promise<Sha256[]> {
    const found: Sha256[] = [];
    for (const { name: start } of await entriesOf(this.#folder)) {
      for (const { name } of await entriesOf(join(this.#folder, start))) {
        if (CONTENT.test(name)) found.push(start + name);
      }
    }
    return found;
  }

  async sweep(before: number, used: (sha256: Sha256) => boolean): Promise<number> {
    let removed = 0;
    for (const { name: start, isDirectory } of await entriesOf(this.#folder)) {
      if (!isDirectory) continue;
      for (const { name } of await entriesOf(join(this.#folder, start))) {
        const path = join(this.#folder, start, name);
        const isLeft = name.endsWith(DRAFT) || !used(start + name);
        if (!isLeft || await lastUseOf(path) >= before) continue;
        await Deno.remove(path).catch(ignoreMissing);
        removed++;
      }
    }
    return removed;
  }

  #path(sha256: Sha256): string {
    return join(this.#folder, sha256.slice(0, 2), sha256.slice(2));
  }

  /** Makes the folder of a content, durably, and returns it. */
  #makeFolder(sha256: Sha256): string {
    const folder = join(this.#folder, sha256.slice(0, 2));
    if (this.#made.has(folder)) return folder;
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const parent of [this.#folder, join(this.#folder, "..")]) syncPath(parent);
    this.#made.add(folder);
    return folder;
  }
}

/** Name of the folder in the data folder. */
export const BLOBS = "blobs";

/**
 * Copies all contents that a data folder or a backup has, durably; without any, creates nothing. Returns their number.
 * Contents never change, so that the copy of a running server's is whole.
 */
export function copyBlobs(from: string, to: string): number {
  const [source, target] = [join(from, BLOBS), join(to, BLOBS)];
  if (!existsSync(source)) return 0;
  mkdirSync(target, { mode: 0o700 });
  let copied = 0;
  for (const start of readdirSync(source)) {
    mkdirSync(join(target, start), { mode: 0o700 });
    // Others are still being written.
    for (const name of readdirSync(join(source, start)).filter((name) => CONTENT.test(name))) {
      const copy = join(target, start, name);
      copyFileSync(join(source, start, name), copy);
      syncPath(copy);
      copied++;
    }
    syncPath(join(target, start));
  }
  syncPath(target);
  return copied;
}

/** Calls `work` for each item, a few at a time. */
export async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
}

/** Returns when a content was last stored, asked for or read; later than now if it is gone. */
async function lastUseOf(path: string): Promise<number> {
  const info = await Deno.stat(path).catch(ignoreMissing);
  return info ? Math.max(info.atime?.getTime() ?? 0, info.mtime?.getTime() ?? 0) : Infinity;
}

async function entriesOf(folder: string): Promise<Deno.DirEntry[]> {
  return await Array.fromAsync(Deno.readDir(folder)).catch((error) => ignoreMissing(error) ?? []);
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
