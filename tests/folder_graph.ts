// deno task graph: writes the graph of the source folders into docs/architecture.md, from the import lines.

import { ROOT, type Source, source, sources } from "./source_files.ts";

export const PAGE = "docs/architecture.md";
const BEGIN = "<!-- written by `deno task graph` -->\n";
const END = "<!-- end of the graph -->\n";

/** What a folder's files import of other folders. */
interface Folder {
  /** Folders whose values it uses. */
  readonly values: Set<string>;
  /** Folders that it uses in any way, types included. */
  readonly all: Set<string>;
}

/** Returns the page with its graph replaced by the present one. @throws Error if the page lacks the marks around it */
export function withGraph(page: string): string {
  const start = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (start === -1 || end < start) throw new Error(`${PAGE} lacks the lines between which the graph stands.`);
  return page.slice(0, start + BEGIN.length) + graph() + page.slice(end);
}

function graph(): string {
  const folders = foldersOf([source("main.ts"), ...sources("src"), ...sources("workers")]);
  const names = inOrder(folders);
  const id = (name: string) => `f${names.indexOf(name)}`;
  const arrows = names.flatMap((name) =>
    [...folders.get(name)!.values].filter((other) => !isImplied(folders, name, other)).sort().map((other) =>
      `  ${id(name)} --> ${id(other)}`
    )
  );
  const rows = names.map((name) => {
    const { all } = folders.get(name)!;
    return `| \`${name}\` | ${[...all].sort().map((other) => `\`${other}\``).join(", ")} |`;
  });
  return [
    "",
    "```mermaid",
    "flowchart TD",
    ...names.map((name) => `  ${id(name)}["${name}"]`),
    ...arrows,
    "```",
    "",
    "| folder | imports |",
    "|---|---|",
    ...rows,
    "",
    "",
  ].join("\n");
}

/** Returns the folder that a file is shown in; undefined for files directly in `src`, which all folders may use. */
function folderOf(path: string): string | undefined {
  const parts = path.split("/");
  if (parts.length === 1 || path === "src/app.ts") return path;
  if (parts.length === 2 && parts[0] === "src") return undefined;
  // The migrations belong to their store: each uses the other.
  const levels = parts[0] !== "src" ? 1 : parts[1] === "store" ? 2 : 3;
  return parts.slice(0, Math.min(levels, parts.length - 1)).join("/");
}

function foldersOf(files: readonly Source[]): Map<string, Folder> {
  const folders = new Map<string, Folder>();
  const paths = new Set(files.map(({ path }) => path));
  for (const { path, imports } of files) {
    const name = folderOf(path);
    if (name === undefined) continue;
    const folder = folders.get(name) ?? { values: new Set(), all: new Set() };
    folders.set(name, folder);
    for (const { target, clause } of imports) {
      const other = target !== undefined && paths.has(target) ? folderOf(target) : undefined;
      if (other === undefined || other === name) continue;
      folder.all.add(other);
      if (!isTypesOnly(clause)) folder.values.add(other);
    }
  }
  return folders;
}

function isTypesOnly(clause: string): boolean {
  if (/^type\b/.test(clause)) return true;
  const names = /^\{([\s\S]*)\}$/.exec(clause)?.[1]?.split(",").map((name) => name.trim()).filter((name) =>
    name !== ""
  );
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith("type "));
}

/** Whether `to` is used by way of another folder that `from` uses, so that the picture can do without the arrow. */
function isImplied(folders: ReadonlyMap<string, Folder>, from: string, to: string): boolean {
  const seen = new Set([from, to]);
  const visit = (name: string): boolean => {
    if (folders.get(name)!.values.has(to)) return true;
    return [...folders.get(name)!.values].some((next) => !seen.has(next) && (seen.add(next), visit(next)));
  };
  return [...folders.get(from)!.values].some((next) => !seen.has(next) && (seen.add(next), visit(next)));
}

/** Users before what they use, as far as there is no circle of types; otherwise by name. */
function inOrder(folders: ReadonlyMap<string, Folder>): string[] {
  const done = new Set<string>();
  const visit = (name: string): void => {
    if (done.has(name)) return;
    done.add(name);
    for (const other of [...folders.get(name)!.values].sort().reverse()) visit(other);
    ordered.unshift(name);
  };
  const ordered: string[] = [];
  for (const name of [...folders.keys()].sort().reverse()) visit(name);
  return ordered;
}

if (import.meta.main) {
  const path = ROOT + PAGE;
  Deno.writeTextFileSync(path, withGraph(Deno.readTextFileSync(path)));
}
