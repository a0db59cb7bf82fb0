// Tests whether a path belongs to the functions.

export const RUN_PREFIX = "/run";

/** Reports whether a path belongs to the functions. */
export function isRunPath(path: string): boolean {
  return path.startsWith(RUN_PREFIX) && (path.length === RUN_PREFIX.length || path[RUN_PREFIX.length] === "/");
}
