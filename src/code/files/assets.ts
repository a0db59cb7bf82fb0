// Finds the assets of a function: files of the code folder, other than its modules, that match its patterns.

import { join } from "node:path";
import picomatch from "picomatch";
import { invalid } from "../../errors.ts";
import type { KeptContent } from "../../sandbox/process/sandbox_dir.ts";
import { slices } from "../../slices.ts";
import { isClosedName } from "./importable.ts";
import type { CodeFolder, FoundFile, Look } from "./code_folder.ts";
import { checkFilePath } from "../../core/functions/file_paths.ts";

export const ASSETS_MAX = 1_000;
export const ASSETS_MAX_MB = 64;
export const PATTERNS_MAX = 100;

/** The files that patterns match at one moment. */
export interface Assets {
  /** Changes with any of the files. */
  readonly version: number;
  /** Absolute paths. */
  readonly files: readonly string[];
  /** What reads their contents, in the same order; undefined for those that are in the code folder only. */
  readonly sources: readonly (KeptContent | undefined)[];
  /** A sentence for the author if more files match than allowed; `files` are then the first of them. */
  readonly problem: string | undefined;
}

export const NO_ASSETS: Assets = { version: 0, files: [], sources: [], problem: undefined };

/** Returns what reads the content that the file of this absolute path has in this state; undefined if none is kept. */
export type SourceFinder = (file: string, state: string) => KeptContent | undefined;

export interface AssetFinder {
  /** Returns what `patterns` match now; immediately unless something in the code folder was changed. */
  of(patterns: readonly string[]): Assets | Promise<Assets>;
  /** @throws AppError InvalidInput (400) if more files match than allowed */
  check(patterns: readonly string[]): Promise<void>;
}

/**
 * Validates the text of a pattern: a path in the code folder with `*`, `**` and `?`.
 * @throws AppError InvalidInput (400) naming `files`
 */
export function checkPattern(pattern: string): void {
  checkFilePath(pattern, "files");
  if (/[[\]{}()!+@|]/.test(pattern)) {
    throw invalid("files", "must not have wildcards other than *, ** and ?, or any of the characters []{}()!+@|");
  }
  const closed = pattern.split("/").find(isClosedName);
  if (closed !== undefined) throw invalid("files", `must not name "${closed}", which no function may read`);
}

export function createAssets(
  codeDir: string,
  folder: CodeFolder,
  sourceOf: SourceFinder = () => undefined,
): AssetFinder {
  /** By the array of patterns of a function's entry. */
  const known = new WeakMap<readonly string[], { look: Look; states: string; assets: Assets }>();
  let lastVersion = 0;

  const match = (patterns: readonly string[], look: Look): Assets | Promise<Assets> => {
    const last = known.get(patterns);
    return last?.look === look ? last.assets : matchAnew(patterns, look);
  };

  const matchAnew = async (patterns: readonly string[], look: Look): Promise<Assets> => {
    const { files, problem } = await bounded(look, patterns);
    // A concurrent call may have found the same.
    const last = known.get(patterns);
    const states = JSON.stringify([problem, ...files.map(({ path, state }) => [path, state])]);
    const assets = last?.states === states ? last.assets : {
      version: ++lastVersion,
      files: files.map(({ path }) => join(codeDir, path)),
      sources: files.map(({ path, state }) => sourceOf(join(codeDir, path), state)),
      problem,
    };
    known.set(patterns, { look, states, assets });
    return assets;
  };

  const of = (patterns: readonly string[]): Assets | Promise<Assets> => {
    if (patterns.length === 0) return NO_ASSETS;
    const look = folder.current();
    return look instanceof Promise ? look.then((look) => match(patterns, look)) : match(patterns, look);
  };

  return {
    of,
    async check(patterns) {
      const { problem } = await of(patterns);
      if (problem !== undefined) throw invalid("files", problem);
    },
  };
}

/** Returns the files that match, except those that a function may not have. */
async function bounded(
  { files }: Look,
  patterns: readonly string[],
): Promise<{ files: FoundFile[]; problem: string | undefined }> {
  const matches = picomatch([...patterns]) as (path: string) => boolean;
  const matching: FoundFile[] = [];
  const pause = slices();
  for (const file of files) {
    await pause();
    if (matches(file.path)) matching.push(file);
  }
  const bytes = matching.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const maxBytes = ASSETS_MAX_MB << 20;
  if (matching.length <= ASSETS_MAX && bytes <= maxBytes) return { files: matching, problem: undefined };
  let left = maxBytes;
  const first = matching.slice(0, ASSETS_MAX).filter(({ sizeBytes }) => (left -= sizeBytes) >= 0);
  const problem = `match ${matching.length} files of ${Math.ceil(bytes / (1 << 20))} MB; a function may have ` +
    `${ASSETS_MAX} files of ${ASSETS_MAX_MB} MB in total`;
  return { files: first, problem };
}
