// Implements the page of one file, which shows it in the editor or its size, and saves, checks, moves, deletes and
// downloads it.

import type { Context } from "hono";
import { AppError } from "../../../../errors.ts";
import { checkFilePath, HANDLER_EXTENSIONS } from "../../../../core/functions/file_paths.ts";
import { sha256Of } from "../../../../code/files/files.ts";
import type { FunctionId } from "../../../../ids.ts";
import { asText } from "../../../inputs/body.ts";
import { idText } from "../../../inputs/fields.ts";
import { FormActions } from "../../ui/components.tsx";
import { CodeField, ProblemSummary } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, fieldText, type Problems, readForm, redirect, type Typed } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import {
  CHECK_PATH,
  CODE_MAX_BYTES,
  CodeForm,
  type CodeFormProps,
  EDIT_PATH,
  eolOf,
  sizeText,
} from "../../ui/code_form.tsx";
import { Breadcrumbs, folderPath } from "./folders.tsx";

/** Forms are percent-encoded, with at most three bytes for one. */
const FORM_MAX_BYTES = 4 * CODE_MAX_BYTES;
const BASE = "/web/files";
/** How many of the files that import a file are named. */
const IMPORTERS_SHOWN = 20;

export function editPath(path: string): string {
  return `${EDIT_PATH}?${new URLSearchParams({ path })}`;
}

export function addEdit(web: Web, deps: WebDeps): void {
  const { files } = deps;
  addSave(web, deps);
  addCheck(web, deps);
  addMove(web, deps);

  web.get(EDIT_PATH, (c) => showFile(c, deps, c.req.query("path") ?? ""));

  web.get(`${BASE}/download`, async (c) => {
    const path = c.req.query("path") ?? "";
    const { content } = await files.read(path);
    const name = encodeURIComponent(path.split("/").at(-1)!).replaceAll("'", "%27");
    return c.body(content, 200, {
      "Content-Type": "application/octet-stream",
      // Browsers must never open it as a page of this origin.
      "Content-Disposition": `attachment; filename*=UTF-8''${name}`,
    });
  });

  web.get(`${BASE}/delete`, async (c) => {
    const path = c.req.query("path") ?? "";
    await files.read(path);
    return showDelete(c, deps, path);
  });

  web.post(`${BASE}/delete`, async (c) => {
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
    path: `${BASE}/move`,
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

function isCode(path: string): boolean {
  return HANDLER_EXTENSIONS.some((extension) => path.endsWith(extension));
}

interface Edit {
  readonly path: string;
  /** With the file's own line breaks. */
  readonly text: string;
  readonly hash: string;
  readonly eol: "lf" | "crlf";
  readonly functionId: FunctionId | undefined;
}

function editOf(typed: Typed): Edit {
  const eol = fieldText(typed, "eol") === "crlf" ? "crlf" : "lf";
  const content = fieldText(typed, "content");
  const id = idText<FunctionId>().safeParse(fieldText(typed, "functionId"));
  return {
    path: fieldText(typed, "path"),
    text: eol === "crlf" ? content.replaceAll("\n", "\r\n") : content,
    hash: fieldText(typed, "hash"),
    eol,
    functionId: id.success ? id.data : undefined,
  };
}

function addSave(web: Web, deps: WebDeps): void {
  const { files, preflight } = deps;

  web.post(EDIT_PATH, async (c) => {
    const edit = editOf(await readForm(c, FORM_MAX_BYTES));
    const content = new TextEncoder().encode(edit.text);
    if (content.length > CODE_MAX_BYTES) throw new AppError("PayloadTooLarge", 413, "The text is larger than 512 KiB.");
    const json = wantsJson(c);
    const expected = edit.hash === "" ? undefined : [edit.hash];
    const write = () => files.write(c.get("actor"), edit.path, content, edit.hash === "", expected);
    try {
      await write();
    } catch (error) {
      if (!(error instanceof AppError && ["Conflict", "PreconditionFailed"].includes(error.code))) throw error;
      const hash = await hashOf(edit.path, deps);
      const refused = hash === ""
        ? `${edit.path} was deleted after you opened it. Save again to create it again.`
        : `${edit.path} was changed by another user after you opened it. Save again to overwrite that change.`;
      if (json) return c.json({ error: refused, hash }, 409);
      return showCode(c, deps, { ...formOf(edit), hash, refused }, 409);
    }
    const { problems, warnings } = await preflight.file(edit.path);
    if (json) return c.json({ hash: sha256Of(content), problems, warnings });
    const back = edit.functionId === undefined ? editPath(edit.path) : `/web/functions/${edit.functionId}`;
    return redirect(c, back, [`Saved ${edit.path}.`, ...problems, ...warnings].join(" "));
  });
}

function addCheck(web: Web, deps: WebDeps): void {
  web.post(CHECK_PATH, async (c) => {
    const edit = editOf(await readForm(c, FORM_MAX_BYTES));
    checkFilePath(edit.path, "path");
    const isHandler = edit.functionId !== undefined || deps.registry.handledBy(edit.path).length > 0;
    const problems = isCode(edit.path)
      ? await deps.typeCheck.check({ path: edit.path, content: edit.text, isHandler })
      : [];
    if (wantsJson(c)) return c.json({ problems });
    return showCode(c, deps, { ...formOf(edit), problems }, 200);
  });
}

function formOf({ path, text, hash, eol, functionId }: Edit): CodeFormProps {
  return { path, content: text, hash, eol, functionId };
}

function wantsJson(c: Context<WebEnv>): boolean {
  return c.req.header("accept") === "application/json";
}

/** Returns the hash of the stored file; "" if it does not exist. */
async function hashOf(path: string, { files }: WebDeps): Promise<string> {
  const read = await attempt(() => files.read(path));
  return "done" in read ? sha256Of(read.done.content) : "";
}

/** Shows the form with the typed code, after a check or when it was not saved. */
function showCode(c: Context<WebEnv>, deps: WebDeps, form: CodeFormProps, status: 200 | 409): Response {
  return page(c, {
    title: form.path.split("/").at(-1)!,
    styles: ["functions.css"],
    scripts: ["editor.js"],
    children: (
      <>
        <Breadcrumbs path={form.path} />
        <UsedBy path={form.path} deps={deps} />
        <CodeForm {...form} />
        {form.refused && form.hash !== "" && (
          <p>
            <a href={`${BASE}/download?${new URLSearchParams({ path: form.path })}`}>Download the stored version</a>
            {" "}
            to compare.
          </p>
        )}
      </>
    ),
  }, status) as Response;
}

function UsedBy({ path, deps }: { path: string; deps: WebDeps }) {
  const handled = deps.registry.handledBy(path);
  const importers = deps.importers(path);
  return (
    <>
      {handled.length > 0 && (
        <p>
          Handler of {handled.map(({ id, name }, index) => (
            <>
              {index > 0 && ", "}
              <a href={`/web/functions/${id}`}>{name}</a>
            </>
          ))}
        </p>
      )}
      {importers.length > 0 && (
        <p>
          Imported by <Importers paths={importers} />
        </p>
      )}
    </>
  );
}

/** Links to the first importers, and the number of the others. */
function Importers({ paths }: { paths: readonly string[] }) {
  return (
    <>
      {paths.slice(0, IMPORTERS_SHOWN).map((path, index) => (
        <>
          {index > 0 && ", "}
          <a href={editPath(path)}>{path}</a>
        </>
      ))}
      {paths.length > IMPORTERS_SHOWN && ` and ${paths.length - IMPORTERS_SHOWN} more`}
    </>
  );
}

async function showFile(c: Context<WebEnv>, deps: WebDeps, path: string, problems?: Problems, to = path) {
  const { info, content } = await deps.files.read(path);
  const text = content.length > CODE_MAX_BYTES ? undefined : asText(content);
  const query = new URLSearchParams({ path });
  return page(c, {
    title: path.split("/").at(-1)!,
    styles: ["functions.css"],
    scripts: ["editor.js"],
    actions: <a href={`${BASE}/download?${query}`} role="button" class="secondary outline">Download</a>,
    children: (
      <>
        <Breadcrumbs path={path} />
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
          <form method="post" action={`${BASE}/move`} aria-labelledby="move">
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
            <a href={`${BASE}/delete?${query}`} role="button" class="secondary outline">Delete …</a>
          </section>
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
      <form method="post" action={`${BASE}/delete`} class="confirm">
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
