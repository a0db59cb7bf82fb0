// Parses files of environment variables, such as `.env`.

export interface EnvVariable {
  readonly name: string;
  readonly value: string;
  /** Of the name, from 1. */
  readonly line: number;
}

/** A line that is none, with a clause that says why. */
export interface EnvProblem {
  readonly line: number;
  readonly problem: string;
}

const NAME = /^[a-zA-Z0-9_-]{1,255}$/;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

/**
 * Parses `NAME=value` lines. A value in single quotes is taken as it is, one in double quotes with \n, \r, \t, \" and
 * \\; both may have several lines. Without quotes it ends before ` #`. `$` has no meaning. A name must not occur twice.
 */
export function parseEnvFile(source: string): { variables: EnvVariable[]; problems: EnvProblem[] } {
  const text = source.replace(/^\ufeff/, "").replaceAll("\r\n", "\n");
  const variables: EnvVariable[] = [];
  const problems: EnvProblem[] = [];
  const lineOf = (at: number) => text.slice(0, at).split("\n").length;
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\n", at) === -1 ? text.length : text.indexOf("\n", at);
    const line = text.slice(at, end);
    const number = lineOf(at);
    const [head, name] = /^\s*(?:export\s+)?([^\s=#][^=]*?)\s*=[ \t]*/.exec(line) ?? [];
    if (/^\s*(?:#.*)?$/.test(line)) {
      at = end + 1;
      continue;
    }
    const problem = name === undefined
      ? "is not NAME=value"
      : !NAME.test(name)
      ? `has the name ${JSON.stringify(name)}, which is not letters, digits, underscores and hyphens`
      : variables.some((one) => one.name === name)
      ? `sets ${name} a second time`
      : undefined;
    if (problem !== undefined) {
      problems.push({ line: number, problem });
      at = end + 1;
      continue;
    }
    const read = readValue(text, at + head!.length);
    if (read.problem === undefined) variables.push({ name: name!, value: read.value, line: number });
    else problems.push({ line: number, problem: read.problem });
    at = read.next;
  }
  return { variables, problems };
}

type ReadValue =
  & { readonly next: number }
  & (
    | { readonly value: string; readonly problem?: undefined }
    | { readonly problem: string }
  );

/** Reads a value that begins at `from`; `next` is where the next line begins. */
function readValue(text: string, from: number): ReadValue {
  const lineEnd = (at: number) => text.indexOf("\n", at) === -1 ? text.length : text.indexOf("\n", at);
  const quote = text[from];
  if (quote !== '"' && quote !== "'") {
    const end = lineEnd(from);
    return { value: text.slice(from, end).replace(/(?:^|\s)#.*$/, "").trim(), next: end + 1 };
  }
  let value = "";
  for (let at = from + 1; at < text.length; at++) {
    const character = text[at]!;
    if (character === quote) {
      const end = lineEnd(at);
      const isClean = /^\s*(?:#.*)?$/.test(text.slice(at + 1, end));
      return isClean ? { value, next: end + 1 } : { problem: "has text after the closing quote", next: end + 1 };
    }
    const escaped = quote === '"' && character === "\\" ? ESCAPES[text[at + 1] ?? ""] : undefined;
    value += escaped ?? character;
    if (escaped !== undefined) at++;
  }
  return { problem: `has an opening ${quote} without a closing one`, next: lineEnd(from) + 1 };
}
