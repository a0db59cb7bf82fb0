// Updates one npm package in a lock to another version, and other packages only as far as that requires.

import { join } from "node:path";
import { satisfies, validRange } from "semver";
import { type Builder, causeOf } from "./modules/builder.ts";
import {
  type Lock,
  lockText,
  nameOf,
  parseLock,
  specifierOf,
  usersOf,
  versionOf,
  withoutPackages,
} from "./packages/lock.ts";

export interface PackageUpdate {
  readonly name: string;
  /** A range or version; undefined for the newest version that each specifier allows. */
  readonly to: string | undefined;
}

export type UpdatedLock = { readonly lock: Lock } | { readonly problem: string };

/** Returns the locked versions of a package that is imported by its name. */
export function versionsOf(lock: Lock, name: string): string[] {
  const found = Object.entries(lock.specifiers).filter(([specifier]) => isOf(specifier, name));
  return [...new Set(found.map(([, version]) => versionOf(`${name}@${version}`)))].sort();
}

/** Computes an updated lock with current data of the registry; fetches no package. `handler` is named in problems. */
export async function updateLock(
  lock: Lock,
  { name, to }: PackageUpdate,
  handler: string,
  builder: Builder,
): Promise<UpdatedLock> {
  const moved = Object.entries(lock.specifiers).filter(([specifier]) => isOf(specifier, name));
  const before = new Set(moved.map(([, version]) => `${name}@${version}`));
  // A package's entry names its peers' versions, so all its dependents are resolved again, at the same versions.
  const removed = usersOf(lock, before);
  const pins = new Map<string, string>();
  for (const [specifier] of moved) pins.set(specifier, `npm:${name}@${to ?? rangeOf(specifier)}`);
  const kept = [...removed].filter((id) => !before.has(id)).map((id) => `npm:${nameOf(id)}@${versionOf(id)}`);
  for (const [specifier, version] of Object.entries(lock.specifiers)) {
    const id = `${nameOf(specifier)}@${version}`;
    if (specifier.startsWith("npm:") && removed.has(id) && !before.has(id)) {
      pins.set(specifier, `npm:${nameOf(id)}@${versionOf(id)}`);
    }
  }
  await using folder = await builder.folder();
  const path = await folder.write("lock", lockText(withoutPackages(lock, removed)));
  const wanted = [...new Set([...pins.values(), ...kept])];
  const entry = await folder.write("entry.ts", wanted.map((one) => `import ${JSON.stringify(one)};\n`).join(""));
  // In a separate cache: the usual one may not know the newest versions.
  const { success, stderr } = await builder.resolve(join(folder.path, "cache"), `--lock=${path}`, entry);
  if (!success) return { problem: causeOf(stderr) };
  const resolved = parseLock(await Deno.readTextFile(path));
  const versions = new Map(Object.entries(resolved.specifiers).map(([one, version]) => [specifierOf(one), version]));
  const specifiers = Object.fromEntries(
    Object.entries(resolved.specifiers).filter(([one]) => one in lock.specifiers),
  );
  for (const [specifier, pin] of pins) {
    const version = versions.get(specifierOf(pin));
    if (version === undefined) return { problem: `${pin} was not found.` };
    const range = rangeOf(specifier);
    if (
      nameOf(specifier) === name && validRange(range) !== null && !satisfies(versionOf(`${name}@${version}`), range)
    ) {
      const exact = versionOf(`${name}@${version}`);
      return { problem: `${handler} imports "${specifier}", which does not allow ${exact}; change the import first.` };
    }
    specifiers[specifier] = version;
  }
  return { lock: { ...resolved, specifiers } };
}

function isOf(specifier: string, name: string): boolean {
  return specifier.startsWith("npm:") && nameOf(specifier) === name;
}

function rangeOf(specifier: string): string {
  return specifier.slice(specifier.indexOf(nameOf(specifier)) + nameOf(specifier).length + 1) || "*";
}
