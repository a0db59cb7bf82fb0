// Implements the page of a folder: the tree, its files with what uses them, and the forms that add files.

import type { Context } from "hono";
import { HANDLER_EXTENSIONS } from "../../../../core/functions/file_paths.ts";
import type { FolderEntry } from "../../../../code/files/files.ts";
import { Ago, Button, ButtonLink, Empty, Icon, Menu, MenuLink, Pager, Popover } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { CodeField, Field, ProblemSummary } from "../../ui/fields.tsx";
import type { WebDeps, WebEnv } from "../../shell/deps.ts";
import type { Problems } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { sizeText } from "../../ui/code_form.tsx";
import { actionPath, editPath, fileIcon, FILES_PATH, folderPath, nameOf, trailOf } from "./folders.tsx";
import { ReadOnly } from "./read_only.tsx";
import { FileTree, readTree } from "./tree.tsx";
import { UsedInShort } from "./used_by.tsx";

const PAGE_SIZE = 100;
const LABELS = { path: "Path", file: "Files", folder: "Folder" };

/** A form that was sent and is shown again. */
interface Refused {
  readonly form: "new" | "upload";
  readonly problems: Problems;
  readonly path?: string;
}

export async function showFolder(
  c: Context<WebEnv>,
  deps: WebDeps,
  folder: string,
  refused?: Refused,
): Promise<Response> {
  const from = Math.max(0, Math.trunc(Number(c.req.query("from"))) || 0);
  const [{ entries, total }, tree] = await Promise.all([
    deps.files.folder(folder, from, PAGE_SIZE),
    readTree(deps, folder),
  ]);
  const next = from + PAGE_SIZE < total
    ? `${FILES_PATH}?${new URLSearchParams({ ...(folder && { folder }), from: String(from + PAGE_SIZE) })}`
    : undefined;
  const source = deps.gitSources.get();
  return page(c, {
    title: folder === "" ? "Files" : nameOf(folder),
    trail: folder === "" ? [] : [[FILES_PATH, "Files"], ...trailOf(folder)],
    styles: ["files.css"],
    scripts: ["files.js"],
    actions: source === undefined && <Additions folder={folder} refused={refused} />,
    children: (
      <div class="with-tree">
        <FileTree tree={tree} path={folder} />
        <div>
          <ReadOnly source={source} />
          {entries.length === 0
            ? <Nothing isWritable={source === undefined} />
            : <Entries entries={entries} deps={deps} isWritable={source === undefined} />}
          <Pager next={next} what="files" />
        </div>
      </div>
    ),
  }, refused ? 400 : 200) as Response;
}

function Entries({ entries, deps, isWritable }: {
  entries: readonly FolderEntry[];
  deps: WebDeps;
  isWritable: boolean;
}) {
  const paths = entries.filter(({ sizeBytes }) => sizeBytes !== undefined).map(({ path }) => path);
  const importers = deps.importersOfEach(paths);
  const handled = (path: string) =>
    HANDLER_EXTENSIONS.some((extension) => path.endsWith(extension)) ? deps.registry.handledBy(path) : [];
  return (
    <DataTable
      label="Files in this folder"
      class="files"
      isStacked
      isLong
      rows={entries}
      columns={[
        { label: "Name", isRowHeader: true, cell: (entry) => <Name entry={entry} /> },
        {
          label: "Used by",
          class: "used-by",
          narrowLabel: null,
          cell: ({ path }) => <UsedInShort handled={handled(path)} importers={importers.get(path) ?? []} />,
        },
        {
          label: "Size",
          isFigure: true,
          narrowLabel: null,
          cell: ({ sizeBytes }) => sizeBytes !== undefined && sizeText(sizeBytes),
        },
        {
          label: "Changed",
          narrowLabel: null,
          cell: ({ modifiedAt }) => modifiedAt && <Ago ms={modifiedAt.getTime()} now={deps.now()} />,
        },
        {
          label: "Actions",
          isActions: true,
          cell: ({ name, path, sizeBytes }) =>
            sizeBytes !== undefined && <Actions name={name} path={path} isWritable={isWritable} />,
        },
      ]}
    />
  );
}

function Name({ entry: { name, path, sizeBytes } }: { entry: FolderEntry }) {
  const isFolder = sizeBytes === undefined;
  return (
    <span class="file-name">
      <Icon name={isFolder ? "folder" : fileIcon(name)} />
      <a href={isFolder ? folderPath(path) : editPath(path)} title={name}>{name}</a>
    </span>
  );
}

function Actions({ name, path, isWritable }: { name: string; path: string; isWritable: boolean }) {
  return (
    <Menu label={`Actions for ${name}`}>
      {isWritable && <MenuLink href={actionPath("move", path)} icon="pencil">Rename or move …</MenuLink>}
      <MenuLink href={actionPath("download", path)} icon="download" isDownload>Download</MenuLink>
      <MenuLink href={actionPath("history", path)} icon="rotate-ccw-clock">History</MenuLink>
      {isWritable && <MenuLink href={actionPath("delete", path)} icon="trash" isDanger>Delete …</MenuLink>}
    </Menu>
  );
}

function Nothing({ isWritable }: { isWritable: boolean }) {
  return (
    <Empty
      icon="folder-code"
      title="No files yet"
      actions={isWritable && <ButtonLink href="/web/functions/new" icon="plus">New function</ButtonLink>}
    >
      <p>
        A function's handler is a file here; creating a function creates it. Modules that handlers share, and data that
        they read, are files, too: create or upload them, or drop them on this page.
      </p>
    </Empty>
  );
}

function Additions({ folder, refused }: { folder: string; refused: Refused | undefined }) {
  const problemsOf = (form: Refused["form"]) => refused?.form === form ? refused.problems : undefined;
  return (
    <>
      <Popover text="Upload" icon="upload" isOpen={refused?.form === "upload"} id="upload">
        <UploadForm folder={folder} problems={problemsOf("upload")} />
      </Popover>
      <Popover text="New file" icon="plus" kind="primary" isOpen={refused?.form === "new"} id="new-file">
        <NewFile folder={folder} problems={problemsOf("new")} path={refused?.path} />
      </Popover>
    </>
  );
}

function NewFile(
  { folder, problems, path }: { folder: string; problems: Problems | undefined; path: string | undefined },
) {
  return (
    <form method="post" action={`${FILES_PATH}/new`}>
      <FormToken />
      <ProblemSummary problems={problems} labels={LABELS} />
      <input type="hidden" name="folder" value={folder} />
      <CodeField
        name="path"
        label="Path"
        problems={problems}
        value={path ?? (folder === "" ? "" : `${folder}/`)}
        required
        hint="In the code folder, such as lib/prices.ts. Missing folders are created."
      />
      <Button>Create file</Button>
    </form>
  );
}

function UploadForm({ folder, problems }: { folder: string; problems: Problems | undefined }) {
  return (
    <form method="post" action={`${FILES_PATH}/upload`} enctype="multipart/form-data" data-upload>
      <FormToken />
      <ProblemSummary problems={problems} labels={LABELS} />
      <input type="hidden" name="folder" value={folder} />
      <Field
        name="file"
        label="Files"
        problems={problems}
        hint={`Into ${folder === "" ? "the code folder" : folder}; at most 32 MiB at once. You can also drop files ` +
          "anywhere on this page."}
      >
        {(control) => <input type="file" {...control} multiple required />}
      </Field>
      <p>
        <label>
          <input type="checkbox" name="replace" /> Replace existing files
        </label>
      </p>
      <Button>Upload files</Button>
    </form>
  );
}
