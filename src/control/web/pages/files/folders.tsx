// Implements the path of folders above a list or a file.

export const FILES_PATH = "/web/files";

export function folderPath(folder: string): string {
  return folder === "" ? FILES_PATH : `${FILES_PATH}?${new URLSearchParams({ folder })}`;
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
