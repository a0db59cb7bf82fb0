// Which files of the code folder may be part of a handler's code.

import { relative, sep } from "node:path";

/** Names that no module, asset or version ever has in its path. */
const NEVER = /^(?:\.env.*|\.git|\.crude|\.crude-draft-.*|node_modules)$/i;

/** Whether nothing below a folder of this name, and no file of it, is ever part of a function. */
export function isClosedName(name: string): boolean {
  return NEVER.test(name);
}

/** Whether `path` is below `folder`, or is it if `orItself`; both are absolute. Links are not resolved. */
export function isInside(path: string, folder: string, orItself = false): boolean {
  const inside = relative(folder, path);
  if (inside === "") return orItself;
  return inside !== ".." && !inside.startsWith(`..${sep}`);
}

/** Why a sandbox must not read the file at the absolute `path`, or undefined. */
export function whyNotImportable(path: string, codeDir: string): string | undefined {
  if (!isInside(path, codeDir)) return `"${path}" is outside the code folder.`;
  const inside = relative(codeDir, path).split(sep).join("/");
  if (path.includes(",")) return `"${inside}" has a comma in its path, which a sandbox cannot be given.`;
  const closed = inside.split("/").find(isClosedName);
  if (closed !== undefined) return `"${inside}" cannot be imported: nothing named "${closed}" is part of a function.`;
  try {
    // A link could lead anywhere, also after this check.
    if (Deno.realPathSync(path) !== path) return `"${inside}" leads through a link.`;
  } catch (error) {
    // One that is missing may be asked for: the import then says that it is missing.
    const isMissing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
    if (!isMissing) return `"${inside}" cannot be read.`;
  }
}
