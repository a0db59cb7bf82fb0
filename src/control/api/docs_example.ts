// Makes an example of each operation: a command for a shell, with the fields that are required.

import type { JsonSchema } from "./api_document.ts";

export interface ExampleOf {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema?: JsonSchema;
  }[];
  readonly body: JsonSchema | undefined;
  readonly needsCredential: boolean;
}

type Schemas = Readonly<Record<string, JsonSchema>>;

/** Returns a command of `curl`; the address of the server and the key are variables of the shell. */
export function curlOf({ method, path, parameters, body, needsCredential }: ExampleOf, schemas: Schemas): string {
  const valueOf = ({ name, schema }: { name: string; schema?: JsonSchema }) =>
    encodeURIComponent(String(exampleOf(schema ?? {}, schemas, name))).replaceAll("%2F", "/");
  const filled = parameters.filter(({ in: place }) => place === "path")
    .reduce((text, parameter) => text.replace(`{${parameter.name}}`, valueOf(parameter)), path);
  const query = parameters.filter(({ in: place, required }) => place === "query" && required)
    .map((parameter) => `${parameter.name}=${valueOf(parameter)}`).join("&");
  return [
    `curl${method === "GET" ? "" : ` -X ${method}`} "$CRUDE_URL${filled}${query === "" ? "" : `?${query}`}"`,
    ...(needsCredential ? ['-H "X-API-Key: $CRUDE_KEY"'] : []),
    ...(body === undefined ? [] : [
      '-H "Content-Type: application/json"',
      `-d ${quoted(JSON.stringify(exampleOf(body, schemas)))}`,
    ]),
  ].join(" \\\n  ");
}

/** Returns a value that fits a schema; of an object, with the required fields. `name` stands for a text. */
function exampleOf(schema: JsonSchema, schemas: Schemas, name = "text"): unknown {
  if (schema.example !== undefined) return schema.example;
  if (schema.$ref !== undefined) return exampleOf(schemas[schema.$ref.split("/").at(-1)!] ?? {}, schemas, name);
  if (schema.const !== undefined) return schema.const;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum !== undefined) return schema.enum[0];
  const choice = schema.oneOf?.[0] ?? schema.anyOf?.[0];
  if (choice !== undefined) return exampleOf(choice, schemas, name);
  const parts = [schema, ...(schema.allOf ?? [])];
  if (parts.some(({ properties, $ref }) => properties !== undefined || $ref !== undefined)) {
    return Object.assign({}, ...parts.map((part) => objectOf(part, schemas)));
  }
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return true;
    case "array":
      return schema.items === undefined ? [] : [exampleOf(schema.items, schemas, name)];
    case "object":
      return {};
    default:
      return name;
  }
}

function objectOf(schema: JsonSchema, schemas: Schemas): Record<string, unknown> {
  if (schema.$ref !== undefined) return exampleOf(schema, schemas) as Record<string, unknown>;
  const properties = schema.properties ?? {};
  return Object.fromEntries(
    (schema.required ?? []).filter((name) => name in properties)
      .map((name) => [name, exampleOf(properties[name]!, schemas, name)]),
  );
}

/** Quotes a text for a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
