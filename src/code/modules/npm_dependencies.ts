// Resolves bare imports by the `dependencies` of package.json, whose ranges are converted for `npm:` specifiers.

import { minVersion, rcompare, subset, valid, validRange } from "semver";
import { at, type ConfigFile, partOf } from "./config_file.ts";

/** The target of a bare specifier, or its problem: a sentence for its author. */
export type Resolved = { readonly target: string } | { readonly problem: string };

/** See https://docs.npmjs.com/cli/configuring-npm/package-json#name; includes names in capitals from before 2014. */
export const PACKAGE_NAME = /^(?:@[\w.~-]+\/)?[\w.~-]+$/i;

/** Returns the target of `specifier`; undefined if the file does not list its package. */
export function fromDependencies(file: ConfigFile, specifier: string): Resolved | undefined {
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
