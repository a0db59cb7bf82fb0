// Parses files of environment variables, such as `.env`.

import { Buffer } from "node:buffer";

export interface EnvVariable {
  readonly name: string;
  readonly value: string;
  /** Of the name, from 1. */
  readonly line: number;
  /** The comment lines directly above it, without `#`; "" if there are none. See `commentIn`. */
  readonly comment: string;
}

/** A line that is none, with a clause that says why. The clause has nothing of the line, which may hold a value. */
export interface EnvProblem {
  readonly line: number;
  readonly problem: string;
}

/** Begins a comment that sets a variable, in Base64: its value is none that all parsers would read alike. */
export const BASE64_MARK = "# crude-base64: ";
/** Begins a comment line that is a comment whatever it looks like. */
export const VERBATIM_MARK = "#| ";

const NAME = /^[a-zA-Z0-9_-]{1,255}$/;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

/** A variable that is commented out, whose value must not get into a comment, which is not encrypted. */
const COMMENTED_OUT = /^\s*(?:export\s+)?[a-zA-Z_][a-zA-Z0-9_.-]*\s*=\s*\S/;

/** Returns the text of a comment line; undefined for a variable that is commented out. */
export function commentIn(line: string): string | undefined {
  if (line.startsWith(VERBATIM_MARK)) return line.slice(VERBATIM_MARK.length);
  const text = line.replace(/^\s*# ?/, "");
  return COMMENTED_OUT.test(text) ? undefined : text;
}

/**
 * Parses `NAME=value` lines. A value in single quotes is taken as it is, one in double quotes with \n, \r, \t, \" and
 * \\; both may have several lines. Without quotes it ends before ` #`. `$` has no meaning. A name must not occur twice.
 */
export function parseEnvFile(source: string): { variables: EnvVariable[]; problems: EnvProblem[] } {
  const text = source.replace(/^\ufeff/, "").replaceAll("\r\n", "\n");
  const variables = new Map<string, EnvVariable>();
  const problems: EnvProblem[] = [];
  let comment: string[] = [];
  let number = 0;
  for (let at = 0, counted = 0; at < text.length;) {
    number += at === 0 ? 1 : lineBreaks(text, counted, at);
    counted = at;
    const end = endOfLine(text, at);
    const line = text.slice(at, end);
    const isMarked = line.startsWith(BASE64_MARK);
    if (!isMarked && /^\s*(?:#.*)?$/.test(line)) {
      const said = line.trim() === "" ? undefined : commentIn(line);
      if (line.trim() === "") comment = [];
      else if (said !== undefined) comment.push(said);
      at = end + 1;
      continue;
    }
    const equals = line.indexOf("=");
    const head = line.slice(isMarked ? BASE64_MARK.length : 0, Math.max(0, equals)).trim();
    const name = isMarked ? head : head.replace(/^export\s+/, "");
    const problem = name === ""
      ? "is not NAME=value"
      : !NAME.test(name)
      ? "has a name that is not letters, digits, underscores and hyphens"
      : variables.has(name)
      ? `sets ${name} a second time`
      : undefined;
    let from = at + equals + 1;
    while (text[from] === " " || text[from] === "\t") from++;
    const read: ReadValue = problem !== undefined
      ? { problem, next: end + 1 }
      : isMarked
      ? readBase64(text, from, end)
      : readValue(text, from);
    if (read.problem !== undefined) problems.push({ line: number, problem: read.problem });
    else variables.set(name, { name, value: read.value, line: number, comment: comment.join("\n") });
    comment = [];
    at = read.next;
  }
  return { variables: [...variables.values()], problems };
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end === -1 ? text.length : end;
}

function lineBreaks(text: string, from: number, to: number): number {
  let found = 0;
  for (let at = text.indexOf("\n", from); at !== -1 && at < to; at = text.indexOf("\n", at + 1)) found++;
  return found;
}

type ReadValue =
  & { readonly next: number }
  & (
    | { readonly value: string; readonly problem?: undefined }
    | { readonly problem: string }
  );

function readBase64(text: string, from: number, end: number): ReadValue {
  const encoded = text.slice(from, end).trim();
  const bytes = Buffer.from(encoded, "base64");
  try {
    const value = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (bytes.toString("base64") === encoded) return { value, next: end + 1 };
  } catch {
    // Not UTF-8.
  }
  return { problem: "is not text in Base64", next: end + 1 };
}

/** Reads a value that begins at `from`; `next` is where the next line begins. */
function readValue(text: string, from: number): ReadValue {
  const quote = text[from];
  if (quote !== '"' && quote !== "'") {
    const end = endOfLine(text, from);
    return { value: text.slice(from, end).replace(/(?:^|\s)#.*$/, "").trim(), next: end + 1 };
  }
  const parts: string[] = [];
  for (let at = from + 1; at < text.length; at++) {
    const character = text[at]!;
    if (character === quote) {
      const end = endOfLine(text, at);
      const isClean = /^\s*(?:#.*)?$/.test(text.slice(at + 1, end));
      const next = end + 1;
      return isClean ? { value: parts.join(""), next } : { problem: "has text after the closing quote", next };
    }
    const escaped = quote === '"' && character === "\\" ? ESCAPES[text[at + 1] ?? ""] : undefined;
    parts.push(escaped ?? character);
    if (escaped !== undefined) at++;
  }
  return { problem: `has an opening ${quote} without a closing one`, next: endOfLine(text, from) + 1 };
}
