// Defines the query for log entries, and the nodes that did not give theirs, for the API and the pages.

import { z } from "@hono/zod-openapi";
import type { SilentNode } from "../../telemetry/cluster/node_logs.ts";
import { LEVELS } from "../../telemetry/logs.ts";
import { moment } from "./audit_schemas.ts";
import { mustBe, query } from "./fields.ts";
import { functionRefText, keyRefText } from "./references.ts";

const PAGE_MAX = 1_000;
const PAGE_DEFAULT = 100;
const LIMIT_PROBLEM = `must be a whole number from 1 to ${PAGE_MAX}`;
const SEARCH_MAX_LENGTH = 200;

export const levelSchema = z.enum(LEVELS, mustBe(`one of ${LEVELS.join(", ")}`));

export const logFilter = {
  functionId: functionRefText.optional(),
  requestId: z.string(mustBe("given once")).max(100, "must have at most 100 characters").optional(),
  key: keyRefText.optional().openapi({
    description:
      "Only entries of calls that this API key admitted: its id (digits alone), or its name such as `staging/acme`.",
  }),
  level: levelSchema.optional().openapi({ description: "This level and more severe ones." }),
  search: z.string(mustBe("given once")).max(SEARCH_MAX_LENGTH, `must have at most ${SEARCH_MAX_LENGTH} characters`)
    .optional()
    .openapi({ description: "Words that the message must contain; each may be the beginning of a word." }),
};

const storedFilter = {
  ...logFilter,
  from: moment("The first moment that counts."),
  to: moment("The first moment that no longer counts."),
};

export const logListQuery = query({
  ...storedFilter,
  limit: z.string(mustBe("given once")).regex(/^[1-9][0-9]{0,3}$/, LIMIT_PROBLEM)
    .refine((text) => Number(text) <= PAGE_MAX, LIMIT_PROBLEM)
    .optional()
    .transform((text) => text === undefined ? PAGE_DEFAULT : Number(text))
    .openapi({ type: "integer", minimum: 1, maximum: PAGE_MAX, default: PAGE_DEFAULT, pattern: undefined }),
  // Its content is checked where the entries are: it says how far each node's were read.
  cursor: z.string(mustBe("given once")).optional().openapi({ description: "The `next` of the previous page." }),
});

export const logExportQuery = query({
  ...storedFilter,
  format: z.enum(["jsonl", "text"], mustBe("jsonl or text")).optional().transform((format) => format ?? "jsonl")
    .openapi({ type: "string", enum: ["jsonl", "text"], default: "jsonl", description: "Both have an entry a line." }),
});

/** Returns the times of a query as those of a `LogFilter`. */
export function timesOf({ from, to }: { from?: number | undefined; to?: number | undefined }) {
  return { from, until: to === undefined ? undefined : to - 1 };
}

export const silentSchema = z.object({
  node: z.string(),
  error: z.string().openapi({ description: "Why it did not answer." }),
}).openapi("SilentNode");

/** Returns the JSON of a node that did not answer. */
export function silentJson({ node, why }: SilentNode): z.infer<typeof silentSchema> {
  return { node, error: why };
}
