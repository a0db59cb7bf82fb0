// The program's source files and what each imports, read from the import lines.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the project, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../", import.meta.url));

export interface Source {
  /** From the root, such as "src/ids.ts". */
  path: string;
  text: string;
  imports: Import[];
}

export interface Import {
  /** As it is written. */
  specifier: string;
  /** The file from the root; undefined for a package. */
  target: string | undefined;
  /** The names between the braces, or the whole clause. */
  clause: string;
}

/** Static, re-exporting, type and dynamic imports with a literal specifier, and workers' entries. */
export function specifiers(text: string): { clause: string; specifier: string }[] {
  const code = text.replace(/^\s*(?:\/\/|\/?\*).*$/gm, "");
  const patterns = [
    /^\s*(?:import|export)\b([^;"'`]*?)\bfrom\s*["']([^"'\n]+)["']/gm,
    /^\s*import()\s*["']([^"'\n]+)["']/gm,
    /\bimport()\s*\(\s*["'`]([^"'`\n$]+)["'`]/g,
    /\bimport\.meta\.resolve()\s*\(\s*["'`]([^"'`\n$]+)["'`]/g,
    /\bnew URL()\s*\(\s*["'`](\.[^"'`\n$]+)["'`]\s*,\s*import\.meta\.url/g,
  ];
  return patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map(([, clause, specifier]) => ({ clause: clause!.trim(), specifier: specifier! }))
  );
}

/** Every TypeScript file below a folder, sorted by its path; none if there is no such folder. */
export function sources(folder: string): Source[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true })
    .map((name) => `${folder}/${name}`)
    .filter((path) => /\.tsx?$/.test(path))
    .sort()
    .map(source);
}

/** Reads one file, by its path from the root. */
export function source(path: string): Source {
  const text = readFileSync(join(ROOT, path), "utf8");
  const imports = specifiers(text).map(({ clause, specifier }): Import => ({
    clause,
    specifier,
    target: specifier.startsWith(".") ? relative(ROOT, join(ROOT, dirname(path), specifier)) : undefined,
  }));
  return { path, text, imports };
}
