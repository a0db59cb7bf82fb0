// Lists and hashes the files of a project that are uploaded.

import { createHash } from "node:crypto";
import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CrudeError, messageOf, wrongUsage } from "../base/errors.ts";
import { IGNORE_FILE, type IgnoreRules, isIgnored, isNeverUploaded, parseIgnore } from "./ignore.ts";

const HASHED_AT_ONCE = 8;

export interface LocalFile {
  /** From the project's folder, with slashes. */
  readonly path: string;
  readonly absolute: string;
  /** Of the content, in lower-case hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface LocalFiles {
  /** In order of path. */
  readonly files: readonly LocalFile[];
  /** What is neither a file nor a folder, such as links: it is not uploaded. */
  readonly skipped: readonly string[];
}

/** Reads all files of the folder that are uploaded. @throws CrudeError (usage) if something cannot be read */
export async function readLocalFiles(dir: string): Promise<LocalFiles> {
  const skipped: string[] = [];
  const paths: string[] = [];
  const walk = (folder: string, outer: readonly IgnoreRules[]): void => {
    const rules = [...outer, { folder, rules: ignoreRules(join(dir, folder)) }];
    for (const entry of entriesOf(join(dir, folder))) {
      const path = folder + entry.name;
      if (isNeverUploaded(entry.name) || isIgnored(rules, path, entry.isDirectory())) continue;
      if (entry.isDirectory()) walk(`${path}/`, rules);
      else if (entry.isFile()) paths.push(path);
      else skipped.push(path);
    }
  };
  walk("", []);
  return { files: await mapSome(paths.sort(), HASHED_AT_ONCE, (path) => hashed(dir, path)), skipped };
}

/** Returns the content of a file as it was when it was hashed. @throws CrudeError if it has changed since */
export async function contentOf({ path, absolute, sha256 }: LocalFile): Promise<Uint8Array> {
  const content = await readBytes(absolute);
  if (sha256Of(content) === sha256) return content;
  throw new CrudeError(`${path} was changed while it was read. Run the command again.`, { code: "Changed" });
}

export function sha256Of(content: Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Runs `work` for each item, `atOnce` at a time, and returns the results in order. */
export async function mapSome<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}

async function hashed(dir: string, path: string): Promise<LocalFile> {
  const absolute = join(dir, path);
  const content = await readBytes(absolute);
  return { path, absolute, sha256: sha256Of(content), sizeBytes: content.length };
}

async function readBytes(absolute: string): Promise<Uint8Array> {
  try {
    return await readFile(absolute);
  } catch (error) {
    throw wrongUsage(`${absolute} cannot be read: ${messageOf(error)}`);
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    throw wrongUsage(`${folder} cannot be read: ${messageOf(error)}`);
  }
}

function ignoreRules(folder: string) {
  try {
    return parseIgnore(readFileSync(join(folder, IGNORE_FILE), "utf8"));
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return [];
    throw wrongUsage(`${join(folder, IGNORE_FILE)} cannot be read: ${messageOf(error)}`);
  }
}
