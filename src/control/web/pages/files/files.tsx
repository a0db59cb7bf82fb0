// Implements /web/files: lists the code folder, one folder per page, and creates and uploads files. The page of one file
// is in file.tsx.

import type { Context } from "hono";
import { invalid } from "../../../../errors.ts";
import { checkFilePath } from "../../../../core/functions/file_paths.ts";
import { type FolderEntry } from "../../../../code/files/files.ts";
import { FILE_BODY_MAX_BYTES } from "../../../inputs/body.ts";
import { Empty, Pager, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { CodeField, Field, ProblemSummary } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, bodyOf, fieldText, type Problems, redirect } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { blankFor } from "../functions/template.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { sizeText } from "../../ui/code_form.tsx";
import { addFile } from "./file.tsx";
import { Breadcrumbs, editPath, FILES_PATH, folderPath } from "./folders.tsx";

const PAGE_SIZE = 200;
const PROBLEMS_SHOWN_MAX = 5;
const LABELS = { path: "Path", file: "Files", folder: "Folder" };

export function addFiles(web: Web, deps: WebDeps): void {
  const { files, preflight } = deps;
  addFile(web, deps);

  web.get(FILES_PATH, (c) => showFolder(c, deps, c.req.query("folder") ?? ""));

  // The addresses of forms that were shown again with a problem.
  for (const form of ["new", "upload"]) web.get(`${FILES_PATH}/${form}`, (c) => c.redirect(FILES_PATH, 302));

  formRoute(web, {
    path: `${FILES_PATH}/new`,
    read: (typed) => ({ path: fieldText(typed, "path").trim(), folder: fieldText(typed, "folder") }),
    act: ({ actor, values: { path } }) => files.write(actor, path, new TextEncoder().encode(blankFor(path)), true),
    page: (c, { values: { path, folder }, problems }) => showFolder(c, deps, folder, asPath(problems!), path),
    then: (_, { values: { path } }) => ({ to: editPath(path), notice: `Created ${path}.` }),
  });

  web.post(`${FILES_PATH}/upload`, async (c) => {
    const read = await attempt(() => readUpload(c));
    if ("problems" in read) return showFolder(c, deps, "", read.problems);
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
      return showFolder(c, deps, folder, { file: all.join(" ") });
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

async function showFolder(
  c: Context<WebEnv>,
  { files }: WebDeps,
  folder: string,
  problems?: Problems,
  typedPath?: string,
): Promise<Response> {
  const from = Math.max(0, Math.trunc(Number(c.req.query("from"))) || 0);
  const { entries, total } = await files.folder(folder, from, PAGE_SIZE);
  const next = from + PAGE_SIZE < total
    ? `${FILES_PATH}?${new URLSearchParams({ ...(folder && { folder }), from: String(from + PAGE_SIZE) })}`
    : undefined;
  return page(c, {
    title: folder === "" ? "Files" : folder.split("/").at(-1)!,
    styles: ["functions.css"],
    scripts: ["upload.js"],
    children: (
      <>
        <Breadcrumbs path={folder} />
        <ProblemSummary problems={problems} labels={LABELS} />
        {entries.length === 0 ? <Nothing /> : <Entries entries={entries} />}
        <Pager next={next} what="files" />
        <div class="sides">
          <NewFile folder={folder} problems={problems} path={typedPath} />
          <UploadForm folder={folder} problems={problems} />
        </div>
      </>
    ),
  }, problems ? 400 : 200);
}

function Entries({ entries }: { entries: readonly FolderEntry[] }) {
  return (
    <DataTable
      label="Files in this folder"
      class="files"
      isStacked
      rows={entries}
      columns={[
        {
          label: "Name",
          isRowHeader: true,
          cell: ({ name, path, sizeBytes }) => (
            <a href={sizeBytes === undefined ? folderPath(path) : editPath(path)} title={name}>
              {sizeBytes === undefined ? `${name}/` : name}
            </a>
          ),
        },
        {
          label: "Size",
          isFigure: true,
          narrowLabel: ({ sizeBytes }) => sizeBytes === undefined ? undefined : "Size",
          cell: ({ sizeBytes }) => sizeBytes === undefined ? <span class="quiet">folder</span> : sizeText(sizeBytes),
        },
        {
          label: "Changed",
          narrowLabel: ({ modifiedAt }) => modifiedAt && "Changed",
          cell: ({ modifiedAt }) => modifiedAt && <Time ms={modifiedAt.getTime()} />,
        },
      ]}
    />
  );
}

function Nothing() {
  return (
    <Empty>
      No files yet. Creating a function creates its handler file. Create or upload shared modules below.
    </Empty>
  );
}

function NewFile(
  { folder, problems, path }: { folder: string; problems: Problems | undefined; path: string | undefined },
) {
  return (
    <form method="post" action={`${FILES_PATH}/new`} aria-labelledby="new-file">
      <FormToken />
      <h2 id="new-file">New file</h2>
      <input type="hidden" name="folder" value={folder} />
      <CodeField
        name="path"
        label="Path"
        problems={problems}
        value={path ?? (folder === "" ? "" : `${folder}/`)}
        required
        hint="In the code folder, such as lib/prices.ts. Missing folders are created."
      />
      <button type="submit" class="secondary">Create file</button>
    </form>
  );
}

function UploadForm({ folder, problems }: { folder: string; problems: Problems | undefined }) {
  return (
    <form
      method="post"
      action={`${FILES_PATH}/upload`}
      enctype="multipart/form-data"
      aria-labelledby="upload"
      data-upload
    >
      <FormToken />
      <h2 id="upload">Upload</h2>
      <input type="hidden" name="folder" value={folder} />
      <Field
        name="file"
        label="Files"
        problems={problems}
        hint={`Into ${
          folder === "" ? "the code folder" : folder
        }; at most 32 MiB at once. You can also drop files here.`}
      >
        {(control) => <input type="file" {...control} multiple required />}
      </Field>
      <label>
        <input type="checkbox" name="replace" /> Replace existing files
      </label>
      <button type="submit" class="secondary">Upload</button>
    </form>
  );
}
