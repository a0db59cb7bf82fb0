// Builds the addresses of folders and files, and implements the path of folders above a list or a file.

import { EDIT_PATH } from "../../ui/code_form.tsx";

export const FILES_PATH = "/web/files";

export function folderPath(folder: string): string {
  return folder === "" ? FILES_PATH : `${FILES_PATH}?${new URLSearchParams({ folder })}`;
}

export function editPath(path: string): string {
  return `${EDIT_PATH}?${new URLSearchParams({ path })}`;
}

export function Breadcrumbs({ path }: { path: string }) {
  const names = path === "" ? [] : path.split("/");
  return (
    <nav aria-label="Folders" class="breadcrumbs">
      <ul>
        <li>
          <a href={FILES_PATH} aria-current={names.length === 0 ? "page" : undefined}>Code folder</a>
        </li>
        {names.map((name, index) => {
          const here = names.slice(0, index + 1).join("/");
          const last = index === names.length - 1;
          return <li>{last ? <span aria-current="page">{name}</span> : <a href={folderPath(here)}>{name}</a>}</li>;
        })}
      </ul>
    </nav>
  );
}
