// Recognizes write errors that the operator can fix: no space, no permission, no access.

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const SQLITE: Record<number, string> = {
  5: "another program has locked the database",
  8: "the data folder cannot be written to",
  10: "the disk reported an error",
  13: "the disk is full",
  14: "the data folder cannot be written to",
};

const FILE_SYSTEM: Record<string, string> = {
  EACCES: "the data folder cannot be written to",
  EDQUOT: "the disk quota is used up",
  EFBIG: "a file has reached its maximum size",
  EIO: "the disk reported an error",
  ENOSPC: "the disk is full",
  EPERM: "the data folder cannot be written to",
  EROFS: "the data folder cannot be written to",
};

/** Returns the reason as a clause, such as "the disk is full", or undefined if `error` is of another kind. */
export function storageProblem(error: unknown): string | undefined {
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  if (typeof errcode === "number") return SQLITE[errcode & 0xff];
  return typeof code === "string" ? FILE_SYSTEM[code] : undefined;
}
