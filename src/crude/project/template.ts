// The files of a project. Their texts are in files/, with `{{…}}` where something is filled in.

import DECLARATIONS from "./files/crude.d.ts.txt" with { type: "text" };
import TESTING from "./files/crude_testing.ts.txt" with { type: "text" };
import IGNORED from "./files/crudeignore.txt" with { type: "text" };
import HANDLER from "./files/hello.ts.txt" with { type: "text" };
import TEST from "./files/hello_test.ts.txt" with { type: "text" };

export const TYPES_FILE = "crude.d.ts";
export const TESTING_FILE = "crude_testing.ts";
export const DENO_FILE = "deno.json";

/** The imports that a project's deno.json needs. */
export const IMPORTS: Readonly<Record<string, string>> = {
  "crude": `./${TYPES_FILE}`,
  "crude/testing": `./${TESTING_FILE}`,
};

/**
 * Returns the module `crude`, the types of handlers. `hono` is how they get Hono, such as `npm:hono@4.13.19`.
 * tests/cli/crude_types.test.ts compares it with what handlers are given.
 */
export function declarations(hono: string, secretNames: readonly string[]): string {
  const names = secretNames.map((name) => `  | ${JSON.stringify(name)}\n`).join("");
  return fill(DECLARATIONS, { hono, names });
}

/** Returns the module `crude/testing`. */
export function testingModule(hono: string): string {
  return fill(TESTING, { hono });
}

export function denoConfig(): string {
  return json({
    tasks: { check: "deno check .", test: "deno test" },
    imports: IMPORTS,
    compilerOptions: { noImplicitAny: false },
  });
}

/** Returns the texts of a new project's files, by their names. `url` is the server's, if there is one. */
export function projectFiles(hono: string, url: string | undefined): Record<string, string> {
  return {
    "hello.ts": HANDLER,
    "hello_test.ts": TEST,
    "crude.json": json({
      ...(url !== undefined && { $schema: `${url}/crude.schema.json` }),
      functions: { hello: { handler: "hello.ts", route: "/hello/:name" } },
    }),
    [DENO_FILE]: denoConfig(),
    ".crudeignore": IGNORED,
    [TYPES_FILE]: declarations(hono, []),
    [TESTING_FILE]: testingModule(hono),
  };
}

function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => values[name]!);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
