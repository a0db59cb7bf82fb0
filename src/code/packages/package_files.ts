// Checks the files of fetched packages in the module cache and makes them readable for sandboxes.

import { join } from "node:path";

/** A version of an npm package in the module cache. */
export interface FetchedPackage {
  /** Such as `ms@2.1.3`. */
  readonly id: string;
  readonly folder: string;
}

/** Folders that this process has already handled, as the files of a version never change. */
const opened = new Set<string>();

export function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Makes all files below `folders` readable for other users: some packages are published with mode 0600. */
export async function openToSandboxes(folders: Iterable<string>): Promise<void> {
  for (const folder of folders) {
    if (opened.has(folder)) continue;
    await openTree(folder);
    opened.add(folder);
  }
}

async function openTree(folder: string): Promise<void> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (!isDirectory && !isFile) continue;
    const mode = (await Deno.lstat(path)).mode! & 0o777;
    const wanted = mode | (isDirectory ? 0o555 : 0o444);
    if (mode !== wanted) await Deno.chmod(path, wanted);
    if (isDirectory) await openTree(path);
  }
}
