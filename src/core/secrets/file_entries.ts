// Declares what a file of secrets contains, in any format.

/** A secret in a file. */
export interface FileEntry {
  readonly name: string;
  readonly value: string;
  readonly comment: string;
  /** Of the name, from 1. */
  readonly line: number;
}

/** A line that is no secret, with a clause that says why. */
export interface FileProblem {
  readonly line: number;
  readonly problem: string;
}

export interface SecretFile {
  readonly entries: readonly FileEntry[];
  readonly problems: readonly FileProblem[];
}
