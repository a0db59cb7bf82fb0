// Implements saving and checking the code of a file, from the editor and without scripts.

import type { Context } from "hono";
import { AppError } from "../../../../errors.ts";
import { checkFilePath, HANDLER_EXTENSIONS } from "../../../../core/functions/file_paths.ts";
import { sha256Of } from "../../../../sha256.ts";
import type { FunctionId } from "../../../../ids.ts";
import { idText } from "../../../inputs/fields.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, fieldText, readForm, redirect, type Typed } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { CHECK_PATH, CODE_MAX_BYTES, CodeForm, type CodeFormProps, EDIT_PATH } from "../../ui/code_form.tsx";
import { actionPath, editPath, nameOf, trailOf } from "./folders.tsx";
import { UsedBy } from "./used_by.tsx";

/** Forms are percent-encoded, with at most three bytes for one. */
const FORM_MAX_BYTES = 4 * CODE_MAX_BYTES;

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

export function addSave(web: Web, deps: WebDeps): void {
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
      return await showCode(c, deps, { ...formOf(edit), hash, refused }, 409);
    }
    const { problems, warnings } = await preflight.file(edit.path);
    if (json) return c.json({ hash: sha256Of(content), problems, warnings });
    const back = edit.functionId === undefined ? editPath(edit.path) : `/web/functions/${edit.functionId}`;
    return redirect(c, back, [`Saved ${edit.path}.`, ...problems, ...warnings].join(" "));
  });
}

export function addCheck(web: Web, deps: WebDeps): void {
  web.post(CHECK_PATH, async (c) => {
    const edit = editOf(await readForm(c, FORM_MAX_BYTES));
    checkFilePath(edit.path, "path");
    const isHandler = edit.functionId !== undefined || deps.registry.handledBy(edit.path).length > 0;
    const problems = isCode(edit.path)
      ? await deps.typeCheck.check({ path: edit.path, content: edit.text, isHandler })
      : [];
    if (wantsJson(c)) return c.json({ problems });
    return await showCode(c, deps, { ...formOf(edit), problems }, 200);
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
    title: nameOf(form.path),
    trail: trailOf(form.path),
    styles: ["functions.css", "files.css"],
    scripts: ["editor.js"],
    children: (
      <>
        <UsedBy path={form.path} deps={deps} />
        <CodeForm {...form} />
        {form.refused && form.hash !== "" && (
          <p>
            <a href={actionPath("download", form.path)} download>Download the stored version</a> to compare.
          </p>
        )}
      </>
    ),
  }, status) as Response;
}
