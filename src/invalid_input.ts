// Converts what a schema refused to the error for the caller.

import type { z } from "zod";
import { AppError } from "./errors.ts";

/** Returns a 400 that names every field that a schema refused. */
export function invalidInput(error: z.ZodError): AppError {
  // A map instead of an object: assigning to `details["__proto__"]` would lose that field.
  const problems = new Map<string, string>();
  const add = (path: readonly PropertyKey[], problem: string): void => {
    const field = path.join(".") || "body";
    if (!problems.has(field)) problems.set(field, problem);
  };
  for (const issue of error.issues) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) add([...issue.path, key], "is not a known field");
    } else add(issue.path, issue.message);
  }
  const [[field, problem]] = [...problems] as [[string, string]];
  return new AppError("InvalidInput", 400, `${field} ${problem}`, Object.fromEntries(problems));
}
