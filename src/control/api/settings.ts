// Implements /api/settings: reads and changes settings.

import { z } from "@hono/zod-openapi";
import { DEFINITIONS, SETTING_NAMES } from "../../core/settings/definitions.ts";
import type { Settings } from "../../core/settings/settings.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute, ifMatch, tag } from "./route.ts";
import { answer, body, errors, json } from "../inputs/fields.ts";

const settingSchema = z.object({
  name: z.string(),
  value: z.unknown(),
  default: z.unknown(),
  meaning: z.string(),
}).openapi("Setting");

const listSchema = z.object({ settings: z.array(settingSchema) });

/** Any object: the settings check names and values themselves, together with what is stored. */
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

const list = apiRoute({
  method: "get",
  path: "/api/settings",
  operationId: "listSettings",
  etag: true,
  tags,
  summary: "List settings",
  responses: { 200: answer("All settings.", listSchema), ...errors() },
});

const change = apiRoute({
  method: "put",
  path: "/api/settings",
  operationId: "changeSettings",
  etag: true,
  conditional: true,
  tags,
  summary: "Change settings, either all of the given ones or none",
  request: { body: json(changeSchema) },
  responses: { 200: answer("All settings as they are now.", listSchema), ...errors(400, 413, 415) },
});

export function addSettings(api: Api, { settings, commit }: ApiDeps): void {
  const all = (service: Settings) => ({ settings: service.list() });

  api.openapi(list, (c) => {
    tag(c, settings.version());
    return c.json(all(settings), 200);
  });

  api.openapi(change, async (c) => {
    await commit(() => settings.change(c.get("actor"), c.req.valid("json").settings, ifMatch(c)));
    tag(c, settings.version());
    return c.json(all(settings), 200);
  });
}
