// Shows what the server answers to a deployment or to a rollback.

import type { Result } from "../base/command.ts";
import { CrudeError, EXIT } from "../base/errors.ts";
import { count } from "../base/text.ts";
import { type Plan, planLines, type Problem, problemLines } from "./plan.ts";

/** The server loads the code of what changed. */
export const DEPLOY_TIMEOUT_MS = 15 * 60_000;

/** What a deployment would change, and what would stop it. */
export interface DryRun {
  readonly plan: Plan;
  readonly problems: readonly Problem[];
  readonly warnings?: readonly Problem[];
}

/** The exit code says whether it would be deployed. */
export function dryRunResult({ plan, problems, warnings }: DryRun): Result {
  return {
    json: { plan, problems, ...(warnings && { warnings }) },
    lines: [
      ...planLines(plan),
      ...(problems.length > 0 ? [`${count(problems.length, "problem")}:`, ...problemLines(problems)] : []),
      ...warningLines(warnings),
      "Nothing was changed.",
    ],
    exitCode: problems.length > 0 ? EXIT.failed : EXIT.ok,
  };
}

export function warningLines(warnings: readonly Problem[] | undefined): string[] {
  if (!warnings || warnings.length === 0) return [];
  return [`${count(warnings.length, "warning")}:`, ...problemLines(warnings)];
}

/** Returns the error with a line for each problem, if that is what it is about. */
export function withProblems(error: unknown): unknown {
  if (!(error instanceof CrudeError && error.code === "DeploymentProblems")) return error;
  const { problems = [] } = (error.details ?? {}) as { problems?: readonly Problem[] };
  const { exitCode, code, details } = error;
  return new CrudeError(error.message, { exitCode, code, details, lines: problemLines(problems) });
}
