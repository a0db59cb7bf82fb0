// Declares what the server and the process that fetches a commit send each other.

/** Sent to the process on its standard input, as JSON: it contains the token, which others could read elsewhere. */
export interface FetchJob {
  /** An `https:` URL without credentials. */
  readonly url: string;
  readonly kind: "branch" | "tag" | "commit";
  /** The name of the branch or tag, or the 40 digits of the commit's id. */
  readonly name: string;
  /** The folder of the repository whose files are wanted, without slashes at its ends; "" for all. */
  readonly folder: string;
  readonly username: string;
  readonly token: string | null;
  /** A commit that need not be fetched. */
  readonly known: string | null;
  /** An empty folder, absolute, for the repository. */
  readonly gitdir: string;
  /** An empty folder, absolute; the files are named 0, 1 and so on there. */
  readonly output: string;
  readonly limits: FetchLimits;
}

export interface FetchLimits {
  /** Of what the git server sends for one request. */
  readonly answerMaxBytes: number;
  readonly fileMaxBytes: number;
  readonly totalMaxBytes: number;
  /** Files and folders together. */
  readonly entriesMax: number;
}

export interface FetchedCommit {
  /** 40 hexadecimal digits. */
  readonly commit: string;
  readonly author: { readonly name: string; readonly email: string };
  readonly message: string;
  /** Path of each file, in the order of their numbers. */
  readonly paths: readonly string[];
}

/** What the process prints on standard output, as JSON. A problem is a sentence for the user. */
export type FetchAnswer = FetchedCommit | { readonly unchanged: string } | { readonly problem: string };
