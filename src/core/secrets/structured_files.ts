// Reads secrets from JSON and YAML: a map from names to texts, or to `{value, comment}`.

import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import type { Document, Node as YamlNode, Pair, Scalar, YAMLMap } from "yaml";
import { commentIn } from "../../env_file.ts";
import type { FileEntry, FileProblem, SecretFile } from "./file_entries.ts";

const NOT_A_MAP = "is not a map from names to texts";
const NOT_TEXT = "has a value that is not text";
const FIELDS = ["value", "comment"];
const BAD_ENTRY = "has another value than a text or {value, comment}, both texts";

/** Collects entries, and refuses a name that occurs twice. */
class Collector {
  readonly entries: FileEntry[] = [];
  readonly problems: FileProblem[] = [];
  readonly #names = new Set<string>();

  add(entry: FileEntry): void {
    if (this.#names.has(entry.name)) this.refuse(entry.line, "has a name that occurs a second time");
    else this.entries.push(entry);
    this.#names.add(entry.name);
  }

  refuse(line: number, problem: string): void {
    this.problems.push({ line, problem });
  }
}

/** Returns a function that finds the line, from 1, of an offset. */
function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

export function readJson(content: string): SecretFile {
  const text = content.replace(/^\ufeff/, "");
  const lineOf = lineFinder(text);
  const found = new Collector();
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { disallowComments: true });
  if (errors.length > 0) {
    const [{ offset, error }] = errors as [ParseError];
    found.refuse(lineOf(offset), `is not valid JSON (${printParseErrorCode(error)})`);
    return found;
  }
  if (root?.type !== "object") {
    found.refuse(1, NOT_A_MAP);
    return found;
  }
  for (const { children = [] } of root.children ?? []) {
    const [key, value] = children as [Node, Node];
    const [line, name] = [lineOf(key.offset), key.value as string];
    if (value.type === "string") found.add({ name, value: value.value, comment: "", line });
    else if (value.type === "object") addEntry(found, name, line, membersOf(value));
    else found.refuse(line, NOT_TEXT);
  }
  return found;
}

function membersOf({ children = [] }: Node): [string, unknown][] {
  return children.map(({ children: [key, value] = [] }) => [key!.value, value!.value]);
}

function addEntry(
  found: Collector,
  name: string,
  line: number,
  members: readonly (readonly [string, unknown])[],
): void {
  const { value, comment = "" } = Object.fromEntries(members) as Record<string, unknown>;
  const isEntry = members.every(([field]) => FIELDS.includes(field)) &&
    new Set(members.map(([field]) => field)).size ===
      members.length &&
    typeof value === "string" && typeof comment === "string";
  if (isEntry) found.add({ name, value, comment, line });
  else found.refuse(line, BAD_ENTRY);
}

/** Reads YAML 1.2 (the core schema). Aliases are refused, so that no file is larger than it looks. */
export async function readYaml(content: string): Promise<SecretFile> {
  // Loaded when it is needed: few servers import YAML.
  const { LineCounter, isAlias, isMap, isScalar, parseAllDocuments } = await import("yaml");
  const lines = new LineCounter();
  const found = new Collector();
  const documents = parseAllDocuments(content, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
  const [document, second] = Array.isArray(documents) ? documents as Document.Parsed[] : [];
  const lineOf = (node: { range?: unknown } | null | undefined): number => {
    const [offset] = (node?.range ?? [0]) as [number];
    return lines.linePos(offset).line || 1;
  };
  if (!document) return found;
  for (const { pos, code } of document.errors) found.refuse(lines.linePos(pos[0]).line, `is not valid YAML (${code})`);
  if (second) found.refuse(lineOf(second), "begins a second document");
  if (found.problems.length > 0) return found;
  const root = document.contents as YamlNode | null;
  if (root === null) return found;
  if (!isMap(root)) {
    found.refuse(lineOf(root), NOT_A_MAP);
    return found;
  }
  const textOf = (node: unknown): unknown => isScalar(node) ? node.value : undefined;
  let above = root.commentBefore;
  for (const { key, value } of (root as YAMLMap).items as Pair<YamlNode, YamlNode | null>[]) {
    const line = lineOf(key);
    const comment = commentAbove(above ?? key.commentBefore);
    above = undefined;
    const name = isScalar(key) ? (key as Scalar).source ?? key.value : undefined;
    if (typeof name !== "string") found.refuse(line, "has a name that is not text");
    else if (isAlias(value)) found.refuse(line, "has an alias instead of a value");
    else if (isMap(value)) addEntry(found, name, line, value.items.map(membersOfPair));
    else if (typeof textOf(value) === "string") found.add({ name, value: textOf(value) as string, comment, line });
    else found.refuse(line, `${NOT_TEXT}: put it in quotes`);
  }
  return found;

  function membersOfPair(pair: Pair): readonly [string, unknown] {
    return [String(textOf(pair.key)), textOf(pair.value)];
  }
}

/** The same as in `.env`. A secret that is commented out is `# NAME: value` here. */
function commentAbove(text: string | null | undefined): string {
  const lines = (text ?? "").split("\n").filter((line) => !/^\s*[\w.-]+\s*:\s*\S/.test(line));
  return lines.map((line) => commentIn(`#${line}`)).filter((line) => line !== undefined).join("\n");
}
