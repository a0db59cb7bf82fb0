// What is said of each package that is tested, and what follows from its name.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ServiceName } from "./services/names.ts";

interface CommonFields {
  /** As npm knows it. Its handler is the file in `handlers/` that has this name in letters, digits and underscores. */
  readonly package: string;
  /** What the handler does with it. */
  readonly does: string;
  /** Services that the handler reaches; it is given their secrets, and may connect to nothing else. */
  readonly services?: readonly ServiceName[];
  /** Further hosts that it may connect to. */
  readonly net?: readonly string[];
  readonly memoryMb?: number;
  /** Whether it works with a sealed token, as its requests are made by `fetch`. */
  readonly sealed?: true;
  /** Whether it belongs to the short run, in `.ci/run`. */
  readonly short?: true;
}

export interface WorkingPackage extends CommonFields {
  /** What the handler answers: text that matches, or a value that the JSON equals. */
  readonly answer: unknown;
  /** What a user has to know. */
  readonly note?: string;
  /** A problem that is named at saving although the package works. */
  readonly problemAnyway?: RegExp;
  /** A message that the services must have received when the call has been answered. */
  readonly received?: RegExp;
}

export interface UnusablePackage extends CommonFields {
  /** Matches what the author is told: a problem at saving, or else the cause in the log of the first call. */
  readonly problem: RegExp;
  /** Why it cannot work. */
  readonly reason: string;
  readonly instead: string;
}

export type PackageCase = WorkingPackage | UnusablePackage;

export interface Category {
  readonly title: string;
  readonly cases: readonly PackageCase[];
}

export function cannotWork(one: PackageCase): one is UnusablePackage {
  return "problem" in one;
}

/** Name of the handler's file without its ending, and of the function. */
export function handlerName({ package: name }: PackageCase): string {
  return name.replace(/^@/, "").replace(/[^a-z0-9]+/gi, "_").toLowerCase();
}

export function handlerFile(one: PackageCase): string {
  return fileURLToPath(new URL(`handlers/${handlerName(one)}.ts`, import.meta.url));
}

export function handlerCode(one: PackageCase): string {
  return readFileSync(handlerFile(one), "utf8");
}

/** The version that the handler imports; throws if it imports none. */
export function versionOf(one: PackageCase): string {
  const specifier = `"npm:${one.package}@`;
  const code = handlerCode(one);
  const at = code.indexOf(specifier);
  if (at < 0) {
    throw new Error(`${handlerName(one)}.ts does not import ${one.package}.`);
  }
  return /^[^"/]+/.exec(code.slice(at + specifier.length))![0];
}
