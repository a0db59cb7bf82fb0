// Defines crude.json, the file in a project that says which functions it has: its schema, its parser, and its JSON
// Schema for editors.

import { OpenAPIHono, z } from "@hono/zod-openapi";
import { invalid } from "../../errors.ts";
import { invalidInput } from "../../invalid_input.ts";
import { functionEntries } from "./function_schemas.ts";
import { body, text } from "./fields.ts";

export const CRUDE_JSON = "crude.json";

export const crudeJson = body({
  $schema: text().optional().openapi({ description: "The address of this schema, for editors." }),
  functions: functionEntries,
}).openapi("CrudeJson", { description: "The functions of a project." });

export type CrudeJson = z.output<typeof crudeJson>;

/**
 * Parses the text of a crude.json.
 * @throws AppError InvalidInput (400) whose details name each field, such as `functions.hello.route`, or the file
 */
export function parseCrudeJson(source: string): CrudeJson {
  let json: unknown;
  try {
    json = JSON.parse(source.replace(/^\ufeff/, ""));
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(CRUDE_JSON, `is not valid JSON: ${error.message}`);
    throw error;
  }
  const parsed = crudeJson.safeParse(json);
  if (!parsed.success) throw invalidInput(parsed.error);
  return parsed.data;
}

/** Returns the JSON Schema (draft-07, which all editors know) of crude.json. */
export function crudeJsonSchema(): unknown {
  const { openAPIRegistry, getOpenAPI31Document } = new OpenAPIHono();
  openAPIRegistry.register("CrudeJson", crudeJson);
  const { components } = getOpenAPI31Document({ openapi: "3.1.0", info: { title: CRUDE_JSON, version: "1" } });
  const { CrudeJson, ...definitions } = components?.schemas ?? {};
  const schema = { $schema: "http://json-schema.org/draft-07/schema#", title: CRUDE_JSON, ...CrudeJson, definitions };
  // OpenAPI has its own place for references, and a keyword for a single example.
  const text = JSON.stringify(schema).replaceAll("#/components/schemas/", "#/definitions/");
  return JSON.parse(text, function (key, value) {
    if (key !== "example") return value;
    this.examples = [value];
    return undefined;
  });
}
