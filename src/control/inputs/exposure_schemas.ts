// Defines the query of /api/secrets/exposure, which the page uses, too.

import type { z } from "@hono/zod-openapi";
import type { KeyId } from "../../ids.ts";
import type { Names } from "../../core/access/names.ts";
import type { ExposureFilter } from "../../core/secrets/exposure.ts";
import { actorSchema, moment } from "./audit_schemas.ts";
import { evenIfFieldsAreWrong, query } from "./fields.ts";
import { functionRefText, keyRefText } from "./references.ts";

const WHO = ["keyId", "functionId", "actor"] as const;

export const exposureQuery = query({
  keyId: keyRefText.optional().openapi({
    description: "Calls with this API key, by its id (of a revoked one, too) or its name such as `staging/acme`, and " +
      "what it read through the API.",
  }),
  functionId: functionRefText.optional(),
  actor: actorSchema("What an actor read through the API or the pages: `key:5`, or an admin's e-mail address."),
  from: moment("Reads at this time or later."),
  to: moment("Reads before this time."),
}).superRefine((given, context) => {
  const [, second] = WHO.filter((name) => given[name] !== undefined);
  if (second === undefined) return;
  context.addIssue({ code: "custom", path: [second], message: "must not be given together with another of them" });
}, evenIfFieldsAreWrong);

/** Returns the filter of a query. @throws AppError NotFound (404) for a name that does not exist */
export function exposureFilter(
  { keyId, functionId, actor, from, to }: z.infer<typeof exposureQuery>,
  { names, now }: { readonly names: Names; readonly now: () => number },
): ExposureFilter {
  return {
    // A key that was revoked has an id, but no name any more.
    keyId: keyId === undefined ? undefined : typeof keyId === "number" ? keyId as KeyId : names.keyId(keyId, "keyId"),
    functionId: functionId === undefined
      ? undefined
      : typeof functionId === "number"
      ? functionId
      : names.functionId(functionId, "functionId"),
    actor,
    from: from ?? 0,
    to: to ?? now() + 1,
  };
}
