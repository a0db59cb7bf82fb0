// Parses, merges and cuts lock files: the version of each specifier, and checksums. In Deno's format, version 5, the
// version of a dependency is omitted if only one version of that package is locked, so locks are expanded before they
// are merged or cut.

import { prerelease, rcompare, valid, validRange } from "semver";

/** The entry of one npm package in a lock. */
export interface LockedNpm {
  readonly integrity?: string;
  readonly dependencies?: readonly string[];
  readonly optionalDependencies?: readonly string[];
  readonly optionalPeers?: readonly string[];
  /** Platforms that it supports; all if missing. */
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  /** Whether it has install scripts, which are never run. */
  readonly scripts?: boolean;
}

interface LockedJsr {
  readonly integrity?: string;
  readonly dependencies?: readonly string[];
}

export interface Lock {
  readonly version: "5";
  /** Such as `npm:ms@2` → `2.1.3`. */
  readonly specifiers: Readonly<Record<string, string>>;
  /** By `name@version`. */
  readonly jsr: Readonly<Record<string, LockedJsr>>;
  /** By `name@version`, with the versions of its peers after a `_`. */
  readonly npm: Readonly<Record<string, LockedNpm>>;
  readonly redirects: Readonly<Record<string, string>>;
  /** Checksums of `https:` modules by address. */
  readonly remote: Readonly<Record<string, string>>;
}

export const EMPTY_LOCK: Lock = { version: "5", specifiers: {}, jsr: {}, npm: {}, redirects: {}, remote: {} };

/** What determines the part of a lock that belongs to one graph. */
export interface LockRoots {
  /** Ids of npm packages that its modules import. */
  readonly npm: Iterable<string>;
  /** URLs of all its remote modules. */
  readonly modules: Iterable<string>;
  /** Reports whether the files of an npm package were fetched. */
  readonly isFetched: (id: string) => boolean;
}

/** Parses and expands a lock; a lock in the format of another version counts as empty. */
export function parseLock(text: string): Lock {
  const { version, specifiers = {}, jsr = {}, npm = {}, redirects = {}, remote = {} } = JSON.parse(text);
  if (version !== "5") return EMPTY_LOCK;
  return expand({ version, specifiers, jsr, npm, redirects, remote });
}

export function lockText(lock: Lock): string {
  return JSON.stringify(lock, null, 2);
}

/** Merges two locks; if both have a specifier, the version of `preferred` is used. */
export function mergeLocks(base: Lock, preferred: Lock): Lock {
  return {
    version: "5",
    specifiers: { ...base.specifiers, ...preferred.specifiers },
    jsr: { ...base.jsr, ...preferred.jsr },
    npm: { ...base.npm, ...preferred.npm },
    redirects: { ...base.redirects, ...preferred.redirects },
    remote: { ...base.remote, ...preferred.remote },
  };
}

/** Returns the part of a lock that one graph needs, without packages that could not be fetched and their dependents. */
export function cutLock(whole: Lock, { npm: roots, modules, isFetched }: LockRoots): Lock {
  // Of platform-specific packages, Deno fetches only those for this platform.
  const isMissing = (id: string): boolean => !whole.npm[id]!.os && !whole.npm[id]!.cpu && !isFetched(id);
  const lock = withoutPackages(whole, dependents(whole, Object.keys(whole.npm).filter(isMissing)));
  const addresses = [...modules];
  const isUsed = (id: string): boolean =>
    addresses.some((address) => address.includes(`/${nameOf(id)}/${versionOf(id)}/`));
  const used = new Set(addresses);
  return {
    ...partOf(lock, [...roots, ...Object.keys(lock.jsr).filter(isUsed)], new Set(addresses.map(specifierOf))),
    redirects: pick(lock.redirects, (from, to) => used.has(from) || used.has(to)),
    remote: pick(lock.remote, (address) => used.has(address)),
  };
}

/**
 * Returns the versions of these specifiers, and all checksums of `https:` modules. Nothing else may be in the lock: Deno
 * would use another locked version for a range, and would add a locked package as an optional peer of others.
 */
export function lockOfSpecifiers(lock: Lock, specifiers: ReadonlySet<string>): Lock {
  const chosen = Object.entries(lock.specifiers).filter(([specifier]) => specifiers.has(specifierOf(specifier)));
  return partOf(lock, chosen.map(([specifier, version]) => `${nameOf(specifier)}@${version}`), specifiers);
}

/**
 * Returns the package and range of a URL or specifier in normalized form: Deno locks `npm:ms@^2.0.0` and
 * `npm:ms@2/index.js` as `npm:ms@2`.
 */
export function specifierOf(address: string): string {
  const [, scheme, name, range = "*"] = /^(npm|jsr):\/?((?:@[^/@]+\/)?[^/@]+)(?:@([^/]+))?/.exec(address) ?? [];
  if (name === undefined) return address;
  const decoded = decodeURIComponent(range);
  return `${scheme}:${name}@${validRange(decoded) || decoded}`;
}

/** Returns the npm and JSR packages with these ids and their dependencies, with the specifiers `used` and of JSR. */
function partOf(lock: Lock, roots: readonly string[], used: ReadonlySet<string>): Lock {
  const jsr = reached(roots.filter((id) => lock.jsr[id]), (id) => jsrDependencies(lock, lock.jsr[id]));
  const ofJsr = [...jsr].flatMap((id) => lock.jsr[id]?.dependencies ?? []).map((specifier) => npmId(lock, specifier))
    .filter((id) => id !== undefined);
  const npm = reached([...roots, ...ofJsr].filter((id) => lock.npm[id]), (id) => dependenciesOf(lock.npm[id]));
  const ids = new Set([...npm, ...jsr]);
  const specifiers = new Set([...used, ...[...jsr].flatMap((id) => lock.jsr[id]?.dependencies ?? []).map(specifierOf)]);
  return {
    ...lock,
    specifiers: pick(
      lock.specifiers,
      (specifier, version) => specifiers.has(specifierOf(specifier)) && ids.has(`${nameOf(specifier)}@${version}`),
    ),
    jsr: pick(lock.jsr, (id) => jsr.has(id)),
    npm: pick(lock.npm, (id) => npm.has(id)),
  };
}

/** Returns `ids` and every package that depends on one of them, directly or not. */
export function dependents(lock: Lock, ids: Iterable<string>): Set<string> {
  const users = new Map<string, string[]>();
  for (const [id, locked] of Object.entries(lock.npm)) {
    // A package works without its optional dependencies.
    for (const dependency of (locked.dependencies ?? []).map(idOf)) {
      users.set(dependency, [...users.get(dependency) ?? [], id]);
    }
  }
  return reached(ids, (id) => users.get(id) ?? []);
}

/** Returns `ids` and every package that depends on one of them, directly or not, including optional dependencies. */
export function usersOf(lock: Lock, ids: Iterable<string>): Set<string> {
  const users = new Map<string, string[]>();
  for (const [id, locked] of Object.entries(lock.npm)) {
    for (const other of dependenciesOf(locked)) users.set(other, [...users.get(other) ?? [], id]);
  }
  return reached(ids, (id) => users.get(id) ?? []);
}

/** Returns a lock without some npm packages, their specifiers, and optional dependencies on them. */
export function withoutPackages(lock: Lock, ids: ReadonlySet<string>): Lock {
  return {
    ...lock,
    specifiers: pick(lock.specifiers, (specifier, version) => !ids.has(`${nameOf(specifier)}@${version}`)),
    npm: Object.fromEntries(
      Object.entries(lock.npm).filter(([id]) => !ids.has(id)).map(([id, locked]) => [id, {
        ...locked,
        ...(locked.optionalDependencies &&
          { optionalDependencies: locked.optionalDependencies.filter((one) => !ids.has(idOf(one))) }),
      }]),
    ),
  };
}

/** Returns `ms` for `npm:ms@2`, and `@std/path` for `jsr:@std/path@1` or for an id. */
export function nameOf(specifierOrId: string): string {
  const text = specifierOrId.replace(/^(?:npm|jsr):\/?/, "");
  const end = text.indexOf("@", 1);
  return end === -1 ? text : text.slice(0, end);
}

/** Returns `2.1.3` for `ms@2.1.3` and for `ms@2.1.3_peer@1.0.0`. */
export function versionOf(id: string): string {
  return id.slice(nameOf(id).length + 1).replace(/_.*$/, "");
}

/** Returns a specifier for the newest locked version of a package, such as `npm:ms@^2.1.3`; releases are preferred. */
export function newestLocked(lock: Lock, name: string): string | undefined {
  for (const registry of ["npm", "jsr"] as const) {
    const versions = Object.keys(lock[registry]).filter((id) => nameOf(id) === name).map(versionOf)
      .filter((version) => valid(version) !== null).sort(rcompare);
    const newest = versions.find((version) => prerelease(version) === null) ?? versions[0];
    if (newest !== undefined) return `${registry}:${name}@^${newest}`;
  }
}

/** Returns the ids of a package's required dependencies. */
export function neededBy(locked: LockedNpm | undefined): string[] {
  const optional = new Set((locked?.optionalPeers ?? []).map(idOf).map(nameOf));
  return (locked?.dependencies ?? []).map(idOf).filter((id) => !optional.has(nameOf(id)));
}

export function dependenciesOf(locked: LockedNpm | undefined): string[] {
  return [...locked?.dependencies ?? [], ...locked?.optionalDependencies ?? []].map(idOf);
}

/** Returns the package of an entry of `dependencies`; an alias is written `alias@npm:id`. */
function idOf(dependency: string): string {
  const alias = dependency.indexOf("@npm:");
  return alias === -1 ? dependency : dependency.slice(alias + "@npm:".length);
}

function expand(lock: Lock): Lock {
  const known = new Map<string, string>();
  for (const id of Object.keys(lock.npm)) known.set(nameOf(id), id);
  const whole = (dependency: string): string => {
    const id = idOf(dependency);
    const prefix = dependency.slice(0, dependency.length - id.length);
    return prefix + (id.indexOf("@", 1) === -1 ? known.get(id) ?? id : id);
  };
  const npm = Object.entries(lock.npm).map(([id, locked]) => [id, {
    ...locked,
    ...(locked.dependencies && { dependencies: locked.dependencies.map(whole) }),
    ...(locked.optionalDependencies && { optionalDependencies: locked.optionalDependencies.map(whole) }),
    ...(locked.optionalPeers && { optionalPeers: locked.optionalPeers.map(whole) }),
  }]);
  return { ...lock, npm: Object.fromEntries(npm), jsr: expandJsr(lock) };
}

/** Expands a JSR dependency: a specifier whose range is omitted if the lock has only one version of that package. */
function expandJsr({ jsr, specifiers }: Lock): Lock["jsr"] {
  const known = new Map(
    Object.keys(specifiers).map((specifier) => [specifier.slice(0, 4) + nameOf(specifier), specifier]),
  );
  const whole = (specifier: string): string =>
    specifier.slice(4) === nameOf(specifier) ? known.get(specifier) ?? specifier : specifier;
  return Object.fromEntries(
    Object.entries(jsr).map(([id, locked]) => [id, {
      ...locked,
      ...(locked.dependencies && { dependencies: locked.dependencies.map(whole) }),
    }]),
  );
}

function jsrDependencies(lock: Lock, locked: LockedJsr | undefined): string[] {
  return (locked?.dependencies ?? []).filter((specifier) => specifier.startsWith("jsr:"))
    .flatMap((specifier) => lock.specifiers[specifier] ? [`${nameOf(specifier)}@${lock.specifiers[specifier]}`] : []);
}

function npmId(lock: Lock, specifier: string): string | undefined {
  const version = specifier.startsWith("npm:") ? lock.specifiers[specifier] : undefined;
  return version && `${nameOf(specifier)}@${version}`;
}

function reached(from: Iterable<string>, next: (id: string) => readonly string[]): Set<string> {
  const found = new Set(from);
  for (const id of found) for (const other of next(id)) found.add(other);
  return found;
}

function pick<T>(entries: Readonly<Record<string, T>>, isKept: (name: string, value: T) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).filter(([name, value]) => isKept(name, value)));
}
