// Builds the addresses of folders and files, the folders above them for the breadcrumb, and the icons of files.

import { EDIT_PATH } from "../../ui/code_form.tsx";
import type { IconName } from "../../icons/icon.tsx";

export const FILES_PATH = "/web/files";

export function folderPath(folder: string): string {
  return folder === "" ? FILES_PATH : `${FILES_PATH}?${new URLSearchParams({ folder })}`;
}

export function editPath(path: string): string {
  return `${EDIT_PATH}?${new URLSearchParams({ path })}`;
}

/** The page of an action on a file. */
export function actionPath(action: "download" | "history" | "move" | "delete", path: string): string {
  return `${FILES_PATH}/${action}?${new URLSearchParams({ path })}`;
}

/** Returns the last name of a path. */
export function nameOf(path: string): string {
  return path.split("/").at(-1)!;
}

/** Returns the folder that a path is in; "" for the code folder. */
export function parentOf(path: string): string {
  return path.split("/").slice(0, -1).join("/");
}

/** Returns the folders above a path, with their addresses, from the outermost one on. */
export function trailOf(path: string): (readonly [href: string, name: string])[] {
  const names = path.split("/").slice(0, -1);
  return names.map((name, index) => [folderPath(names.slice(0, index + 1).join("/")), name] as const);
}

const ICONS: readonly (readonly [endings: RegExp, icon: IconName])[] = [
  [/\.[cm]?[jt]sx?$/, "file-code"],
  [/\.(?:json|jsonc|ya?ml|toml)$/, "braces"],
  [/\.(?:md|txt|csv|html?|xml|css|sql)$/, "file-text"],
  [/\.(?:png|jpe?g|gif|svg|webp|avif|ico)$/, "image"],
];

/** Returns the icon of a kind of file, by the ending of its name. */
export function fileIcon(name: string): IconName {
  return ICONS.find(([endings]) => endings.test(name.toLowerCase()))?.[1] ?? "file";
}
