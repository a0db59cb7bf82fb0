// Builds the import map for the type check of a source that may not be saved. It is based on the texts alone: every
// string that may be a specifier gets an entry; additional entries are harmless.

import { join } from "node:path";
import { AppError } from "../../errors.ts";
import { slices } from "../../slices.ts";
import type { CodeConfig } from "../../sandbox/process/sandbox_dir.ts";
import { ImportMap, JSX_SOURCE } from "../modules/import_map.ts";
import { candidatesFor } from "../modules/project_graph.ts";
import { isBare, ProjectConfig, type ProjectConfigOptions } from "../modules/project_config.ts";

export interface TypeCheckConfig {
  /** Config files for the folder that contains `code/`. */
  readonly files: CodeConfig;
  /** Returns a sentence on why a bare specifier in the file at `path` does not resolve; undefined if it does. */
  explain(specifier: string, path: string): string | undefined;
}

const SPECIFIER = /(?:from|import|require)\s*(?:\(\s*)?["']([^"'\n\r]{1,500})["']/g;
/** Limit for all texts together. */
const SPECIFIERS_MAX = 10_000;
/** Returns the specifiers that a source may import. */
export function* specifiersOf(source: string): Iterable<string> {
  for (const [, specifier] of source.matchAll(SPECIFIER)) yield specifier!;
}

/** Parameters need no types; everything else is as strict as Deno's default. */
const COMPILER_OPTIONS = { noImplicitAny: false };

/**
 * Builds the configuration; `sources` are the texts that are checked, by their paths in the code folder.
 * @throws AppError TooLarge (413) for more imports than are checked
 */
export async function typeCheckConfig(
  sources: ReadonlyMap<string, string>,
  { honoJsx, ...options }: ProjectConfigOptions & { honoJsx: string },
): Promise<TypeCheckConfig> {
  const project = new ProjectConfig(options);
  const map = new ImportMap(options.codeDir);
  const fileOf = (path: string): string => join(options.codeDir, ...path.split("/"));
  const pause = slices();
  let specifiers = 0;
  const isThere = new Set([...sources.keys()].map(fileOf));
  for (const [path, content] of sources) {
    const importer = fileOf(path);
    for (const specifier of specifiersOf(content)) {
      await pause();
      if (++specifiers > SPECIFIERS_MAX) {
        throw new AppError("TooLarge", 413, `More than ${SPECIFIERS_MAX} imports are not checked.`);
      }
      if (isBare(specifier)) {
        const resolved = project.resolve(specifier, importer);
        if ("target" in resolved) map.add(importer, specifier, resolved.target);
      } else if (specifier.startsWith(".")) {
        const target = join(importer, "..", specifier);
        const [found, ...more] = isThere.has(target) ? [] : candidatesFor(target).filter((one) => isThere.has(one));
        if (found !== undefined && more.length === 0) map.alias(target, found);
      }
    }
    if (!/\.[jt]sx$/.test(path)) continue;
    const { jsx } = project.jsx(importer);
    map.jsx ??= jsx;
    const source = jsx.jsx === "react" ? undefined : jsx.jsxImportSource;
    for (const runtime of source === undefined ? [] : ["jsx-runtime", "jsx-dev-runtime"]) {
      const resolved = project.resolveJsxSource(source!, runtime, importer);
      if (resolved && "target" in resolved) map.add(importer, `${JSX_SOURCE}/${runtime}`, resolved.target);
    }
  }
  return {
    files: map.files("./code/", honoJsx, COMPILER_OPTIONS),
    explain(specifier, path) {
      if (!isBare(specifier)) return undefined;
      const resolved = project.resolve(specifier, fileOf(path));
      return "problem" in resolved ? resolved.problem : undefined;
    },
  };
}
