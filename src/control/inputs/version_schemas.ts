// Defines the schemas of /api/versions and /api/deployments that they share.

import { z } from "@hono/zod-openapi";
import { CAUSES } from "../../code/versions/history.ts";
import { ACTOR_KINDS } from "../../actor.ts";
import { idSchema, label, query, text, timeSchema } from "./fields.ts";
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
