// What the list of packages and the page of one share.

import type { InstalledPackage, PackageUser } from "../../../../code/packages.ts";

export const PACKAGES_PATH = "/web/packages";

export function packagePath({ registry, name }: Pick<InstalledPackage, "registry" | "name">): string {
  return `${PACKAGES_PATH}/of?${new URLSearchParams({ registry, name })}`;
}

/** Reports whether the code of a function imports the package, not only other packages. */
export function isImported({ versions }: InstalledPackage): boolean {
  return versions.some(({ functions }) => functions.some(({ specifiers }) => specifiers.length > 0));
}

/** Returns the functions that have the package, each once. */
export function usersOf({ versions }: InstalledPackage): PackageUser[] {
  return [...new Map(versions.flatMap(({ functions }) => functions).map((one) => [one.id, one])).values()];
}

/** Returns the licenses of all versions; undefined if none is known. */
export function licensesOf({ versions }: InstalledPackage): string | undefined {
  return [...new Set(versions.flatMap(({ license }) => license ?? []))].join(", ") || undefined;
}
