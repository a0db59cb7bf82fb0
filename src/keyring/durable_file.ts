// Replaces files atomically: after a power cut there is either the complete old file or the complete new one.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Writes `text` to `path` with mode 0600: writes and syncs a temporary file, renames it, and syncs the folder.
 * When it returns, the file survives a power cut; when it throws, the old file is unchanged.
 */
export function replaceFile(path: string, text: string): void {
  const draft = `${path}.draft`;
  // A temporary file left by a crash was never in use.
  rmSync(draft, { force: true });
  const file = openSync(draft, "wx", 0o600);
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
  syncPath(dirname(path));
}

/** Waits until the content of a file, or the entries of a folder, survive a power cut. */
export function syncPath(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
