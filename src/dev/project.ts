// Reads a project on this machine: its functions from crude.json, and its secrets from `.env` files by scope.

import { parse, type ParseError, printParseErrorCode } from "jsonc-parser";
import { join } from "node:path";
import { parseEnvFile } from "../env_file.ts";

export interface ProjectSecret {
  readonly name: string;
  readonly value: string;
  readonly scope: "global" | "function" | "group" | "key";
  /** Name of the function or group, or `GROUP/KEY`; undefined for global ones. */
  readonly owner: string | undefined;
}

export interface Project {
  /** Entries of functions by name; undefined without a crude.json. */
  readonly functions: Readonly<Record<string, unknown>> | undefined;
  /** Groups that functions or files name. */
  readonly groups: readonly string[];
  /** `GROUP/KEY` of each key that a file names. */
  readonly keys: readonly string[];
  readonly secrets: readonly ProjectSecret[];
  /** Sentences about files that cannot be used; the rest is. */
  readonly problems: readonly string[];
}

const GROUP = /^[a-z0-9_-]+$/;

/** Reads the project in `folder`, which is absolute. */
export async function readProject(folder: string): Promise<Project> {
  const problems: string[] = [];
  const functions = await readFunctions(folder, problems);
  const files = await readEnvFiles(folder, problems);
  const groups = new Set(groupsOf(functions));
  for (const { scope, owner } of files) if (scope === "group" && owner !== undefined) groups.add(owner);
  const secrets: ProjectSecret[] = [];
  const keys = new Set<string>();
  for (const { file, scope, owner, variables } of files) {
    const resolved = scope === "key" ? keyOf(owner!, [...groups]) : owner;
    if (scope === "key" && resolved === undefined) {
      problems.push(
        `${file}: name it .env.key.GROUP.KEY, with the group of the key: ${[...groups].join(", ") || "none"}.`,
      );
      continue;
    }
    if (scope === "key") keys.add(resolved!);
    for (const { name, value } of variables) {
      if (value === "") problems.push(`${file}: ${name} is empty, so that it is no secret.`);
      else secrets.push({ name, value, scope, owner: resolved });
    }
  }
  for (const key of keys) groups.add(key.split("/")[0]!);
  return { functions, groups: [...groups].sort(), keys: [...keys].sort(), secrets, problems };
}

async function readFunctions(folder: string, problems: string[]): Promise<Record<string, unknown> | undefined> {
  const text = await Deno.readTextFile(join(folder, "crude.json")).catch(ignoreMissing);
  if (text === undefined) return undefined;
  const errors: ParseError[] = [];
  const project = parse(text, errors, { disallowComments: true });
  const [error] = errors;
  if (error) {
    const line = text.slice(0, error.offset).split("\n").length;
    problems.push(`crude.json:${line}: it is not valid JSON (${printParseErrorCode(error.error)}).`);
  } else if (typeof project?.functions === "object" && project.functions !== null) return project.functions;
  else problems.push('crude.json: it has no object "functions".');
  return undefined;
}

interface EnvFile {
  readonly file: string;
  readonly scope: ProjectSecret["scope"];
  readonly owner: string | undefined;
  readonly variables: readonly { readonly name: string; readonly value: string }[];
}

async function readEnvFiles(folder: string, problems: string[]): Promise<EnvFile[]> {
  const files: EnvFile[] = [];
  const names = [...Deno.readDirSync(folder)].filter(({ isFile, name }) => isFile && /^\.env(?:\.|$)/.test(name))
    .map(({ name }) => name).sort();
  for (const file of names) {
    const [, scope, owner] = /^\.env\.(function|group|key)\.(.+)$/.exec(file) ?? [];
    // Others, such as `.env.example`, belong to other tools.
    if (file !== ".env" && scope === undefined) continue;
    const { variables, problems: wrong } = parseEnvFile(await Deno.readTextFile(join(folder, file)));
    problems.push(...wrong.map(({ line, problem }) => `${file}:${line} ${problem}.`));
    files.push({ file, scope: (scope ?? "global") as ProjectSecret["scope"], owner, variables });
  }
  return files;
}

/** Returns the names of groups in the `keys` of functions. */
function groupsOf(functions: Readonly<Record<string, unknown>> | undefined): string[] {
  return Object.values(functions ?? {}).flatMap((entry) => {
    const { keys } = (entry ?? {}) as { keys?: unknown };
    return Array.isArray(keys) ? keys.filter((key): key is string => typeof key === "string" && GROUP.test(key)) : [];
  });
}

/** Returns `GROUP/KEY` for `acme`, if there is one group only, or for `partners.acme`. */
function keyOf(name: string, groups: readonly string[]): string | undefined {
  const [group, ...rest] = name.split(".");
  if (rest.length > 0 && groups.includes(group!)) return `${group}/${rest.join(".")}`;
  return groups.length === 1 ? `${groups[0]}/${name}` : undefined;
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
