// Checks what a deployment asks for, and computes the files that it leads to.

import { AppError, conflict, type ErrorDetails, invalid } from "../../errors.ts";
import { checkFilePath } from "../../core/functions/file_paths.ts";
import type { FunctionEntries } from "../../core/functions/registry.ts";
import type { Sha256 } from "../../sha256.ts";
import { type Blobs, eachOf } from "../../store/blobs.ts";
import { isClosedName } from "../files/importable.ts";
import { changesBetween, nestedFile, type Tree, type TreeChanges, type TreeFile } from "../versions/tree.ts";

export interface DeploymentRequest {
  /** One line for the history. */
  readonly message: string;
  /** Contents by path, which must be stored; null deletes a file. */
  readonly files: ReadonlyMap<string, Sha256 | null>;
  /** Undefined: functions stay as they are. */
  readonly functions: FunctionEntries | undefined;
  /** Whether files and functions that are not listed are deleted. */
  readonly prune: boolean;
  /** Whether problems of the code, and secrets of deleted functions, are ignored. */
  readonly force: boolean;
  /** Whether types are checked, too. */
  readonly types: boolean;
  /** The version that must be the newest one. */
  readonly ifVersion: number | undefined;
}

/** The error for contents that have to be stored first. */
export class MissingBlobs extends AppError {
  override readonly facts: { readonly missing: readonly Sha256[] };

  constructor(missing: readonly Sha256[]) {
    const number = missing.length === 1 ? "1 content is" : `${missing.length} contents are`;
    super("MissingBlobs", 409, `${number} not stored. Send them to /api/blobs, and then the deployment again.`);
    this.facts = { missing };
  }
}

/** Names of files, in order. */
export interface FilePlan {
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly deleted: readonly string[];
  /** How many files stay as they are. */
  readonly unchanged: number;
}

/**
 * Returns the files that a deployment leads to.
 * @throws AppError InvalidInput (400) naming `files.<path>`; MissingBlobs (409)
 */
export async function treeAfter(
  current: Tree,
  { files, prune }: Pick<DeploymentRequest, "files" | "prune">,
  blobs: Blobs,
): Promise<Tree> {
  checkPaths(files.keys());
  const isUnchanged = ([path, sha256]: [string, Sha256 | null]) => current.get(path)?.sha256 === sha256;
  const wanted = [...files].filter((file) => !isUnchanged(file)).map(([, sha256]) => sha256);
  const sizes = await sizesOf(wanted.filter((sha256) => sha256 !== null), blobs);
  const tree = new Map(prune ? [] : current);
  for (const [path, sha256] of files) {
    if (sha256 === null) tree.delete(path);
    else tree.set(path, isUnchanged([path, sha256]) ? current.get(path)! : { sha256, sizeBytes: sizes.get(sha256)! });
  }
  const nested = nestedFile(tree);
  if (nested) throw invalid(`files.${nested.path}`, `cannot be inside of ${nested.inside}, which is a file`);
  return tree;
}

/** Checks that no content of changes was purged. @throws AppError Conflict (409) naming the paths */
export async function requireStored(changes: TreeChanges, blobs: Blobs): Promise<void> {
  const files = [...changes].flatMap(([path, file]) => file ? [{ path, sha256: file.sha256 }] : []);
  const missing = new Set(await blobs.missing(files.map(({ sha256 }) => sha256)));
  const paths = files.filter(({ sha256 }) => missing.has(sha256)).map(({ path }) => path);
  if (paths.length === 0) return;
  const details = Object.fromEntries(paths.map((path) => [path, "is no longer stored"]));
  throw conflict(`The content of ${paths[0]} is no longer stored.`, details);
}

export function filePlan(before: Tree, after: Tree): FilePlan {
  const changes = [...changesBetween(before, after)];
  const paths = (is: (path: string, file: TreeFile | null) => boolean) =>
    changes.filter(([path, file]) => is(path, file)).map(([path]) => path);
  const created = paths((path, file) => file !== null && !before.has(path));
  const changed = paths((path, file) => file !== null && before.has(path));
  const deleted = paths((_, file) => file === null);
  return { created, changed, deleted, unchanged: after.size - created.length - changed.length };
}

/** Reports every path that is none. */
function checkPaths(paths: Iterable<string>): void {
  const details: ErrorDetails = {};
  for (const path of paths) {
    const problem = pathProblem(path);
    if (problem !== undefined) details[`files.${path}`] = problem;
  }
  const [first] = Object.entries(details);
  if (first) throw new AppError("InvalidInput", 400, `${first[0]} ${first[1]}`, details);
}

function pathProblem(path: string): string | undefined {
  try {
    checkFilePath(path, "path");
  } catch (error) {
    if (error instanceof AppError && error.details) return error.details.path;
    throw error;
  }
  const closed = path.split("/").find(isClosedName);
  return closed === undefined ? undefined : `must not name "${closed}", which is never deployed`;
}

/** Returns the sizes of contents. @throws MissingBlobs */
async function sizesOf(wanted: readonly Sha256[], blobs: Blobs): Promise<Map<Sha256, number>> {
  const sizes = new Map<Sha256, number>();
  const missing: Sha256[] = [];
  await eachOf([...new Set(wanted)], async (sha256) => {
    // Read, as a damaged one has to be sent again.
    const content = await blobs.read(sha256);
    if (content) sizes.set(sha256, content.length);
    else missing.push(sha256);
  });
  if (missing.length > 0) throw new MissingBlobs(missing.sort());
  return sizes;
}
