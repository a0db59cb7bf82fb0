// Implements the page of one file, which shows it in the editor or its size, and moves, deletes and downloads it.

import type { Context } from "hono";
import { sha256Of } from "../../../../sha256.ts";
import { asText } from "../../../inputs/body.ts";
import { FormActions } from "../../ui/components.tsx";
import { CodeField, ProblemSummary } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, fieldText, type Problems, readForm, redirect } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { CODE_MAX_BYTES, CodeForm, EDIT_PATH, eolOf, PATHS_PATH, sizeText } from "../../ui/code_form.tsx";
import { addCheck, addSave } from "./edit.tsx";
import { Breadcrumbs, editPath, FILES_PATH, folderPath } from "./folders.tsx";
import { FileTree, readTree } from "./tree.tsx";
import { Importers, UsedBy } from "./used_by.tsx";

/** How many paths the editor is sent for completion. */
const PATHS_MAX = 2_000;

export function addFile(web: Web, deps: WebDeps): void {
  const { files } = deps;
  addSave(web, deps);
  addCheck(web, deps);
  addMove(web, deps);

  web.get(EDIT_PATH, (c) => showFile(c, deps, c.req.query("path") ?? ""));

  // For completion of imports in the editor.
  web.get(PATHS_PATH, async (c) => {
    const paths = (await files.list()).slice(0, PATHS_MAX).map(({ path }) => path);
    return c.json({ paths });
  });

  web.get(`${FILES_PATH}/download`, async (c) => {
    const path = c.req.query("path") ?? "";
    const { content } = await files.read(path);
    const name = encodeURIComponent(path.split("/").at(-1)!).replaceAll("'", "%27");
    return c.body(content, 200, {
      "Content-Type": "application/octet-stream",
      // Browsers must never open it as a page of this origin.
      "Content-Disposition": `attachment; filename*=UTF-8''${name}`,
    });
  });

  web.get(`${FILES_PATH}/delete`, async (c) => {
    const path = c.req.query("path") ?? "";
    await files.read(path);
    return showDelete(c, deps, path);
  });

  web.post(`${FILES_PATH}/delete`, async (c) => {
    const path = fieldText(await readForm(c), "path");
    await files.delete(c.get("actor"), path);
    // An empty folder is deleted with its last file.
    const folder = path.split("/").slice(0, -1).join("/");
    const left = await attempt(() => files.folder(folder, 0, 1));
    return redirect(c, folderPath("done" in left ? folder : ""), `Deleted ${path}.`);
  });
}

function addMove(web: Web, deps: WebDeps): void {
  formRoute(web, {
    path: `${FILES_PATH}/move`,
    read: (typed) => ({ path: fieldText(typed, "path"), to: fieldText(typed, "to").trim() }),
    act: async ({ actor, values: { path, to } }) => {
      const moved = await deps.fileUses.move(actor, path, to);
      return { ...moved, ...await deps.preflight.file(to) };
    },
    page: (c, { values: { path, to }, problems }) => {
      const { "": other, from: place, ...rest } = problems!;
      const problem = other ?? place;
      return showFile(c, deps, path, { ...rest, ...(problem !== undefined && { to: problem }) }, to);
    },
    then: ({ functions, importers, problems, warnings }, { values: { path, to } }) => {
      const notices = [
        `Moved ${path} to ${to}.`,
        ...(functions.length > 0
          ? [`It is now the handler file of ${functions.map(({ name }) => name).join(", ")}.`]
          : []),
        ...(importers.length > 0 ? [`${importers.join(", ")} still imports ${path}: change the import there.`] : []),
      ];
      return { to: editPath(to), notice: [...notices, ...problems, ...warnings].join(" ") };
    },
  });
}

async function showFile(c: Context<WebEnv>, deps: WebDeps, path: string, problems?: Problems, to = path) {
  const { info, content } = await deps.files.read(path);
  const text = content.length > CODE_MAX_BYTES ? undefined : asText(content);
  const query = new URLSearchParams({ path });
  const tree = await readTree(deps, path);
  return page(c, {
    title: path.split("/").at(-1)!,
    styles: ["functions.css"],
    scripts: ["editor.js"],
    actions: (
      <>
        <a href={`${FILES_PATH}/history?${query}`} class="button secondary">History of this file</a>
        <a href={`${FILES_PATH}/download?${query}`} class="button secondary">Download</a>
      </>
    ),
    children: (
      <>
        <Breadcrumbs path={path} />
        <div class="with-tree">
          <FileTree tree={tree} path={path} />
          <div>
            <UsedBy path={path} deps={deps} />
            <ProblemSummary problems={problems} labels={{ to: "New path" }} />
            {text === undefined
              ? (
                <p class="empty">
                  {content.length > CODE_MAX_BYTES && asText(content) !== undefined
                    ? `This text is too large for the editor: ${sizeText(info.sizeBytes)}.`
                    : `This file is binary: ${sizeText(info.sizeBytes)}.`} Download it, or upload a replacement.
                </p>
              )
              : <CodeForm path={path} content={text} hash={sha256Of(content)} eol={eolOf(text)} />}
            <div class="sides">
              <form method="post" action={`${FILES_PATH}/move`} aria-labelledby="move">
                <FormToken />
                <h2 id="move">Rename or move</h2>
                <input type="hidden" name="path" value={path} />
                <CodeField
                  name="to"
                  label="New path"
                  value={to}
                  problems={problems}
                  required
                  hint="Functions with this handler file use the new path. Imports in other files are not changed."
                />
                <button type="submit" class="secondary">Move</button>
              </form>
              <section class="danger-zone" aria-labelledby="delete">
                <h2 id="delete">Delete</h2>
                <p>Handlers that import it fail from their next call on.</p>
                <a href={`${FILES_PATH}/delete?${query}`} class="button secondary">Delete …</a>
              </section>
            </div>
          </div>
        </div>
      </>
    ),
  }, problems ? 400 : 200);
}

function showDelete(c: Context<WebEnv>, deps: WebDeps, path: string) {
  const handled = deps.registry.handledBy(path);
  const importers = deps.importers(path);
  return page(c, {
    title: `Delete ${path.split("/").at(-1)}?`,
    styles: ["functions.css"],
    children: (
      <form method="post" action={`${FILES_PATH}/delete`} class="confirm">
        <FormToken />
        <input type="hidden" name="path" value={path} />
        <p>
          <code>{path}</code> is deleted permanently.
        </p>
        {importers.length > 0 && (
          <p class="warning">
            <Importers paths={importers} /> {importers.length === 1 ? "imports" : "import"}{" "}
            it: calls of functions with these handlers will be answered with 500.
          </p>
        )}
        {handled.length > 0 && (
          <p class="warning">
            It is the handler of {handled.map(({ name }) => name).join(", ")}: calls will be answered with 500.
          </p>
        )}
        <FormActions submit={`Delete ${path.split("/").at(-1)}`} kind="danger" cancel={editPath(path)} />
      </form>
    ),
  });
}
