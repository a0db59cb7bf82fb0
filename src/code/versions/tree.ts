// Represents all files of the code folder at one moment, and the differences between two moments.

import { isClosedName } from "../files/importable.ts";
import { type Sha256, sha256Of } from "../../sha256.ts";

/** A file's content; its bytes are stored under the SHA-256. */
export interface TreeFile {
  readonly sha256: Sha256;
  readonly sizeBytes: number;
}

/** Files by path, with "/" between segments. */
export type Tree = ReadonlyMap<string, TreeFile>;

/** What to change in a tree: new contents by path; null deletes a file. */
export type TreeChanges = ReadonlyMap<string, TreeFile | null>;

/** Larger files stay in the code folder, but are not part of its versions. */
export const VERSIONED_MAX_BYTES = 32 * 1024 * 1024;

/** Reports whether a file is part of versions: nothing named `.env`, `.git`, `.crude` or `node_modules` is. */
export function isVersioned(path: string, sizeBytes: number): boolean {
  return sizeBytes <= VERSIONED_MAX_BYTES && !path.split("/").some(isClosedName);
}

/** Returns the SHA-256 of a tree: equal for equal files. */
export function treeHash(tree: Tree): Sha256 {
  const paths = [...tree.keys()].sort();
  return sha256Of(JSON.stringify(paths.map((path) => [path, tree.get(path)!.sha256, tree.get(path)!.sizeBytes])));
}

/** Returns the tree with the changes. */
export function changed(tree: Tree, changes: TreeChanges): Tree {
  const result = new Map(tree);
  for (const [path, file] of changes) {
    if (file) result.set(path, file);
    else result.delete(path);
  }
  return result;
}

/** Returns the changes that lead from one tree to another, in order of path. */
export function changesBetween(from: Tree, to: Tree): Map<string, TreeFile | null> {
  const paths = [...new Set([...from.keys(), ...to.keys()])].sort();
  return new Map(
    paths.filter((path) => from.get(path)?.sha256 !== to.get(path)?.sha256).map((path) => [path, to.get(path) ?? null]),
  );
}

/** Returns the first path at which one file would be inside another, such as "a/b" next to a file "a". */
export function nestedFile(tree: Tree): { readonly path: string; readonly inside: string } | undefined {
  for (const path of tree.keys()) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const inside = path.slice(0, end);
      if (tree.has(inside)) return { path, inside };
    }
  }
}
