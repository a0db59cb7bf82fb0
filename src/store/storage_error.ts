// Why something could not be written, where the operator can mend it: no room, no permission, no access.

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const SQLITE: Record<number, string> = {
  5: "another program holds the database",
  8: "the data folder cannot be written to",
  10: "the disk gave an error",
  13: "the disk is full",
  14: "the data folder cannot be written to",
};

const FILE_SYSTEM: Record<string, string> = {
  EACCES: "the data folder cannot be written to",
  EDQUOT: "the disk quota is used up",
  EFBIG: "a file may not grow any more",
  EIO: "the disk gave an error",
  ENOSPC: "the disk is full",
  EPERM: "the data folder cannot be written to",
  EROFS: "the data folder cannot be written to",
};

/** The reason in words, such as "the disk is full", or undefined if `error` is of another kind. */
export function storageProblem(error: unknown): string | undefined {
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  if (typeof errcode === "number") return SQLITE[errcode & 0xff];
  return typeof code === "string" ? FILE_SYSTEM[code] : undefined;
}
