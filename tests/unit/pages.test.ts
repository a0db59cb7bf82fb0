// The pages use the shared components, and these are made for a keyboard and a screen reader.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Hono } from "hono";
import { z } from "zod";
import { AppError } from "../../src/errors.ts";
import type { WebEnv } from "../../src/control/web/shell/deps.ts";
import { formRoute } from "../../src/control/web/shell/form_route.ts";
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
    "components/components.tsx": "shows buttons without a form",
    "home/attention.tsx": "the links of an item, without a form",
    "keys/groups.tsx": "links that lead on, without a form",
  }],
  [/class="pager"/, "Pager", {}],
  [/no-explicit-any/, "a type", {}],
  [/"problems" in /, "formRoute", {
    "audit/audit.tsx": "the filter is not posted",
    "keys/selection.tsx": "its list is of the keys that were chosen, also after one is gone",
    "logs/list.tsx": "the filter is not posted",
    "logs/logs.tsx": "the filter is not posted",
    "files/files.tsx": "an upload is saved file by file",
    "secrets/form.tsx": "the effect is another button of forms that formRoute handles",
    "secrets/paste.tsx": "the preview is another button of a form that formRoute handles",
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

Deno.test("a form is shown, shown again with its problems and the subject as it is now, or leads on", async () => {
  const web = new Hono<WebEnv>();
  const acted: string[] = [];
  let stored = "old";
  formRoute(web, {
    path: "/things/:id",
    subject: (c) => ({ id: c.req.param("id"), stored }),
    initial: ({ stored }) => ({ name: stored }),
    read: (typed) => ({ name: typed["name"]?.[0] ?? "" }),
    schema: (values) => z.object({ name: z.string().min(1, "must not be empty") }).parse(values),
    act: ({ subject: { id }, input: { name }, expected }) => {
      acted.push(`${id} ${name} ${expected}`);
      stored = "changed meanwhile";
      if (name === "taken") throw new AppError("Conflict", 409, "Taken.", { name: "is taken" });
      if (name === "bug") throw new Error("a bug");
    },
    page: (c, { subject, values, problems = {}, status }) => c.json([subject.stored, values.name, problems], status),
    then: (_, { subject: { id } }) => ({ to: `/things/${id}/next` }),
  });
  web.onError((error, c) => c.text(error.message, 500));
  const post = (fields: Record<string, string>) =>
    web.request("/things/5", { method: "POST", body: new URLSearchParams(fields) });
  const read = async (response: Response) => [response.status, await response.json()];

  assert.deepEqual(await read(await web.request("/things/5")), [200, ["old", "old", {}]]);
  assert.deepEqual(await read(await post({ name: "" })), [400, ["old", "", { name: "must not be empty" }]]);
  assert.deepEqual(acted, [], "what does not parse is not carried out");
  assert.deepEqual(await read(await post({ name: "taken" })), [
    409,
    ["changed meanwhile", "taken", { name: "is taken" }],
  ]);
  const bug = await post({ name: "bug" });
  assert.deepEqual([bug.status, await bug.text()], [500, "a bug"]);
  const done = await post({ name: "new", version: "v1" });
  assert.deepEqual([done.status, done.headers.get("location")], [303, "/things/5/next"]);
  assert.equal(acted.at(-1), "5 new v1");
});
