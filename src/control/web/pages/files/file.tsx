// Implements the page of one file, which shows it in the editor or its size, and the pages that move and delete it.

import type { Context } from "hono";
import { sha256Of } from "../../../../sha256.ts";
import { asText } from "../../../inputs/body.ts";
import { ButtonLink, Empty, FormActions, Menu, MenuLink } from "../../ui/components.tsx";
import { CodeField, ProblemSummary } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, fieldText, readForm, redirect } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { CODE_MAX_BYTES, CodeForm, EDIT_PATH, eolOf, PATHS_PATH, sizeText } from "../../ui/code_form.tsx";
import { addCheck, addSave } from "./edit.tsx";
import { actionPath, editPath, fileIcon, FILES_PATH, folderPath, nameOf, parentOf, trailOf } from "./folders.tsx";
import { ReadOnly } from "./read_only.tsx";
import { FileTree, readTree } from "./tree.tsx";
import { ImportersWarning, UsedBy } from "./used_by.tsx";

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
    const name = encodeURIComponent(nameOf(path)).replaceAll("'", "%27");
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
    const folder = parentOf(path);
    const left = await attempt(() => files.folder(folder, 0, 1));
    return redirect(c, folderPath("done" in left ? folder : ""), `Deleted ${path}.`);
  });
}

function addMove(web: Web, deps: WebDeps): void {
  formRoute(web, {
    path: `${FILES_PATH}/move`,
    initial: (_, c) => ({ path: c.req.query("path") ?? "", to: c.req.query("path") ?? "" }),
    read: (typed) => ({ path: fieldText(typed, "path"), to: fieldText(typed, "to").trim() }),
    act: async ({ actor, values: { path, to } }) => {
      const moved = await deps.fileUses.move(actor, path, to);
      return { ...moved, ...await deps.preflight.file(to) };
    },
    page: (c, form) => showMove(c, deps, form),
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

async function showFile(c: Context<WebEnv>, deps: WebDeps, path: string) {
  const { info, content } = await deps.files.read(path);
  const text = content.length > CODE_MAX_BYTES ? undefined : asText(content);
  const tree = await readTree(deps, parentOf(path));
  const source = deps.gitSources.get();
  return page(c, {
    title: nameOf(path),
    trail: trailOf(path),
    styles: ["functions.css", "files.css"],
    scripts: ["editor.js", "files.js"],
    actions: (
      <>
        <ButtonLink href={actionPath("history", path)} kind="secondary" icon="rotate-ccw-clock">
          File history
        </ButtonLink>
        <ButtonLink href={actionPath("download", path)} kind="secondary" icon="download" isDownload>
          Download
        </ButtonLink>
        {source === undefined && (
          <Menu label={`More actions for ${nameOf(path)}`} kind="secondary">
            <MenuLink href={actionPath("move", path)} icon="pencil">Rename or move …</MenuLink>
            <MenuLink href={actionPath("delete", path)} icon="trash" isDanger>Delete …</MenuLink>
          </Menu>
        )}
      </>
    ),
    children: (
      <div class="with-tree">
        <FileTree tree={tree} path={path} />
        <div>
          <ReadOnly source={source} />
          <UsedBy path={path} deps={deps} />
          {text === undefined
            ? (
              <Empty icon={fileIcon(path)}>
                {content.length > CODE_MAX_BYTES && asText(content) !== undefined
                  ? `This text is too large for the editor: ${sizeText(info.sizeBytes)}.`
                  : `This file is binary: ${sizeText(info.sizeBytes)}.`} Download it, or upload a replacement.
              </Empty>
            )
            : <CodeForm path={path} content={text} hash={sha256Of(content)} eol={eolOf(text)} />}
        </div>
      </div>
    ),
  });
}

type Move = FormState<undefined, { readonly path: string; readonly to: string }>;

async function showMove(c: Context<WebEnv>, deps: WebDeps, { values: { path, to }, problems, status }: Move) {
  await deps.files.read(path);
  // What is wrong with a move is wrong with the new path.
  const { "": other, from: place, ...rest } = problems ?? {};
  const problem = other ?? place;
  const shown = problems && { ...rest, ...(problem !== undefined && { to: problem }) };
  const importers = deps.importers(path);
  return page(c, {
    title: `Rename or move ${nameOf(path)}`,
    trail: [...trailOf(path), [editPath(path), nameOf(path)]],
    styles: ["files.css"],
    children: (
      <form method="post" action={`${FILES_PATH}/move`} class="narrow">
        <FormToken />
        <ProblemSummary problems={shown} labels={{ to: "New path" }} />
        <input type="hidden" name="path" value={path} />
        <UsedBy path={path} deps={deps} />
        <CodeField
          name="to"
          label="New path"
          value={to}
          problems={shown}
          required
          autofocus
          hint={importers.length === 0
            ? "Missing folders are created. Functions with this handler file use the new path."
            : "Functions with this handler file use the new path. Imports in other files are not changed."}
        />
        <FormActions submit="Move" cancel={editPath(path)} />
      </form>
    ),
  }, status);
}

function showDelete(c: Context<WebEnv>, deps: WebDeps, path: string) {
  const handled = deps.registry.handledBy(path);
  const importers = deps.importers(path);
  return page(c, {
    title: `Delete ${nameOf(path)}?`,
    trail: [...trailOf(path), [editPath(path), nameOf(path)]],
    children: (
      <form method="post" action={`${FILES_PATH}/delete`} class="confirm">
        <FormToken />
        <input type="hidden" name="path" value={path} />
        <p>
          <code>{path}</code> is deleted. Its content stays in the{" "}
          <a href={actionPath("history", path)}>history</a>, from which it can be restored.
        </p>
        <ImportersWarning
          paths={importers}
          effect="calls of functions with these handlers will be answered with 500."
        />
        {handled.length > 0 && (
          <p class="warning">
            It is the handler of {handled.map(({ name }) => name).join(", ")}: calls will be answered with 500.
          </p>
        )}
        <FormActions submit={`Delete ${nameOf(path)}`} kind="danger" cancel={editPath(path)} />
      </form>
    ),
  });
}
