// Implements /web/files: the routes of the code folder, which create and upload files. The page of a folder is in
// folder.tsx, that of one file in file.tsx.

import type { Context } from "hono";
import { invalid } from "../../../../errors.ts";
import { checkFilePath } from "../../../../core/functions/file_paths.ts";
import { FILE_BODY_MAX_BYTES } from "../../../inputs/body.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, bodyOf, fieldText, type Problems, redirect } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { blankFor } from "../functions/template.ts";
import { addFile } from "./file.tsx";
import { showFolder } from "./folder.tsx";
import { editPath, FILES_PATH, folderPath } from "./folders.tsx";
import { addTree } from "./tree.tsx";

const PROBLEMS_SHOWN_MAX = 5;

export function addFiles(web: Web, deps: WebDeps): void {
  const { files, preflight } = deps;
  addFile(web, deps);
  addTree(web, deps);

  web.get(FILES_PATH, (c) => showFolder(c, deps, c.req.query("folder") ?? ""));

  // The addresses of forms that were shown again with a problem.
  for (const form of ["new", "upload"]) web.get(`${FILES_PATH}/${form}`, (c) => c.redirect(FILES_PATH, 302));

  formRoute(web, {
    path: `${FILES_PATH}/new`,
    read: (typed) => ({ path: fieldText(typed, "path").trim(), folder: fieldText(typed, "folder") }),
    act: ({ actor, values: { path } }) => files.write(actor, path, new TextEncoder().encode(blankFor(path)), true),
    page: (c, { values: { path, folder }, problems }) =>
      showFolder(c, deps, folder, { form: "new", problems: asPath(problems!), path }),
    then: (_, { values: { path } }) => ({ to: editPath(path), notice: `Created ${path}.` }),
  });

  web.post(`${FILES_PATH}/upload`, async (c) => {
    const read = await attempt(() => readUpload(c));
    if ("problems" in read) return showFolder(c, deps, "", { form: "upload", problems: read.problems });
    const { folder, uploads, replace } = read.done;
    const saved: string[] = [];
    const problems: Problems[] = [];
    for (const { path, content } of uploads) {
      const written = await attempt(() => files.write(c.get("actor"), path, content, !replace));
      if ("problems" in written) problems.push(written.problems);
      else saved.push(path);
    }
    // Only once all files are saved: they may import each other.
    const found = await Promise.all(saved.map((path) => preflight.file(path)));
    if (problems.length > 0) {
      const all = [...problems.flatMap((one) => Object.values(one)), ...(saved.length > 0 ? [savedText(saved)] : [])];
      return showFolder(c, deps, folder, { form: "upload", problems: { file: all.join(" ") } });
    }
    const lacking = [...new Set(found.flatMap((one) => one.problems))].slice(0, PROBLEMS_SHOWN_MAX);
    return redirect(c, folderPath(folder), [savedText(saved), ...lacking].join(" "));
  });
}

function savedText(saved: readonly string[]): string {
  return saved.length === 1 ? `Saved ${saved[0]}.` : `Saved ${saved.length} files.`;
}

interface Upload {
  readonly path: string;
  readonly content: Uint8Array<ArrayBuffer>;
}

/** Reads a multipart form of files for one folder. @throws AppError InvalidInput (400), PayloadTooLarge (413) */
async function readUpload(
  c: Context<WebEnv>,
): Promise<{ folder: string; uploads: Upload[]; replace: boolean }> {
  const bytes = await bodyOf(c, FILE_BODY_MAX_BYTES);
  let form: FormData;
  try {
    form = await new Response(bytes, { headers: { "Content-Type": c.req.header("content-type") ?? "" } }).formData();
  } catch {
    throw invalid("file", "must be sent as a multipart form");
  }
  const folder = String(form.get("folder") ?? "");
  const chosen = form.getAll("file").filter((entry) => entry instanceof File && entry.name !== "") as File[];
  if (chosen.length === 0) throw invalid("file", "must be chosen first");
  const uploads = await Promise.all(chosen.map(async (file): Promise<Upload> => {
    const path = folder === "" ? file.name : `${folder}/${file.name}`;
    checkFilePath(path, "file");
    return { path, content: new Uint8Array(await file.arrayBuffer()) };
  }));
  return { folder, uploads, replace: form.get("replace") !== null };
}

/** Assigns a problem of no field to the field of the path. */
function asPath(problems: Problems): Problems {
  const { "": other, ...rest } = problems;
  return other === undefined ? rest : { path: other, ...rest };
}
