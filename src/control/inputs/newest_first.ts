// Defines the query parameters of lists whose newest entries come first.

import { z } from "@hono/zod-openapi";
import { Buffer } from "node:buffer";
import { mustBe } from "./fields.ts";

const PAGE_MAX = 1_000;
const PAGE_DEFAULT = 100;
const LIMIT_PROBLEM = `must be a whole number from 1 to ${PAGE_MAX}`;

/** The cursor of a page is the last id of the previous one. It is opaque, so that its meaning can change. */
export function beforeCursor(before: number): string {
  return Buffer.from(`before ${before}`).toString("base64url");
}

/** The id that the page's ids are below. */
export const beforeCursorSchema = z.string(mustBe("given once")).optional().transform((cursor, context): number => {
  if (cursor === undefined) return Number.MAX_SAFE_INTEGER;
  const before = Number(/^before ([1-9][0-9]*)$/.exec(Buffer.from(cursor, "base64url").toString())?.[1]);
  if (Number.isSafeInteger(before) && beforeCursor(before) === cursor) return before;
  context.addIssue({ code: "custom", message: "must be the `next` of an answer" });
  return z.NEVER;
}).openapi({ description: "The `next` of the previous page." });

export const pageLimitSchema = z.string(mustBe("given once")).regex(/^[1-9][0-9]{0,3}$/, LIMIT_PROBLEM)
  .refine((text) => Number(text) <= PAGE_MAX, LIMIT_PROBLEM)
  .optional()
  .transform((text) => text === undefined ? PAGE_DEFAULT : Number(text))
  .openapi({ type: "integer", minimum: 1, maximum: PAGE_MAX, default: PAGE_DEFAULT, pattern: undefined });
