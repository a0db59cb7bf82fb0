// Defines what a command consists of: its name, options, result and exit code.

import type { ParseArgsOptionDescriptor } from "node:util";
import type { Config, Passphrase } from "../config.ts";

/** The exit codes for scripts; listed in docs/cli.md. */
export const EXIT = {
  ok: 0,
  /** The command failed, or a check found something. */
  failed: 1,
  /** Wrong arguments, options, paths or variables. */
  usage: 2,
  /** A running server or another command has locked the data folder. */
  inUse: 3,
  /** The key file is missing, damaged or belongs to another database, or the passphrase is wrong. */
  keyring: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Wrong arguments or options: the message says which, the program adds where to find help. */
export class UsageError extends Error {}

export interface Option extends ParseArgsOptionDescriptor {
  /** `NAME` in `--name NAME`; none for a flag. */
  readonly value?: string;
  readonly help: string;
}

export interface Given {
  /** The arguments after the command's name. */
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
}

/** The result of a command: as JSON, or as lines for people. */
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
  /** The folder that relative paths on the command line refer to. */
  readonly cwd: string;
  /** From NEW_KEYRING_PASSPHRASE or its file. */
  readonly newPassphrase: () => Passphrase | undefined;
  readonly now: () => Date;
  /** Runs `work` and shows its progress on a terminal. */
  progress<T>(label: string, work: (report: Report) => Promise<T> | T): Promise<T>;
  /** Prints a line for people in addition to the result; nothing with --json. */
  note(line: string): void;
}

export type Report = (done: number, total: number) => void;

export interface Command {
  /** Such as "keyring status". */
  readonly name: string;
  /** Such as "<dir>". */
  readonly positionals?: readonly string[];
  readonly options?: Readonly<Record<string, Option>>;
  /** One sentence for the list of commands, then further lines. */
  readonly help: readonly [string, ...string[]];
  run(context: Context, given: Given): Promise<Result> | Result;
}
