// Defines the schemas of /api/versions and /api/deployments that they share.

import { z } from "@hono/zod-openapi";
import { CAUSES } from "../../code/versions/history.ts";
import type { DeploymentRequest } from "../../code/deployments/request.ts";
import { PROBLEM_KINDS } from "../../code/deployments/problems.ts";
import { SHA256_PATTERN } from "../../sha256.ts";
import { ACTOR_KINDS } from "../../actor.ts";
import { body, idSchema, label, mustBe, query, text, timeSchema } from "./fields.ts";
import { functionEntries, refuseProto } from "./function_schemas.ts";
import { beforeCursorSchema, pageLimitSchema } from "./newest_first.ts";

const MESSAGE_MAX_LENGTH = 500;

/** Describes a change, in one line. */
export const messageField = label(MESSAGE_MAX_LENGTH).optional().openapi({
  description: "What was changed and why, for the history.",
});

export const authorSchema = z.object({
  kind: z.enum([...ACTOR_KINDS, "disk", "git"]).openapi({
    description: "`disk`: files were edited in the code folder.",
  }),
  id: z.string().nullable(),
  name: z.string().nullable().openapi({ description: "Such as `management/ci`, or an e-mail address." }),
}).openapi("Author");

export const versionSchema = z.object({
  id: idSchema,
  at: timeSchema,
  actor: authorSchema,
  cause: z.enum(CAUSES).openapi({
    description: "`start`: files that were in the code folder before there were versions; `disk`: edits there.",
  }),
  message: z.string(),
  tree: z.string().openapi({ description: "A hash of all files: equal for equal files." }),
}).openapi("CodeVersion");

export const changeSchema = z.enum(["created", "changed", "deleted"]);

export const deploymentsQuery = query({ limit: pageLimitSchema, cursor: beforeCursorSchema });

export const versionsQuery = query({
  limit: pageLimitSchema,
  cursor: beforeCursorSchema,
  path: text().optional().openapi({ description: "Only versions that changed this file." }),
});

/** The SHA-256 of a content. */
export function sha256Field() {
  return z.string(mustBe("text")).regex(SHA256_PATTERN, "must be a SHA-256 of 64 lower-case hexadecimal digits");
}

const FILES_MAX = 50_000;
const flag = (description: string) => z.boolean(mustBe("true or false")).default(false).openapi({ description });

const ifVersion = z.int(mustBe("a whole number")).min(0, "must not be negative").optional().openapi({
  description: "The newest version that the client knows; 0 for none. If there is another one, nothing is done (412).",
});
const dryRun = flag("Only return what would change, and the problems.");
const force = flag(
  "Deploy in spite of problems of the code and its secrets, and delete functions that own secrets.",
);

const files = z.preprocess(
  refuseProto("cannot be the path of a file"),
  z.record(
    z.string(),
    z.union([sha256Field(), z.null()], "must be a SHA-256 of 64 lower-case hexadecimal digits, or null"),
    mustBe("an object of hashes by path"),
  ),
).refine((files) => Object.keys(files).length <= FILES_MAX, `must have at most ${FILES_MAX} entries`)
  .transform((files): DeploymentRequest["files"] => new Map(Object.entries(files)))
  .openapi({
    description: "SHA-256 of each file's content by its path, of contents in /api/blobs; null deletes a file.",
    example: { "hello.ts": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" },
  });

export const newDeployment = body({
  message: messageField,
  files,
  functions: functionEntries.optional(),
  prune: flag("Delete files that are not listed and, if `functions` is given, functions that are not."),
  types: flag("Check types, too, which takes some seconds for each function that changes."),
  dryRun,
  force,
  ifVersion,
}).transform(({ message = "", functions, ifVersion, ...rest }) => ({ ...rest, message, functions, ifVersion }))
  .openapi("NewDeployment");

export const newRollback = body({ message: messageField, dryRun, force, ifVersion }).openapi("Rollback");

const names = z.array(z.string());
const changesSchema = z.object({ created: names, changed: names, deleted: names, unchanged: z.int() });

export const planSchema = z.object({
  files: changesSchema.openapi({ description: "Paths of files." }),
  functions: changesSchema.openapi({ description: "Names of functions." }),
}).openapi("DeploymentPlan");

export const deploymentProblemSchema = z.object({
  kind: z.enum(PROBLEM_KINDS),
  function: z.string().optional().openapi({ description: "Its name." }),
  file: z.string().optional(),
  line: z.int().optional(),
  message: z.string(),
}).openapi("DeploymentProblem");

export const deploymentSchema = z.object({
  id: idSchema,
  version: z.int().nullable().openapi({
    description: "The version of the code that calls ran from after it; null if there has never been a file.",
  }),
  at: timeSchema,
  actor: authorSchema,
  message: z.string(),
  rollbackOf: z.int().nullable().openapi({ description: "The deployment whose state it made live again." }),
  state: z.string().openapi({ description: "A hash of all files and functions after it: equal for equal ones." }),
  plan: planSchema,
}).openapi("Deployment");
