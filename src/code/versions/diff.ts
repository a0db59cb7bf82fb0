// Compares two contents of a text file.

import { createTwoFilesPatch } from "diff";
import { Buffer } from "node:buffer";

/** In bytes, of each content and of the result. */
export const DIFF_MAX_BYTES = 256 * 1024;
/** In milliseconds: a comparison that takes longer is given up. */
const TIMEOUT_MS = 25;

/**
 * Returns the differences as a unified diff (GNU diffutils, "Unified Format"); undefined if a content is not text, is
 * too long, or differs in too many places. A content that is undefined does not exist.
 */
export function unifiedDiff(
  path: string,
  before: Uint8Array | undefined,
  after: Uint8Array | undefined,
): string | undefined {
  const [from, to] = [textOf(before), textOf(after)];
  if (from === undefined || to === undefined) return undefined;
  const [oldName, newName] = [before ? `a/${path}` : "/dev/null", after ? `b/${path}` : "/dev/null"];
  const patch = createTwoFilesPatch(oldName, newName, from, to, undefined, undefined, {
    context: 3,
    timeout: TIMEOUT_MS,
    headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
  });
  return patch === undefined || Buffer.byteLength(patch) > DIFF_MAX_BYTES ? undefined : patch;
}

/** Returns "" for a file that does not exist; undefined for what is no text, or too long. */
function textOf(content: Uint8Array | undefined): string | undefined {
  if (!content) return "";
  if (content.length > DIFF_MAX_BYTES || content.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}
