// What a deployment changes, as the server describes it, in lines for people.

import { count, visibleLine } from "../base/text.ts";

export interface Changes {
  readonly created: readonly string[];
  readonly changed: readonly string[];
  readonly deleted: readonly string[];
  /** How many stay as they are. */
  readonly unchanged: number;
}

export interface Plan {
  readonly files: Changes;
  readonly functions: Changes;
}

/** Why the server does not deploy, or what it warns of. */
export interface Problem {
  readonly kind: string;
  readonly function?: string;
  readonly file?: string;
  readonly line?: number;
  readonly message: string;
}

export function isEmpty({ files, functions }: Plan): boolean {
  return [files, functions].every((one) => one.created.length + one.changed.length + one.deleted.length === 0);
}

export function deletes({ files, functions }: Plan): number {
  return files.deleted.length + functions.deleted.length;
}

/** `+` is created, `~` changed, `-` deleted. */
export function planLines({ files, functions }: Plan): string[] {
  const lines = (what: string, { created, changed, deleted }: Changes) => [
    ...created.map((name) => `+ ${what}${visibleLine(name)}`),
    ...changed.map((name) => `~ ${what}${visibleLine(name)}`),
    ...deleted.map((name) => `- ${what}${visibleLine(name)}`),
  ];
  return [
    ...lines("", files),
    ...lines("function ", functions),
    `${count(files.unchanged, "file")} and ${count(functions.unchanged, "function")} unchanged.`,
  ];
}

export function problemLines(problems: readonly Problem[]): string[] {
  return problems.map(({ kind, function: name, file, line, message }) => {
    const place = file === undefined ? "" : `${file}${line === undefined ? "" : `:${line}`}: `;
    return `  ${visibleLine(place)}${name === undefined ? "" : `${visibleLine(name)}: `}${message} (${kind})`;
  });
}
