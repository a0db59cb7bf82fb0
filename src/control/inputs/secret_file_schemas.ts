// Defines the schemas of importing, exporting and copying secrets.

import { z } from "@hono/zod-openapi";
import { FILE_FORMATS } from "../../core/secrets/secret_files.ts";
import type { CopyTarget } from "../../core/secrets/service.ts";
import type { ImportedSecret, ImportPlan, ImportRequest } from "../../core/secrets/transfer.ts";
import { ownerId } from "../../ids.ts";
import { body, evenIfFieldsAreWrong, idSchema, mustBe, query, secretName, text } from "./fields.ts";
import { checkOwnerFits, ownerOf, ownerRefs, ownerRefTexts, scopeSchema } from "./secret_schemas.ts";

const PREFIXES_MAX = 100;

const formatSchema = z.enum(FILE_FORMATS, mustBe(`one of ${FILE_FORMATS.join(", ")}`));

const prefixOwner = body({ scope: scopeSchema, ...ownerRefs }).superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform(({ scope, ...refs }) => ownerOf(scope, refs));

const prefixesSchema = z.record(secretName(), prefixOwner, {
  error: ({ code, input }) =>
    code === "invalid_key"
      ? "must be the beginning of names: letters, digits, underscores and hyphens (a-z, A-Z, 0-9, _, -)"
      : mustBe("an object").error({ input }),
})
  .refine((prefixes) => Object.keys(prefixes).length <= PREFIXES_MAX, `must have at most ${PREFIXES_MAX} prefixes`)
  .openapi({
    description: 'Owners by prefix: `{"STAGING_": {"scope": "group", "groupId": "staging"}}`. ' +
      "The longest prefix of a name counts, and is removed from it.",
  });

export const importInput = body({
  format: formatSchema,
  content: text(),
  scope: scopeSchema,
  ...ownerRefs,
  prefixes: prefixesSchema.optional(),
  mode: z.enum(["upsert", "create"], mustBe("one of upsert, create")).default("upsert").openapi({
    description: "With `create`, a name that exists is a conflict (409).",
  }),
  dryRun: z.boolean(mustBe("true or false")).default(false).openapi({
    description: "Only show what would change. Invalid lines are in `invalid` then.",
  }),
}).superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform((
    { format, content, scope, prefixes = {}, mode, dryRun, ...refs },
  ): ImportRequest & { dryRun: boolean } => ({
    format,
    content,
    owner: ownerOf(scope, refs),
    prefixes: new Map(Object.entries(prefixes)),
    mode,
    dryRun,
  }))
  .openapi("SecretImport");

const importedSchema = z.object({
  name: z.string(),
  scope: scopeSchema,
  scopeId: idSchema.nullable(),
  scopeName: z.string().nullable(),
  line: z.int().min(1),
});

export const importResult = z.object({
  counts: z.object({ new: z.int(), changed: z.int(), same: z.int(), invalid: z.int() }),
  new: z.array(importedSchema),
  changed: z.array(importedSchema),
  same: z.array(importedSchema),
  invalid: z.array(z.object({ line: z.int().min(1), problem: z.string() })).openapi({
    description: "Empty without `dryRun`.",
  }),
}).openapi("SecretImportResult");

/** Converts a plan for the answer. */
export function importJson(plan: ImportPlan): z.infer<typeof importResult> {
  const imported = ({ name, owner, ownerName, line }: ImportedSecret) => ({
    name,
    scope: owner.scope,
    scopeId: ownerId(owner) || null,
    scopeName: ownerName,
    line,
  });
  return {
    counts: {
      new: plan.new.length,
      changed: plan.changed.length,
      same: plan.same.length,
      invalid: plan.invalid.length,
    },
    new: plan.new.map(imported),
    changed: plan.changed.map(imported),
    same: plan.same.map(imported),
    invalid: plan.invalid.map(({ line, problem }) => ({ line, problem })),
  };
}

/** The parameters of an export, for its OpenAPI document and its checks. */
export const exportQuery = query({ format: formatSchema.default("env"), scope: scopeSchema, ...ownerRefTexts });

/** The same, parsed. */
export const exportInput = exportQuery.superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform(({ format, scope, ...refs }) => ({ format, owner: ownerOf(scope, refs) }));

export const copyInput = body({
  scope: scopeSchema,
  ...ownerRefs,
  move: z.boolean(mustBe("true or false")).default(false).openapi({
    description: "Whether to delete the source, in the same transaction.",
  }),
}).superRefine(checkOwnerFits, evenIfFieldsAreWrong)
  .transform(({ scope, move, ...refs }): CopyTarget => ({ owner: ownerOf(scope, refs), move }))
  .openapi("SecretCopy");
