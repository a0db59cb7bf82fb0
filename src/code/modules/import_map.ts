// Builds the import map for specifiers that Deno cannot resolve. It contains only what modules import, so that an edit of
// an unrelated line in a user's file changes nothing.

import { relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { CodeConfig } from "../../sandbox/process/sandbox_dir.ts";
import type { Jsx } from "./jsx_config.ts";

/** Prefix of the JSX runtime's module in the config file; its target differs between modules. */
export const JSX_SOURCE = "@crude-functions/jsx";

/** Collects mappings; a target is an absolute path in the code folder, or a URL such as `npm:ms@2`. */
export class ImportMap {
  readonly #codeDir: string;
  readonly #byModule = new Map<string, Map<string, string>>();
  readonly #paths = new Map<string, string>();
  /** How JSX is compiled; undefined for graphs without JSX. */
  jsx: Jsx | undefined;

  constructor(codeDir: string) {
    this.#codeDir = codeDir;
  }

  /** Maps `specifier` in the module at `importer` to `target`. */
  add(importer: string, specifier: string, target: string): void {
    const entries = this.#byModule.get(importer) ?? new Map<string, string>();
    this.#byModule.set(importer, entries.set(specifier, target));
  }

  has(importer: string, specifier: string): boolean {
    return this.#byModule.get(importer)?.has(specifier) ?? false;
  }

  /** Maps imports of the absolute path `from` to the file at `to`. */
  alias(from: string, to: string): void {
    this.#paths.set(from, to);
  }

  aliased(from: string): string | undefined {
    return this.#paths.get(from);
  }

  get isEmpty(): boolean {
    return this.#byModule.size === 0 && this.#paths.size === 0 && !this.jsx;
  }

  /**
   * Returns the config files for Deno. `base` is the URL of the code folder relative to them, with a "/" at its end;
   * `honoJsx` is the default JSX module, such as `npm:hono@4.13.19/jsx`. `compilerOptions` are added.
   */
  files(base: string, honoJsx: string, compilerOptions: Readonly<Record<string, unknown>> = {}): CodeConfig {
    // Thousands of imports may have the same target.
    const inside = new Map<string, string>();
    const address = (path: string): string => {
      const known = inside.get(path) ?? this.#inside(path);
      inside.set(path, known);
      return base + known;
    };
    const entries = (map: ReadonlyMap<string, string>) =>
      Object.fromEntries(
        [...map].sort(byKey).map(([from, to]) => [
          from.startsWith("/") ? address(from) : from,
          to.startsWith("/") ? address(to) : to,
        ]),
      );
    const scopes = [...this.#byModule].sort(byKey).map(([path, map]) => [address(path), entries(map)]);
    if (this.#paths.size > 0) scopes.push([base, entries(this.#paths)]);
    const { jsx = "precompile", jsxImportSource: _, ...others } = this.jsx ?? {};
    const source = jsx === "react" ? {} : { jsxImportSource: JSX_SOURCE };
    const imports = Object.fromEntries(
      ["jsx-runtime", "jsx-dev-runtime"].map((name) => [`${JSX_SOURCE}/${name}`, `${honoJsx}/${name}`]),
    );
    return {
      config: JSON.stringify({
        nodeModulesDir: "none",
        compilerOptions: { ...compilerOptions, jsx, ...source, ...others },
      }),
      importMap: JSON.stringify({ imports, scopes: Object.fromEntries(scopes) }),
    };
  }

  /** Returns a path as a URL relative to the code folder, encoded as by Deno. */
  #inside(path: string): string {
    const isFolder = path.endsWith("/");
    const inside = relative(this.#codeDir, path).split(sep).join("/");
    return pathToFileURL(`/${inside}`).pathname.slice(1) + (isFolder ? "/" : "");
  }
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
