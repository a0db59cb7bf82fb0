// The pages use the shared components, and these are made for a keyboard and a screen reader.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DataTable } from "../../src/control/web/ui/data_table.tsx";
import { FieldSet, TextField } from "../../src/control/web/ui/fields.tsx";

const PAGES = fileURLToPath(new URL("../../src/control/web/pages", import.meta.url));

/** Markup that only a component of ui/ may write, and the files of pages/ that have a reason to write it. */
const SHARED: readonly (readonly [markup: RegExp, component: string, exceptions: Record<string, string>])[] = [
  [/<table/, "DataTable", { "secrets/browse.tsx": "each row of the matrix unfolds into another one" }],
  [/spellcheck=|autocapitalize=|class="code"/, "CodeField or isVerbatim", {}],
  [/<dl class="facts"/, "Facts", {}],
  [/class="actions"/, "FormActions", {
    "sign_in/sign_in.tsx": "its second step has a link, not a button, to leave it",
  }],
  [/class="pager"/, "Pager", {}],
  [/no-explicit-any/, "a type", {}],
  [/"problems" in /, "formRoute", {
    "audit/audit.tsx": "the filter is not posted",
    "logs/logs.tsx": "the filter is not posted",
    "files/files.tsx": "an upload is saved file by file",
    "settings/settings.tsx": "a button of the form resets one setting and keeps what is typed",
    "sign_in/setup.tsx": "signs the user in",
    "users/password_link.tsx": "signs the user in",
  }],
];

Deno.test("tables, code fields, facts, form buttons, pagers and posted forms are the shared ones", () => {
  const found: string[] = [];
  const used = new Set<string>();
  for (const path of readdirSync(PAGES, { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".tsx")) continue;
    const text = readFileSync(join(PAGES, path), "utf8");
    for (const [markup, component, exceptions] of SHARED) {
      if (!markup.test(text)) continue;
      if (exceptions[path] === undefined) found.push(`${path}: write ${component} instead of ${markup.source}`);
      else used.add(`${component} ${path}`);
    }
  }
  assert.deepEqual(found, []);
  const listed = SHARED.flatMap(([, component, exceptions]) =>
    Object.keys(exceptions).map((path) => `${component} ${path}`)
  );
  assert.deepEqual([...used].sort(), listed.sort(), "an exception that is no longer needed");
});

Deno.test("a table is a region that can be focused and scrolled, and its stacked cells say what they are", () => {
  const html = String(DataTable({
    label: "Fruit",
    isStacked: true,
    rows: [{ name: "<Apple>", count: 3 }],
    columns: [
      { label: "Name", isRowHeader: true, cell: ({ name }) => name },
      { label: "Count", isFigure: true, cell: ({ count }) => count },
      false,
      { label: "Actions", isLabelHidden: true, cell: () => "Eat" },
      { label: "Buy", narrowLabel: null, cell: () => "Buy" },
    ],
  }));
  assert.match(html, /^<div class="scroll" tabindex="0" role="region" aria-label="Fruit">/);
  assert.match(html, /<th scope="row">&lt;Apple&gt;<\/th>/);
  assert.match(html, /<td class="figure" data-label="Count">3<\/td>/);
  assert.match(html, /<span class="visually-hidden">Actions<\/span>/);
  assert.match(html, /<td\s*>Eat<\/td><td\s*>Buy<\/td>/);
});

Deno.test("a field reads out its hint and its problem, which is a sentence about it", () => {
  const problems = { name: "must not be empty" };
  const html = String(
    TextField({ name: "name", label: "Name", hint: "Any", problems, prefix: "a-", isVerbatim: true }),
  );
  assert.match(html, /<label for="a-name">Name<\/label>/);
  assert.match(
    html,
    /<input [^>]*id="a-name"[^>]*aria-describedby="a-name-hint a-name-problem"[^>]*aria-invalid="true"/,
  );
  assert.match(html, /<input [^>]*spellcheck="false" autocapitalize="off"/);
  assert.match(html, /<small id="a-name-problem" class="problem">Name must not be empty\.<\/small>/);
  const set = String(FieldSet({ name: "name", label: "Name", problems, children: "" }));
  assert.match(set, /<fieldset id="name" [^>]*aria-describedby="name-problem"/);
});
