// Implements the tree of the code folder next to a file: the folders on its path are open, the others are links.

import type { FolderEntry } from "../../../../code/files/files.ts";
import type { WebDeps } from "../../shell/deps.ts";
import { editPath, folderPath } from "./folders.tsx";

/** A folder with more entries shows the first ones and a link to the rest. */
const ENTRIES_MAX = 200;

interface OpenFolder {
  readonly entries: readonly FolderEntry[];
  readonly total: number;
}

/** The open folders by path; "" is the code folder. */
export type Tree = ReadonlyMap<string, OpenFolder>;

/** Reads the folders from the code folder down to the one of the file at `path`. @throws AppError NotFound (404) */
export async function readTree({ files }: Pick<WebDeps, "files">, path: string): Promise<Tree> {
  const names = path.split("/").slice(0, -1);
  const folders = ["", ...names.map((_, index) => names.slice(0, index + 1).join("/"))];
  return new Map(
    await Promise.all(folders.map(async (folder) => [folder, await files.folder(folder, 0, ENTRIES_MAX)] as const)),
  );
}

export function FileTree({ tree, path }: { tree: Tree; path: string }) {
  return (
    <nav aria-label="Files" class="file-tree">
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
          {entry.sizeBytes === undefined
            ? <a href={folderPath(entry.path)} class="folder">{entry.name}/</a>
            : (
              <a href={editPath(entry.path)} title={entry.path} aria-current={entry.path === path ? "page" : undefined}>
                {entry.name}
              </a>
            )}
          {tree.has(entry.path) && <Folder tree={tree} folder={entry.path} path={path} />}
        </li>
      ))}
      {total > entries.length && (
        <li>
          <a href={folderPath(folder)}>{total - entries.length} more</a>
        </li>
      )}
    </ul>
  );
}
