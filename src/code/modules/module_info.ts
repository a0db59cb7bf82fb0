// Reads what `deno info --json` says of a handler's modules.

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
  /** Of everything in the lock file. */
  npmPackages?: Record<string, { dependencies: string[]; localPath?: string }>;
}

/** A specifier as it stands in a module of the code folder. */
export interface Import {
  readonly specifier: string;
  /** Absolute path of the module. */
  readonly importer: string;
  /** From 1. */
  readonly line: number;
  /** Address that it leads to; undefined if it leads nowhere. */
  readonly target: string | undefined;
  /** Why it leads nowhere. */
  readonly error: string | undefined;
  /** Whether only types are imported, which sandboxes do without. */
  readonly isType: boolean;
}

export interface Modules {
  /** Absolute paths of the local modules that were read, the entry first if it was. */
  readonly files: readonly string[];
  /** Those that could not be read or parsed, and why. */
  readonly broken: readonly { readonly path: string; readonly error: string }[];
  /** Of all local modules. */
  readonly imports: readonly Import[];
  /** Addresses of the modules that come from elsewhere. */
  readonly remote: readonly string[];
  /** Why some of these cannot be had. */
  readonly remoteErrors: readonly { readonly address: string; readonly error: string }[];
  /** Ids of the npm packages that are imported, types included. */
  readonly npm: readonly string[];
  /** Where npm packages are in the cache, by id; also of those that are not fetched. */
  readonly npmFolders: ReadonlyMap<string, string>;
  /** Where the other remote modules are in the cache. */
  readonly cached: readonly string[];
  /** A sentence for the author if the graph is larger than one may be; then nothing is said of its imports. */
  readonly tooLarge: string | undefined;
}

/** Local modules of a handler, those included that are missing or broken. */
export const FILES_MAX = 2_000;
/** Imports of all of them together, each specifier once for each module. */
const IMPORTS_MAX = 20_000;

const REMOTE = /^(?:npm|jsr|https?):/;

/** Whether an address leads out of this machine. */
export function isRemote(address: string): boolean {
  return REMOTE.test(address);
}

/** What `json` says of the module at the address `entry` and of all that it leads to. */
export function readInfo(json: string, entry: string): Modules {
  const info = JSON.parse(json) as Info;
  const modules = new Map(info.modules.map((module) => [module.specifier, module]));
  const [files, cached]: [string[], string[]] = [[], []];
  const broken: { path: string; error: string }[] = [];
  const remoteErrors: { address: string; error: string }[] = [];
  const imports: Import[] = [];
  const [remote, npm] = [new Set<string>(), new Set<string>()];
  const seen = new Set<string>();
  // Lists, not a recursion: graphs can be deeper than the stack. Code first, so that an error counts as its own.
  const code = [{ address: entry, isType: false }];
  const types: typeof code = [];
  // Not by `shift`, which moves all that is left of a long list.
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
        // Types of local modules are those modules themselves, which sandboxes do without.
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
    ? `The handler imports ${count} files; ${FILES_MAX} are allowed.`
    : imports.length > IMPORTS_MAX
    ? `The modules of the handler have ${imports.length} imports; ${IMPORTS_MAX} are allowed.`
    : undefined;
  // No more is watched than a handler may have.
  if (tooLarge) return { ...found, files: files.slice(0, FILES_MAX), broken: [], imports: [], tooLarge };
  return { ...found, files, broken, imports, tooLarge };
}

/** The folders that hold a package's versions and their index, for folders of single versions. */
export function packageFolders(versions: Iterable<string>): string[] {
  return [...new Set([...versions].map((path) => dirname(path)))];
}
