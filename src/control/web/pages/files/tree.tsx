// Implements the tree of the code folder next to a folder or a file: the folders on its path are open, the others are
// links, which a script unfolds in place.

import type { FolderEntry } from "../../../../code/files/files.ts";
import { Icon } from "../../icons/icon.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { editPath, fileIcon, FILES_PATH, folderPath } from "./folders.tsx";

/** A folder with more entries shows the first ones and a link to the rest. */
const ENTRIES_MAX = 100;

interface OpenFolder {
  readonly entries: readonly FolderEntry[];
  readonly total: number;
}

/** The open folders by path; "" is the code folder. */
export type Tree = ReadonlyMap<string, OpenFolder>;

/** The entries of one folder, for the script. */
export function addTree(web: Web, deps: WebDeps): void {
  web.get(`${FILES_PATH}/tree`, async (c) => {
    const folder = c.req.query("folder") ?? "";
    const tree = new Map([[folder, await deps.files.folder(folder, 0, ENTRIES_MAX)]]);
    return c.html(<Folder tree={tree} folder={folder} path="" />);
  });
}

/** Reads the folders from the code folder down to `folder`. @throws AppError NotFound (404) */
export async function readTree({ files }: Pick<WebDeps, "files">, folder: string): Promise<Tree> {
  const names = folder === "" ? [] : folder.split("/");
  const folders = ["", ...names.map((_, index) => names.slice(0, index + 1).join("/"))];
  return new Map(
    await Promise.all(folders.map(async (folder) => [folder, await files.folder(folder, 0, ENTRIES_MAX)] as const)),
  );
}

/** `path` is the file or folder that the page shows. */
export function FileTree({ tree, path }: { tree: Tree; path: string }) {
  return (
    <nav aria-label="File tree" class="file-tree" data-tree={`${FILES_PATH}/tree`}>
      <p class="file-tree-root">
        <a href={FILES_PATH} aria-current={path === "" ? "page" : undefined}>
          <Icon name="folder-code" />
          <span>Code folder</span>
        </a>
      </p>
      <Folder tree={tree} folder="" path={path} />
    </nav>
  );
}

function Folder({ tree, folder, path }: { tree: Tree; folder: string; path: string }) {
  const { entries, total } = tree.get(folder)!;
  return (
    <ul>
      {entries.map((entry) => (
        <li>
          <Entry entry={entry} isOpen={tree.has(entry.path)} isCurrent={entry.path === path} />
          {tree.has(entry.path) && <Folder tree={tree} folder={entry.path} path={path} />}
        </li>
      ))}
      {total > entries.length && (
        <li>
          <a href={folderPath(folder)} class="quiet">{total - entries.length} more …</a>
        </li>
      )}
    </ul>
  );
}

function Entry({ entry: { name, path, sizeBytes }, isOpen, isCurrent }: {
  entry: FolderEntry;
  isOpen: boolean;
  isCurrent: boolean;
}) {
  const isFolder = sizeBytes === undefined;
  return (
    <a
      href={isFolder ? folderPath(path) : editPath(path)}
      title={path}
      aria-current={isCurrent ? "page" : undefined}
      data-folder={isFolder ? path : undefined}
    >
      <Icon name={!isFolder ? fileIcon(name) : isOpen ? "folder-open" : "folder"} />
      <span>{name}</span>
    </a>
  );
}
