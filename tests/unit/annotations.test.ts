// Texts of handlers on their way to a check of types: whatever an author writes, it is read in time by its length. One
// that takes time by its square does not end before the deadline of these tests.

import assert from "node:assert/strict";
import { annotate } from "../../src/code/checks/handler_type_injection.ts";
import { readDiagnostics } from "../../src/code/checks/diagnostics.ts";
import { typeCheckConfig } from "../../src/code/checks/type_check_config.ts";

const TYPES = ["C", "X"] as const;
const MUCH = 1 << 20;

const HOSTILE: Record<string, string> = {
  "nothing but newlines": "\n".repeat(MUCH),
  "spaces after a function": `export default function${" ".repeat(MUCH)}x`,
  "spaces before the parameters": `export default async function* handler${" ".repeat(MUCH)};`,
  "spaces in the parameters": `export default (c${" ".repeat(MUCH)}, ctx${" ".repeat(MUCH)}:`,
  "an endless parameter": `export default (${"c".repeat(MUCH)}`,
  "many exports": "export default (c) => 1;\n".repeat(MUCH / 25),
  "many beginnings": "export default ".repeat(MUCH / 15),
  "spaces after an import": `import${" ".repeat(MUCH)}x`,
  "spaces after a call": `require (${" ".repeat(MUCH)}x`,
};

for (const [what, text] of Object.entries(HOSTILE)) {
  Deno.test(`a handler of ${what} is annotated, and its imports are found, in time by its length`, async () => {
    const { source, originalColumn } = annotate(text, TYPES, true);
    assert.ok(source.length >= text.length);
    assert.equal(originalColumn(0, 0), 0);
    const options = { codeDir: "/code", importHosts: [], honoJsx: "npm:hono/jsx" };
    assert.ok(await typeCheckConfig(new Map([["handler.ts", text]]), options));
  });
}

Deno.test("what the check prints of a line without end is read in time by its length", () => {
  const at = "    at file:///code/handler.ts:1:7\n";
  for (
    const line of [" ".repeat(200_000), `1 ${" ".repeat(200_000)}`, `| ${" ".repeat(200_000)}`, "~".repeat(200_000)]
  ) {
    const [found] = readDiagnostics(`TS2304 [ERROR]: Cannot find name 'x'.\n${line}x\n${at}`);
    assert.match(found!.message, /^Cannot find name/);
    assert.deepEqual([found!.line, found!.column], [1, 7]);
  }
});

const LISTS: readonly (readonly [text: string, annotated: string])[] = [
  ["export default (c, ctx) => 1;", "export default (c: C, ctx: X) => 1;"],
  ["export default async ( c , ctx , ) => 1;", "export default async ( c: C , ctx: X , ) => 1;"],
  ["export default function (c) {}", "export default function (c: C) {}"],
  ["export default async function * name (c, ) {}", "export default async function * name (c: C, ) {}"],
  ["export default function*(c) {}", "export default function*(c: C) {}"],
  ["// hi\n\texport  default\n(c) => 1", "// hi\n\texport  default\n(c: C) => 1"],
  ["export default (c: string) => 1;", "export default (c: string) => 1;"],
  ["export default functional(c);", "export default functional(c);"],
];

Deno.test("parameters of the default export get their types, however it is written", () => {
  for (const [text, annotated] of LISTS) assert.equal(annotate(text, TYPES, true).source, annotated);
  assert.equal(annotate("\n\n  export default (c) => 1;", TYPES, true).exportLine, 2);
});

Deno.test("more imports than are checked are refused", async () => {
  const text = Array.from({ length: 10_001 }, (_, n) => `import "name${n}";\n`).join("");
  const options = { codeDir: "/code", importHosts: [], honoJsx: "npm:hono/jsx" };
  await assert.rejects(typeCheckConfig(new Map([["handler.ts", text]]), options), /More than 10000 imports/);
});
