// /api/settings

import { createRoute, z } from "@hono/zod-openapi";
import { DEFINITIONS, SETTING_NAMES } from "../../settings/definitions.ts";
import type { Settings } from "../../settings/settings.ts";
import type { Api, ApiDeps } from "./deps.ts";
import { jsonBody } from "./body.ts";
import { answer, body, errors, json } from "./schemas.ts";

const settingSchema = z.object({
  name: z.string(),
  value: z.unknown(),
  default: z.unknown(),
  meaning: z.string(),
}).openapi("Setting");

const listSchema = z.object({ settings: z.array(settingSchema) });

/** The names and values are checked by the settings themselves, which know what else is stored. */
const changeSchema = body({
  settings: z.record(z.string(), z.unknown(), {
    error: ({ input }) => input === undefined ? "is required" : "must be an object of values by name",
  })
    .refine((settings) => Object.keys(settings).length > 0, "must name at least one setting")
    .openapi({
      type: "object",
      minProperties: 1,
      additionalProperties: false,
      properties: Object.fromEntries(SETTING_NAMES.map((name) => {
        const { $schema: _, ...schema } = z.toJSONSchema(DEFINITIONS[name].schema);
        return [name, { ...schema, description: DEFINITIONS[name].meaning }];
      })) as Record<string, { description: string }>,
    }),
}).openapi("SettingsChange");

const tags = ["Settings"];

const list = createRoute({
  method: "get",
  path: "/api/settings",
  tags,
  summary: "List settings",
  responses: { 200: answer("All settings.", listSchema), ...errors() },
});

const change = createRoute({
  method: "put",
  path: "/api/settings",
  tags,
  summary: "Change settings, all of those given or none",
  middleware: jsonBody,
  request: { body: json(changeSchema) },
  responses: { 200: answer("All settings as they are now.", listSchema), ...errors(400, 413, 415) },
});

export function addSettings(api: Api, { settings }: ApiDeps): void {
  const all = (service: Settings) => ({ settings: service.list() });

  api.openapi(list, (c) => c.json(all(settings), 200));

  api.openapi(change, (c) => {
    settings.change(c.get("actor"), c.req.valid("json").settings);
    return c.json(all(settings), 200);
  });
}
