// Finds files in the code folder that are not as the newest version has them: edits that no server has recorded yet.

import { join } from "node:path";
import { isClosedName } from "../code/files/importable.ts";
import { sha256Of } from "../sha256.ts";

/** Larger files are never part of a version. */
const VERSIONED_MAX_BYTES = 32 * 1024 * 1024;

/** Returns the paths that differ, sorted; none if there is no code folder. `newest` has the SHA-256 of each file. */
export async function unrecordedEdits(codeDir: string, newest: ReadonlyMap<string, string>): Promise<string[]> {
  const found = new Map<string, string>();
  const walk = async (inside: string): Promise<void> => {
    for await (const { name, isDirectory, isFile } of Deno.readDir(join(codeDir, inside))) {
      if (isClosedName(name)) continue;
      const path = inside === "" ? name : `${inside}/${name}`;
      if (isDirectory) await walk(path);
      if (!isFile || (await Deno.stat(join(codeDir, path))).size > VERSIONED_MAX_BYTES) continue;
      found.set(path, sha256Of(await Deno.readFile(join(codeDir, path))));
    }
  };
  try {
    await walk("");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  const paths = new Set([...newest.keys(), ...found.keys()]);
  return [...paths].filter((path) => newest.get(path) !== found.get(path)).sort();
}
