// Parses the output of `deno info --json` for a handler.

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

interface Dependency {
  specifier: string;
  code?: Resolution;
  type?: Resolution;
}

interface Resolution {
  specifier?: string;
  error?: string;
  span?: { start: { line: number } };
}

interface Info {
  modules: {
    specifier: string;
    kind?: string;
    local?: string;
    error?: string;
    npmPackage?: string;
    dependencies?: Dependency[];
  }[];
  redirects: Record<string, string>;
  /** All packages in the lock file. */
  npmPackages?: Record<string, { dependencies: string[]; localPath?: string }>;
}

/** A specifier in a module of the code folder. */
export interface Import {
  readonly specifier: string;
  /** Absolute path of the module. */
  readonly importer: string;
  /** Counted from 1. */
  readonly line: number;
  /** URL that it resolves to; undefined if it does not resolve. */
  readonly target: string | undefined;
  /** Why it does not resolve. */
  readonly error: string | undefined;
  /** Whether only types are imported, which sandboxes do not need. */
  readonly isType: boolean;
}

export interface Modules {
  /** Absolute paths of the local modules that were read, the entry first if it was. */
  readonly files: readonly string[];
  /** Modules that could not be read or parsed, and why. */
  readonly broken: readonly { readonly path: string; readonly error: string }[];
  /** Imports of all local modules. */
  readonly imports: readonly Import[];
  /** URLs of the remote modules. */
  readonly remote: readonly string[];
  /** Why some of these are not available. */
  readonly remoteErrors: readonly { readonly address: string; readonly error: string }[];
  /** Ids of the npm packages that are imported, types included. */
  readonly npm: readonly string[];
  /** Folders of npm packages in the cache, by id, including packages that are not fetched. */
  readonly npmFolders: ReadonlyMap<string, string>;
  /** Paths of the other remote modules in the cache. */
  readonly cached: readonly string[];
  /** A sentence for the author if the graph is too large; its imports are then not listed. */
  readonly tooLarge: string | undefined;
}

/** Local modules of a handler, including missing and broken ones. */
export const FILES_MAX = 2_000;
/** Imports of all modules together, each specifier counted once per module. */
const IMPORTS_MAX = 20_000;

const REMOTE = /^(?:npm|jsr|https?):/;

/** Reports whether a URL is not of this machine. */
export function isRemote(address: string): boolean {
  return REMOTE.test(address);
}

/** Returns the modules in `json` that are reachable from the one at the URL `entry`. */
export function readInfo(json: string, entry: string): Modules {
  const info = JSON.parse(json) as Info;
  const modules = new Map(info.modules.map((module) => [module.specifier, module]));
  const [files, cached]: [string[], string[]] = [[], []];
  const broken: { path: string; error: string }[] = [];
  const remoteErrors: { address: string; error: string }[] = [];
  const imports: Import[] = [];
  const [remote, npm] = [new Set<string>(), new Set<string>()];
  const seen = new Set<string>();
  // Lists instead of recursion: graphs can be deeper than the stack. Code first, so that an error is attributed to code.
  const code = [{ address: entry, isType: false }];
  const types: typeof code = [];
  // Not with `shift`, which moves the rest of a long list.
  let [codeAt, typesAt] = [0, 0];
  const take = () => codeAt < code.length ? code[codeAt++] : types[typesAt++];
  for (let next = take(); next; next = take()) {
    const address = info.redirects[next.address] ?? next.address;
    if (isRemote(address)) remote.add(next.address).add(address);
    if (seen.has(address)) continue;
    seen.add(address);
    const module = modules.get(address);
    if (!module) continue;
    const path = address.startsWith("file:") ? fileURLToPath(address) : undefined;
    if (module.error !== undefined) {
      const error = module.error.split("\n    at ")[0]!;
      if (path !== undefined) broken.push({ path, error });
      else if (!next.isType) remoteErrors.push({ address: next.address, error });
    } else if (path !== undefined) {
      files.push(path);
    }
    if (module.npmPackage !== undefined) npm.add(module.npmPackage);
    if (path === undefined && module.local !== undefined) cached.push(module.local);
    for (const { specifier, ...resolutions } of module.dependencies ?? []) {
      for (const [resolution, isType] of [[resolutions.code, next.isType], [resolutions.type, true]] as const) {
        if (!resolution) continue;
        const { specifier: target, error, span } = resolution;
        if (path !== undefined) {
          imports.push({ specifier, importer: path, line: (span?.start.line ?? 0) + 1, target, error, isType });
        } else if (error !== undefined && !isType) {
          remoteErrors.push({ address, error });
        }
        // The types of local modules are those modules themselves, which sandboxes do not need.
        if (target !== undefined && (!isType || isRemote(target))) {
          (isType ? types : code).push({ address: target, isType });
        }
      }
    }
  }
  const npmFolders = new Map(
    Object.entries(info.npmPackages ?? {}).flatMap(([id, { localPath }]) =>
      localPath ? [[id, localPath] as const] : []
    ),
  );
  const found = { remote: [...remote], remoteErrors, npm: [...npm], npmFolders, cached };
  const count = files.length + broken.length;
  const tooLarge = count > FILES_MAX
    ? `The handler imports ${count} files; at most ${FILES_MAX} are allowed.`
    : imports.length > IMPORTS_MAX
    ? `The modules of the handler have ${imports.length} imports; at most ${IMPORTS_MAX} are allowed.`
    : undefined;
  // At most as many are watched as a handler may have.
  if (tooLarge) return { ...found, files: files.slice(0, FILES_MAX), broken: [], imports: [], tooLarge };
  return { ...found, files, broken, imports, tooLarge };
}

/** Returns the folders that contain all versions of packages and their index, for folders of single versions. */
export function packageFolders(versions: Iterable<string>): string[] {
  return [...new Set([...versions].map((path) => dirname(path)))];
}
