// Decides which files of the code folder may be part of a handler's code.

import { relative, sep } from "node:path";

/** Names that never occur in the path of a module or an asset. */
const NEVER = /^(?:\.env.*|\.git|\.crude|\.crude-draft-.*|node_modules)$/i;

/** Reports whether files and folders of this name are never part of a function. */
export function isClosedName(name: string): boolean {
  return NEVER.test(name);
}

/** Reports whether `path` is below `folder`, or equal to it if `orItself`; both are absolute. Does not resolve links. */
export function isInside(path: string, folder: string, orItself = false): boolean {
  const inside = relative(folder, path);
  if (inside === "") return orItself;
  return inside !== ".." && !inside.startsWith(`..${sep}`);
}

/** Returns why a sandbox must not read the file at the absolute `path`, or undefined. */
export function whyNotImportable(path: string, codeDir: string): string | undefined {
  if (!isInside(path, codeDir)) return `"${path}" is outside the code folder.`;
  const inside = relative(codeDir, path).split(sep).join("/");
  if (path.includes(",")) return `"${inside}" has a comma in its path, which is not possible for a sandbox.`;
  const closed = inside.split("/").find(isClosedName);
  if (closed !== undefined) return `"${inside}" cannot be imported: nothing named "${closed}" is part of a function.`;
  try {
    // A link could lead anywhere, and could change after this check.
    if (Deno.realPathSync(path) !== path) return `"${inside}" leads through a link.`;
  } catch (error) {
    // A missing file is allowed: the import reports it.
    const isMissing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
    if (!isMissing) return `"${inside}" cannot be read.`;
  }
}
