// Describes what a check found before a deployment: problems, which stop it, and warnings.

export const PROBLEM_KINDS = ["import", "load", "type", "secret", "group", "route"] as const;
export type ProblemKind = (typeof PROBLEM_KINDS)[number];

export interface DeploymentProblem {
  readonly kind: ProblemKind;
  /** Name of the function. */
  readonly function?: string;
  /** Path in the code folder. */
  readonly file?: string;
  readonly line?: number;
  /** A sentence for the author. */
  readonly message: string;
}

export interface DeploymentFindings {
  readonly problems: readonly DeploymentProblem[];
  readonly warnings: readonly DeploymentProblem[];
}

/** Returns a problem with the place that its sentence names, such as "lib/a.ts:3: …" or "… (lib/a.ts:3:14)". */
export function problemOf(kind: ProblemKind, name: string, handler: string, message: string): DeploymentProblem {
  const [, file, line] = /^([^\s:]+):(\d+): /.exec(message) ?? /\(([^\s():]+):(\d+):\d+\)\.?$/.exec(message) ?? [];
  return file === undefined
    ? { kind, function: name, file: handler, message }
    : { kind, function: name, file, line: Number(line), message };
}
