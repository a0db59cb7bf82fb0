// Reads one config file of the code folder, and finds its entries with their lines.

import { dirname } from "node:path";
import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";

/** Parsing a longer file would block the event loop. */
const FILE_MAX_BYTES = 256 * 1024;
/** Problems of one kind reported for one file; the others are reported once these are fixed. */
export const SENTENCES_MAX = 10;

export interface ConfigFile {
  /** Inside the code folder, with "/" between segments. */
  readonly name: string;
  /** Absolute path of its folder. */
  readonly folder: string;
  readonly text: string;
  readonly root: Node | undefined;
  /** Problems as sentences; the file cannot be used if there are any. */
  readonly problems: readonly string[];
  /** Its objects by name, parsed on demand: files may have thousands of entries and importers. */
  readonly parts: Map<string, Part>;
  lineStarts?: readonly number[];
}

export interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly node: Node;
}

/** One object of a config file. */
export interface Part {
  readonly entries: readonly Entry[];
  /** The first entry of each key, with its index. */
  readonly byKey: ReadonlyMap<string, { readonly entry: Entry; readonly index: number }>;
}

/** Returns the file at the absolute path `path`, with its problems; undefined if there is none. */
export function readConfigFile(path: string, name: string): ConfigFile | undefined {
  const file = (text: string, root: Node | undefined, ...problems: string[]): ConfigFile => (
    { name, folder: dirname(path), text, root, problems, parts: new Map() }
  );
  let text: string;
  try {
    const { isFile, size } = Deno.lstatSync(path);
    // A link could lead to any file, which a message would then quote.
    if (!isFile || Deno.realPathSync(path) !== path) {
      return file("", undefined, `${name} is not a file, so it is not read.`);
    }
    if (size > FILE_MAX_BYTES) return file("", undefined, `${name} has more than 256 KiB, so it is not read.`);
    text = Deno.readTextFileSync(path).replace(/^\uFEFF/, "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    return file("", undefined, `${name} cannot be read.`);
  }
  const errors: ParseError[] = [];
  const isPackage = name.endsWith("package.json");
  const root = parseTree(text, errors, { allowTrailingComma: !isPackage, disallowComments: isPackage });
  const [error] = errors;
  if (error) {
    const what = printParseErrorCode(error.error).replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
    return file(text, root, `${name}:${lineAt(text, error.offset)}: the file is not valid JSON (${what}).`);
  }
  if (root?.type !== "object") return file(text, root, `${name}:1: the file must contain an object.`);
  const parts = isPackage ? ["dependencies"] : ["imports", "compilerOptions"];
  for (const part of parts) {
    const node = member(root, part);
    if (node && node.type !== "object") {
      return file(text, root, `${name}:${lineAt(text, node.offset)}: "${part}" must be an object.`);
    }
  }
  return file(text, root);
}

/** Returns an object of the file; without entries if it has none of that name. */
export function partOf(file: ConfigFile, name: string): Part {
  const known = file.parts.get(name);
  if (known) return known;
  const found = file.root && member(file.root, name);
  const entries = (found?.children ?? []).flatMap(({ children }) => {
    const [key, value] = children ?? [];
    return key && value ? [{ key: String(key.value), value: plain(value), node: key }] : [];
  });
  const byKey = new Map<string, { entry: Entry; index: number }>();
  entries.forEach((entry, index) => {
    if (!byKey.has(entry.key)) byKey.set(entry.key, { entry, index });
  });
  const part = { entries, byKey };
  file.parts.set(name, part);
  return part;
}

/** Of several entries with the same name, the last one applies, as in JSON.parse. */
function member(root: Node, name: string): Node | undefined {
  return root.children?.findLast(({ children }) => children?.[0]?.value === name)?.children?.[1];
}

function plain(node: Node): unknown {
  return node.type === "array" ? node.children?.map(plain) ?? [] : node.type === "object" ? {} : node.value;
}

/** Returns where an entry is, such as `deno.json:3`. */
export function at(file: ConfigFile, { offset }: Node): string {
  const starts = file.lineStarts ??= lineStartsOf(file.text);
  let [line, after] = [0, starts.length];
  while (after - line > 1) {
    const middle = (line + after) >> 1;
    if (starts[middle]! <= offset) line = middle;
    else after = middle;
  }
  return `${file.name}:${line + 1}`;
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) starts.push(end + 1);
  return starts;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
