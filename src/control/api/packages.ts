// Implements /api/packages: lists the packages that functions use, and updates one.

import { z } from "@hono/zod-openapi";
import { refusedUpdate } from "../../code/packages.ts";
import type { Api, ApiDeps } from "../services.ts";
import { functionRef } from "../inputs/references.ts";
import { apiRoute } from "./route.ts";
import { answer, body, errors, idSchema, json, mustBe, text } from "../inputs/fields.ts";

const PACKAGE_NAME = /^(?:@[\w.~-]+\/)?[\w.~-]+$/;
const NAME_MAX_LENGTH = 214;
const FUNCTIONS_MAX = 1_000;

const bytes = z.int().min(0).openapi({ description: "Bytes." });
const packageSchema = z.object({
  name: z.string(),
  registry: z.enum(["npm", "jsr"]),
  native: z.boolean().openapi({ description: "Whether it contains native code, which functions cannot run." }),
  size: bytes,
  description: z.string().nullable().openapi({ description: "What its newest version says about itself." }),
  versions: z.array(z.object({
    version: z.string(),
    size: bytes,
    license: z.string().nullable().openapi({ description: "As the package writes it, such as MIT." }),
    functions: z.array(z.object({
      id: idSchema,
      name: z.string(),
      specifiers: z.array(z.string()).openapi({
        description: "How its code imports the package; empty if only other packages need it.",
      }),
    })),
  })),
}).openapi("Package");

const updateSchema = body({
  to: text().min(1, "must not be empty").max(100, "must have at most 100 characters").optional().openapi({
    description: "A range or version that each function's imports allow; by default, the newest allowed one.",
  }),
  functions: z.array(functionRef, mustBe("a list of ids or names")).min(1, "must not be empty")
    .max(FUNCTIONS_MAX, `must have at most ${FUNCTIONS_MAX} entries`).optional().openapi({
      description: "Ids or names of the functions to update; by default, all that import the package.",
    }),
  dryRun: z.boolean(mustBe("true or false")).optional().openapi({
    description: "Reports what would change, without changing it.",
  }),
}).openapi("PackageUpdate");

const resultSchema = z.object({
  updated: z.array(z.object({
    id: idSchema,
    name: z.string(),
    from: z.array(z.string()),
    to: z.array(z.string()),
  })),
  problems: z.array(z.string()).openapi({ description: "Why the package cannot be updated; only with `dryRun`." }),
  warnings: z.array(z.string()),
}).openapi("PackageUpdateResult");

const tags = ["Packages"];

const list = apiRoute({
  method: "get",
  path: "/api/packages",
  operationId: "listPackages",
  tags,
  summary: "List packages",
  description: "The packages that functions import, and their dependencies, in order of name.",
  responses: { 200: answer("The packages.", z.object({ packages: z.array(packageSchema) })), ...errors() },
});

const update = apiRoute({
  method: "post",
  path: "/api/packages/{name}/update",
  operationId: "updatePackage",
  tags,
  summary: "Update an npm package",
  description:
    "For all functions that import it, or for some. Each is first loaded with the new version; all are changed or none.",
  request: {
    params: z.object({
      name: z.string().max(NAME_MAX_LENGTH, "is too long").regex(PACKAGE_NAME, "must be the name of a package")
        .openapi({
          param: { name: "name", in: "path" },
          description: "Encode the slash of a scope: `@scope%2Fname`.",
        }),
    }),
    body: json(updateSchema),
  },
  responses: { 200: answer("The changes.", resultSchema), ...errors(400, 404, 409, 413, 415) },
});

export function addPackages(api: Api, { packages, names }: ApiDeps): void {
  api.openapi(list, async (c) => c.json({ packages: mutable(await packages.list()) }, 200));

  api.openapi(update, async (c) => {
    const { functions: refs, ...rest } = c.req.valid("json");
    const functions = refs?.map((ref, index) => names.functionId(ref, `functions.${index}`));
    const wanted = { ...rest, functions };
    const result = await packages.update(c.get("actor"), c.req.valid("param").name, wanted);
    if (result.problems.length > 0 && !wanted.dryRun) throw refusedUpdate(result);
    return c.json(mutable(result), 200);
  });
}

type Mutable<T> = T extends (string | number | boolean) ? T
  : T extends readonly (infer Item)[] ? Mutable<Item>[]
  : { -readonly [K in keyof T]: Mutable<T[K]> };

/** Copies a list: the schemas' types are not read-only. */
function mutable<T>(value: T): Mutable<T> {
  return value as Mutable<T>;
}
