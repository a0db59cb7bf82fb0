// Reads how `deno.json`, `deno.jsonc` and `package.json` in the code folder configure bare imports and JSX. For each
// importing module the nearest file applies. Nothing else in these files has an effect.

import { builtinModules } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { minVersion, rcompare, subset, valid, validRange } from "semver";
import { isInside } from "../files/importable.ts";

/** The target of a bare specifier, or its problem: a sentence for its author. */
export type Resolved = { readonly target: string } | { readonly problem: string };

/** How JSX in a module is compiled; names as in `compilerOptions`. */
export interface Jsx {
  readonly jsx: "precompile" | "react-jsx" | "react-jsxdev" | "react";
  readonly jsxFactory?: string;
  readonly jsxFragmentFactory?: string;
  /** Prefix of the runtime module, as written in the file; undefined for `hono/jsx`. */
  readonly jsxImportSource?: string;
  readonly jsxImportSourceTypes?: string;
  readonly jsxPrecompileSkipElements?: readonly string[];
}

const DEFAULT_JSX: Jsx = { jsx: "precompile" };
const JSX_MODES: readonly string[] = ["precompile", "react-jsx", "react-jsxdev", "react"];
const DENO_FILES = ["deno.json", "deno.jsonc"];
/** See https://docs.npmjs.com/cli/configuring-npm/package-json#name; includes names in capitals from before 2014. */
const PACKAGE_NAME = /^(?:@[\w.~-]+\/)?[\w.~-]+$/i;
/** Parsing a longer file would block the event loop. */
const FILE_MAX_BYTES = 256 * 1024;
/** Length of a specifier that is looked up in a config file. */
const SPECIFIER_MAX_LENGTH = 1_000;
/** Problems of one kind reported for one file; the others are reported once these are fixed. */
const SENTENCES_MAX = 10;

interface ConfigFile {
  /** Inside the code folder, with "/" between segments. */
  readonly name: string;
  /** Absolute path of its folder. */
  readonly folder: string;
  readonly text: string;
  readonly root: Node | undefined;
  /** Problems as sentences; the file cannot be used if there are any. */
  readonly problems: readonly string[];
  /** Its objects by name, parsed on demand: files may have thousands of entries and importers. */
  readonly parts: Map<string, Part>;
  /** Sentences about entries that can never have an effect; computed on demand. */
  useless?: readonly string[];
  /** Computed on demand. */
  jsx?: FoundJsx;
  lineStarts?: readonly number[];
}

/** How JSX is compiled, and sentences about invalid options. */
interface FoundJsx {
  readonly jsx: Jsx;
  readonly problems: readonly string[];
}

interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly node: Node;
}

/** One object of a config file. */
interface Part {
  readonly entries: readonly Entry[];
  /** The first entry of each key, with its index. */
  readonly byKey: ReadonlyMap<string, { readonly entry: Entry; readonly index: number }>;
}

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
    return deno.useless ??= partOf(deno, "imports").entries.filter(({ key }) => !isBare(key)).slice(0, SENTENCES_MAX)
      .map(
        ({ key, node }) => `${at(deno, node)}: "${key}" in "imports" is not a bare name such as "ms" or "@lib/".`,
      );
  }

  /** Returns how JSX in the module at the absolute path `importer` is compiled. */
  jsx(importer: string): FoundJsx {
    const file = this.#nearest(importer, DENO_FILES);
    if (!file) return { jsx: DEFAULT_JSX, problems: [] };
    if (file.problems.length > 0) return { jsx: DEFAULT_JSX, problems: file.problems };
    return file.jsx ??= jsxOf(file);
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

function readConfigFile(path: string, name: string): ConfigFile | undefined {
  const file = (text: string, root: Node | undefined, ...problems: string[]): ConfigFile => (
    { name, folder: dirname(path), text, root, problems, parts: new Map() }
  );
  let text: string;
  try {
    const { isFile, size } = Deno.lstatSync(path);
    // A link could lead to any file, which a message would then quote.
    if (!isFile || Deno.realPathSync(path) !== path) {
      return file("", undefined, `${name} is not a file, so it is not read.`);
    }
    if (size > FILE_MAX_BYTES) return file("", undefined, `${name} has more than 256 KiB, so it is not read.`);
    text = Deno.readTextFileSync(path).replace(/^\uFEFF/, "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    return file("", undefined, `${name} cannot be read.`);
  }
  const errors: ParseError[] = [];
  const isPackage = name.endsWith("package.json");
  const root = parseTree(text, errors, { allowTrailingComma: !isPackage, disallowComments: isPackage });
  const [error] = errors;
  if (error) {
    const what = printParseErrorCode(error.error).replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
    return file(text, root, `${name}:${lineAt(text, error.offset)}: the file is not valid JSON (${what}).`);
  }
  if (root?.type !== "object") return file(text, root, `${name}:1: the file must contain an object.`);
  const parts = isPackage ? ["dependencies"] : ["imports", "compilerOptions"];
  for (const part of parts) {
    const node = member(root, part);
    if (node && node.type !== "object") {
      return file(text, root, `${name}:${lineAt(text, node.offset)}: "${part}" must be an object.`);
    }
  }
  return file(text, root);
}

function jsxOf(file: ConfigFile): FoundJsx {
  const problems: string[] = [];
  const options: Record<string, unknown> = {};
  for (const { key, value, node } of partOf(file, "compilerOptions").entries) {
    if (!key.startsWith("jsx")) continue;
    const isList = key === "jsxPrecompileSkipElements";
    const isRight = isList
      ? Array.isArray(value) && value.every((one) => typeof one === "string")
      : typeof value === "string" && (key !== "jsx" || JSX_MODES.includes(value));
    if (isRight) options[key] = value;
    else if (problems.length < SENTENCES_MAX) {
      const wanted = isList ? "a list of strings" : key === "jsx" ? `one of ${JSX_MODES.join(", ")}` : "a string";
      problems.push(`${at(file, node)}: "${key}" must be ${wanted}.`);
    }
  }
  return { jsx: { ...DEFAULT_JSX, ...options } as Jsx, problems };
}

function fromDependencies(file: ConfigFile, specifier: string): Resolved | undefined {
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0];
  const entry = partOf(file, "dependencies").byKey.get(name ?? "")?.entry;
  if (!entry) return undefined;
  const { key, value, node } = entry;
  const wrong = (why: string): Resolved => ({ problem: `${at(file, node)}: "${key}" in "dependencies" ${why}` });
  if (!PACKAGE_NAME.test(key)) return wrong("is not the name of a package.");
  if (typeof value !== "string") return wrong("must be a string.");
  const rest = specifier.slice(key.length);
  const alias = /^npm:((?:@[^/@]+\/)?[^/@]+)(?:@(.*))?$/.exec(value);
  if (alias && PACKAGE_NAME.test(alias[1]!)) return withRange(alias[1]!, alias[2] ?? "*");
  return withRange(key, value);

  function withRange(packageName: string, range: string): Resolved {
    const version = isTag(range) ? range : requirementOf(range);
    if (version === undefined) {
      return wrong(`must be a version from a registry, such as "^1.2.0", not "${range}".`);
    }
    return {
      target: `npm:${rest === "" ? "" : "/"}${packageName}@${version}${rest}`,
    };
  }
}

/** Matches a tag such as `latest`. */
function isTag(range: string): boolean {
  return /^[a-z][\w.-]*$/i.test(range) && validRange(range) === null;
}

/**
 * Converts a range for an `npm:` specifier, which allows a version, also after "^" or "~", but no comparisons and no
 * alternatives (deno_semver). Of several alternatives, the newest is used, from its lowest version on.
 * @returns undefined if it is not a range
 */
function requirementOf(range: string): string | undefined {
  const normal = validRange(range);
  if (normal === null) return undefined;
  if (normal === "*" || valid(normal) !== null) return normal;
  const text = range.trim();
  if (/^[~^]?\d+(?:\.(?:\d+|[x*])){0,2}(?:-[\w.-]+)?$/i.test(text)) return text;
  const newest = normal.split("||").map((alternative: string) => ({ alternative, least: minVersion(alternative) }))
    .filter(({ least }: { least: unknown }) => least !== null)
    .sort((a: { least: string }, b: { least: string }) => rcompare(a.least, b.least))[0];
  if (!newest) return undefined;
  const { alternative, least: { version } } = newest;
  const candidates = [`^${version}`, ...highest(alternative), `~${version}`];
  return candidates.find((one) => !/^.0\.0\.0$/.test(one) && subset(one, alternative)) ?? version;
}

/** Returns the versions just below the upper bound of a range. */
function highest(alternative: string): string[] {
  const [, sign, ...parts] = /<(=?)(\d+)\.(\d+)\.(\d+)/.exec(alternative) ?? [];
  const [major, minor, patch] = parts.map(Number) as [number, number, number];
  if (sign === undefined) return [];
  if (sign === "=") return [`${major}.${minor}.${patch}`];
  return [patch > 0 ? `${major}.${minor}.${patch - 1}` : minor > 0 ? `${major}.${minor - 1}.x` : `${major - 1}.x`];
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

function partOf(file: ConfigFile, name: string): Part {
  const known = file.parts.get(name);
  if (known) return known;
  const found = file.root && member(file.root, name);
  const entries = (found?.children ?? []).flatMap(({ children }) => {
    const [key, value] = children ?? [];
    return key && value ? [{ key: String(key.value), value: plain(value), node: key }] : [];
  });
  const byKey = new Map<string, { entry: Entry; index: number }>();
  entries.forEach((entry, index) => {
    if (!byKey.has(entry.key)) byKey.set(entry.key, { entry, index });
  });
  const part = { entries, byKey };
  file.parts.set(name, part);
  return part;
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

/** Of several entries with the same name, the last one applies, as in JSON.parse. */
function member(root: Node, name: string): Node | undefined {
  return root.children?.findLast(({ children }) => children?.[0]?.value === name)?.children?.[1];
}

function plain(node: Node): unknown {
  return node.type === "array" ? node.children?.map(plain) ?? [] : node.type === "object" ? {} : node.value;
}

function at(file: ConfigFile, { offset }: Node): string {
  const starts = file.lineStarts ??= lineStartsOf(file.text);
  let [line, after] = [0, starts.length];
  while (after - line > 1) {
    const middle = (line + after) >> 1;
    if (starts[middle]! <= offset) line = middle;
    else after = middle;
  }
  return `${file.name}:${line + 1}`;
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) starts.push(end + 1);
  return starts;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
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
