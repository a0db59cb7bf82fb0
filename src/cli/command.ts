// What every command is made of: its words, options, result and exit code. Runs none.

import type { ParseArgsOptionDescriptor } from "node:util";
import type { Config, Passphrase } from "../config.ts";

/** What scripts can tell apart; listed in docs/cli.md. */
export const EXIT = {
  ok: 0,
  /** It could not be done, or a check found something. */
  failed: 1,
  /** Wrong words, options, paths or variables. */
  usage: 2,
  /** A running server, or another command, holds the data folder. */
  inUse: 3,
  /** The key file is missing, damaged or another database's, or the passphrase is not the right one. */
  keyring: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Wrong words or options: the message says which, the program adds where to find help. */
export class UsageError extends Error {}

export interface Option extends ParseArgsOptionDescriptor {
  /** As in `--name NAME`; none for a flag. */
  readonly value?: string;
  readonly help: string;
}

export interface Given {
  /** What follows the command's words. */
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
}

/** What a command says when it is done: as JSON, or as lines for people. */
export interface Result {
  readonly code?: ExitCode;
  readonly json: Record<string, unknown>;
  readonly lines: readonly string[];
}

export interface Context {
  readonly config: Config;
  /** Absolute. */
  readonly database: string;
  readonly keyFile: string;
  /** Relative paths on the command line are taken from here. */
  readonly cwd: string;
  /** From NEW_KEYRING_PASSPHRASE or its file. */
  readonly newPassphrase: () => Passphrase | undefined;
  readonly now: () => Date;
  /** Begins to show how far `work` is, where somebody is looking. */
  progress<T>(label: string, work: (report: Report) => Promise<T> | T): Promise<T>;
  /** A line for people beside the result; none with --json. */
  note(line: string): void;
}

export type Report = (done: number, total: number) => void;

export interface Command {
  /** Such as "keyring status". */
  readonly name: string;
  /** Such as "<dir>". */
  readonly positionals?: readonly string[];
  readonly options?: Readonly<Record<string, Option>>;
  /** One sentence for the list, then what else is worth knowing. */
  readonly help: readonly [string, ...string[]];
  run(context: Context, given: Given): Promise<Result> | Result;
}
