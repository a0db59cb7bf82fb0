// Defines what a command of `crude` consists of: its words, options, result and exit code.

import type { ParseArgsOptionDescriptor } from "node:util";
import type { Client } from "./client.ts";
import { type ExitCode, wrongUsage } from "./errors.ts";
import type { Profiles } from "./profiles.ts";
import type { Terminal } from "./terminal.ts";

export interface Option extends ParseArgsOptionDescriptor {
  /** `NAME` in `--name NAME`; none for a flag. */
  readonly value?: string;
  /** What the shell's completion offers. */
  readonly choices?: readonly string[];
  readonly help: string;
}

export type Options = Readonly<Record<string, Option>>;

export interface Positional {
  /** Such as `NAME`. */
  readonly name: string;
  readonly optional?: boolean;
}

/** What was typed after the words of a command. */
export class Given {
  constructor(
    readonly positionals: readonly string[],
    readonly options: Readonly<Record<string, string | boolean | string[] | undefined>>,
  ) {}

  /** Returns a positional that the command requires. */
  at(index: number): string {
    return this.positionals[index]!;
  }

  text(name: string): string | undefined {
    const value = this.options[name];
    return typeof value === "string" ? value : undefined;
  }

  texts(name: string): readonly string[] {
    const value = this.options[name];
    return Array.isArray(value) ? value : [];
  }

  flag(name: string): boolean {
    return this.options[name] === true;
  }

  /** Returns a whole number of at least `min`. @throws CrudeError (usage) */
  number(name: string, min = 1): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^[0-9]{1,15}$/.test(text) || Number(text) < min) {
      throw wrongUsage(`--${name} must be a whole number of at least ${min}.`);
    }
    return Number(text);
  }
}

/** The result of a command: one object for `--json`, and what people read. */
export interface Result {
  readonly json: Readonly<Record<string, unknown>>;
  readonly lines?: readonly string[];
  /** Printed as it is instead of `lines`. */
  readonly bytes?: Uint8Array;
  readonly exitCode?: ExitCode;
}

export interface Context {
  readonly version: string;
  /** The Hono that handlers are given, such as `npm:hono@4.13.19`. */
  readonly hono: string;
  /** The folder of the program, if this runs from its sources. */
  readonly home?: string;
  /** Path of Deno, if it runs this program. */
  readonly deno?: string;
  /** Runs a program with this terminal, and returns its exit code. @throws CrudeError if it cannot be started */
  runProgram(program: string, args: readonly string[]): Promise<number>;
  readonly cwd: string;
  readonly env: (name: string) => string | undefined;
  readonly json: boolean;
  readonly terminal: Terminal;
  readonly profiles: Profiles;
  /** Returns a client with the credential in use. @throws CrudeError (usage) if there is none */
  connect(): Promise<Client>;
  /** Prints a line for people on standard error; nothing with `--json`. */
  note(line: string): void;
  /** Writes a part of a stream to standard output; resolves once it is written. */
  write(part: string | Uint8Array): Promise<void>;
}

export interface Command {
  /** Such as "secrets set". */
  readonly name: string;
  readonly positionals?: readonly Positional[];
  readonly options?: Options;
  /** One sentence for the list of commands, then further lines. */
  readonly help: readonly [string, ...string[]];
  /** `undefined`: everything was printed as a stream. */
  run(context: Context, given: Given): Promise<Result | undefined>;
}
