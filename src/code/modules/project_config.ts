// Reads how `deno.json`, `deno.jsonc` and `package.json` in the code folder configure bare imports and JSX. For each
// importing module the nearest file applies. Nothing else in these files has an effect.

import { builtinModules } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import { isInside } from "../files/importable.ts";
import { at, type ConfigFile, type Entry, type Part, partOf, readConfigFile, SENTENCES_MAX } from "./config_file.ts";
import { DEFAULT_JSX, type FoundJsx, jsxOf } from "./jsx_config.ts";
import { fromDependencies, PACKAGE_NAME, type Resolved } from "./npm_dependencies.ts";

const DENO_FILES = ["deno.json", "deno.jsonc"];
/** Length of a specifier that is looked up in a config file. */
const SPECIFIER_MAX_LENGTH = 1_000;
export interface ProjectConfigOptions {
  /** Absolute and real. */
  readonly codeDir: string;
  /** `host` or `host:port`; `https:` modules are allowed only from these. */
  readonly importHosts: readonly string[];
  /** Returns the specifier that other handlers use for a package, such as `npm:ms@^2.1.3`, for a proposal. */
  readonly known?: (name: string) => string | undefined;
}

/** The config files of the code folder at one moment; each is read once. */
export class ProjectConfig {
  readonly #options: ProjectConfigOptions;
  readonly #files = new Map<string, ConfigFile | undefined>();
  /** Computed once for each file that applies to any module. */
  readonly #useless = new Map<ConfigFile, readonly string[]>();
  readonly #jsx = new Map<ConfigFile, FoundJsx>();
  /** Absolute paths of all files that were looked up, including those that do not exist. */
  readonly looked = new Set<string>();

  constructor(options: ProjectConfigOptions) {
    this.#options = options;
  }

  /** Resolves the bare `specifier` in the module at the absolute path `importer`. */
  resolve(specifier: string, importer: string): Resolved {
    const deno = this.#nearest(importer, DENO_FILES);
    const npm = this.#nearest(importer, ["package.json"]);
    const broken = [deno, npm].find((file) => file && file.problems.length > 0);
    const mapped = deno && deno.problems.length === 0 ? this.#fromImports(deno, specifier) : undefined;
    const found = mapped ?? (npm && npm.problems.length === 0 ? fromDependencies(npm, specifier) : undefined);
    if (found) return found;
    if (broken) return { problem: broken.problems[0]! };
    const builtin = specifier.replace(/^node:/, "");
    if (builtinModules.includes(builtin)) return { target: `node:${builtin}` };
    return { problem: undeclared(specifier, deno, npm, this.#options.known) };
  }

  /** Returns sentences about entries that can never have an effect, in the file that applies to `importer`. */
  problemsOf(importer: string): readonly string[] {
    const deno = this.#nearest(importer, DENO_FILES);
    if (!deno || deno.problems.length > 0) return [];
    let useless = this.#useless.get(deno);
    if (!useless) {
      useless = partOf(deno, "imports").entries.filter(({ key }) => !isBare(key)).slice(0, SENTENCES_MAX).map(
        ({ key, node }) => `${at(deno, node)}: "${key}" in "imports" is not a bare name such as "ms" or "@lib/".`,
      );
      this.#useless.set(deno, useless);
    }
    return useless;
  }

  /** Returns how JSX in the module at the absolute path `importer` is compiled. */
  jsx(importer: string): FoundJsx {
    const file = this.#nearest(importer, DENO_FILES);
    if (!file) return { jsx: DEFAULT_JSX, problems: [] };
    if (file.problems.length > 0) return { jsx: DEFAULT_JSX, problems: file.problems };
    const jsx = this.#jsx.get(file) ?? jsxOf(file);
    this.#jsx.set(file, jsx);
    return jsx;
  }

  /**
   * Resolves the module `runtime` of a `jsxImportSource` for `importer`; undefined if it is that of the hono that is
   * available without a declaration.
   */
  resolveJsxSource(source: string, runtime: string, importer: string): Resolved | undefined {
    const whole = `${source}/${runtime}`;
    if (isBare(source)) {
      const resolved = this.resolve(whole, importer);
      return "problem" in resolved && source === "hono/jsx" ? undefined : resolved;
    }
    const file = this.#nearest(importer, DENO_FILES)!;
    const node = partOf(file, "compilerOptions").byKey.get("jsxImportSource")!.entry.node;
    return this.#target(file, whole, "", (why) => ({ problem: `${at(file, node)}: "jsxImportSource" ${why}` }));
  }

  #fromImports(file: ConfigFile, specifier: string): Resolved | undefined {
    if (specifier.length > SPECIFIER_MAX_LENGTH) return undefined;
    const { byKey } = partOf(file, "imports");
    const prefix = (key: string) => key.endsWith("/") ? key : `${key}/`;
    const exact = byKey.get(specifier)?.entry;
    const entry = exact ?? longestPrefix(byKey, specifier);
    if (!entry) return undefined;
    const { key, value, node } = entry;
    const wrong = (why: string): Resolved => ({ problem: `${at(file, node)}: "${key}" in "imports" ${why}` });
    if (typeof value !== "string") return wrong("must be a string.");
    if (key.endsWith("/") && !value.endsWith("/")) return wrong(`ends in "/", so "${value}" must, too.`);
    const rest = exact ? "" : specifier.slice(prefix(key).length);
    return this.#target(file, value, rest, wrong);
  }

  /** Resolves a value of `imports`, followed by `rest`. */
  #target(file: ConfigFile, value: string, rest: string, wrong: (why: string) => Resolved): Resolved {
    const whole = (rest === "" || value.endsWith("/") ? value : `${value}/`) + rest;
    if (/^(?:npm|jsr):/.test(value)) return { target: whole };
    if (/^node:/.test(value)) return { target: whole };
    if (value.startsWith("https:")) {
      const { host, hostname, port } = new URL(whole);
      const allowed = this.#options.importHosts;
      if (allowed.some((one) => one === host || one === `${hostname}:${port || 443}` || one === hostname)) {
        return { target: whole };
      }
      return wrong(`leads to ${host}, which the setting sandbox.import-hosts does not allow.`);
    }
    if (!/^\.{1,2}\//.test(value)) {
      return wrong(`must be npm:, jsr:, https: or a relative path such as "./lib/", not "${value}".`);
    }
    const path = decodedPath(file.folder, whole);
    if (path === undefined || !isInside(path, this.#options.codeDir)) return wrong("leads out of the code folder.");
    return { target: path };
  }

  /** Returns the nearest file with one of these names, in the folder of `importer` or above it. */
  #nearest(importer: string, names: readonly string[]): ConfigFile | undefined {
    for (let folder = dirname(importer); isInside(folder, this.#options.codeDir, true); folder = dirname(folder)) {
      for (const name of names) {
        const file = this.#read(join(folder, name));
        if (file) return file;
      }
    }
  }

  #read(path: string): ConfigFile | undefined {
    if (this.looked.has(path)) return this.#files.get(path);
    this.looked.add(path);
    const file = readConfigFile(path, relative(this.#options.codeDir, path).split(sep).join("/"));
    this.#files.set(path, file);
    return file;
  }
}

/** Reports whether `specifier` is neither a URL nor a path. */
export function isBare(specifier: string): boolean {
  return !/^(?:\.{0,2}\/|\.{1,2}$|[a-z][a-z\d+.-]*:)/i.test(specifier) && specifier !== "" &&
    !specifier.startsWith("#");
}

/** Returns a sentence on what to add to which file, so that `specifier` can be resolved. */
function undeclared(
  specifier: string,
  deno: ConfigFile | undefined,
  npm: ConfigFile | undefined,
  known: (name: string) => string | undefined = () => undefined,
): string {
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  if (!isPublishable(name)) {
    // Such as "@/lib/x.ts": an alias of a folder.
    const prefix = `${specifier.split("/")[0]}/`;
    return `"${specifier}" is not declared. Add "${prefix}": "./" to "imports" in ${deno?.name ?? "deno.json"}, ` +
      `with the folder that "${prefix}" stands for instead of "./"; or import it by a relative path.`;
  }
  // The scope of Deno's standard library, which is only on JSR.
  const target = known(name) ?? `${name.startsWith("@std/") ? "jsr" : "npm"}:${name}`;
  if (npm && !deno && target.startsWith("npm:")) {
    const range = target.slice(`npm:${name}@`.length) || "*";
    return `"${name}" is not declared. Add "${name}": "${range}" to "dependencies" in ${npm.name}.`;
  }
  const entry = `"${name}": "${target}"`;
  const add = `"${name}" is not declared. Add ${entry} to "imports" in ${deno?.name ?? "deno.json"}.`;
  return deno ? add : `${add} This file does not exist yet: save one with the content {"imports": {${entry}}}.`;
}

/** Reports whether this can be the name of a package in a registry. */
function isPublishable(name: string): boolean {
  return PACKAGE_NAME.test(name) && /^(?:@[a-z\d][^/]*\/)?[a-z\d]/i.test(name);
}

/**
 * Returns the entry whose key is the longest prefix of `specifier`, as in import maps (HTML, "resolve an imports
 * match"); for a package, "ms" also stands for "ms/".
 */
function longestPrefix(byKey: Part["byKey"], specifier: string): Entry | undefined {
  for (let end = specifier.lastIndexOf("/"); end > 0; end = specifier.lastIndexOf("/", end - 1)) {
    const folder = byKey.get(specifier.slice(0, end + 1));
    const named = byKey.get(specifier.slice(0, end));
    const isPackage = named !== undefined && /^(?:npm|jsr):/.test(String(named.entry.value));
    const found = [folder, isPackage ? named : undefined].filter((one) => one !== undefined);
    if (found.length > 0) return found.sort((a, b) => a.index - b.index)[0]!.entry;
  }
}

/** Returns the absolute path of a URL relative to `folder`, as in an import; undefined if it has none. */
function decodedPath(folder: string, address: string): string | undefined {
  const path = address.replace(/[?#].*$/, "");
  // An encoded slash is a separator to some programs and a character to others.
  if (/%2f|%5c|%00|\\/i.test(path)) return undefined;
  try {
    const joined = join(folder, decodeURIComponent(path));
    return path.endsWith("/") ? `${joined.replace(/\/$/, "")}/` : joined;
  } catch {
    return undefined;
  }
}
