// Validates paths of files in the code folder and of handlers.

import { invalid } from "../../errors.ts";

export const FILE_PATH_MAX_LENGTH = 1_000;
/** Extensions of files that can be handlers. */
export const HANDLER_EXTENSIONS = [".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs"];
/** Begins the names of temporary files during a write; these are never listed. */
export const DRAFT_PREFIX = ".crude-draft-";

/**
 * Checks a path inside the code folder by its text alone.
 * @throws AppError InvalidInput (400) naming `field`
 */
export function checkFilePath(path: string, field: string): void {
  if (path === "") throw invalid(field, "must not be empty");
  if (path.length > FILE_PATH_MAX_LENGTH) throw invalid(field, `must have at most ${FILE_PATH_MAX_LENGTH} characters`);
  // deno-lint-ignore no-control-regex
  if (/[\\\x00-\x1f\x7f]/.test(path) || !path.isWellFormed()) {
    throw invalid(field, "must not contain backslashes or control characters");
  }
  // Commas separate the paths that a sandbox may read.
  if (path.includes(",")) throw invalid(field, "must not contain commas");
  if (path.startsWith("/") || /^[a-zA-Z]:/.test(path)) throw invalid(field, "must be relative to the code folder");
  for (const segment of path.split("/")) {
    if (segment === "" || segment === "." || segment === "..") {
      throw invalid(field, `must not contain the segment "${segment}"`);
    }
    if (segment.startsWith(DRAFT_PREFIX)) {
      throw invalid(field, `must not contain a name that begins with "${DRAFT_PREFIX}"`);
    }
    if (new TextEncoder().encode(segment).length > 255) throw invalid(field, "has a name of more than 255 bytes");
  }
}

/** Checks that `path` can name a handler. @throws AppError InvalidInput (400) */
export function checkHandlerPath(path: string): void {
  checkFilePath(path, "handler");
  if (!HANDLER_EXTENSIONS.some((extension) => path.endsWith(extension))) {
    throw invalid("handler", `must end with one of ${HANDLER_EXTENSIONS.join(", ")}`);
  }
}
