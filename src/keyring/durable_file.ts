// Replacing a file so that after a power cut there is either the old one or the new one, whole.

import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Writes `text` to `path` with mode 0600: a file beside it, synced, renamed over it, the folder synced.
 * When it returns, the file survives a power cut; when it throws, the old file is as it was.
 */
export function replaceFile(path: string, text: string): void {
  const draft = `${path}.draft`;
  // A draft left by a crash was never in use.
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

/** Waits until a file's content, or the names that a folder holds, survives a power cut. */
export function syncPath(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
