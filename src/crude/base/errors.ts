// Defines the errors of `crude` and the exit codes of its commands.

/** The exit codes for scripts; listed in docs/remote-cli.md. */
export const EXIT = {
  ok: 0,
  /** It could not be done. */
  failed: 1,
  /** Wrong words, options, files or variables; or a question that has no terminal to be asked on. */
  usage: 2,
  /** The server could not be reached. */
  unreachable: 3,
  /** The server does not accept the credential, or it may not do this. */
  denied: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A problem that the user can fix. `code` is stable: the server's, or one of this program. */
export class CrudeError extends Error {
  readonly exitCode: ExitCode;
  readonly code: string;
  /** What the server's answer said in addition, such as problems by field. */
  readonly details: unknown;
  /** Further lines for people. */
  readonly lines: readonly string[];

  constructor(
    message: string,
    { exitCode = EXIT.failed, code = "Failed", details, lines = [] }: {
      exitCode?: ExitCode;
      code?: string;
      details?: unknown;
      lines?: readonly string[];
    } = {},
  ) {
    super(message);
    this.exitCode = exitCode;
    this.code = code;
    this.details = details;
    this.lines = lines;
  }
}

/** Returns the error for wrong words, options, files or variables. */
export function wrongUsage(message: string): CrudeError {
  return new CrudeError(message, { exitCode: EXIT.usage, code: "Usage" });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
