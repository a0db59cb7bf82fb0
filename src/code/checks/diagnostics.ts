// Reads what `deno check` prints. Knows nothing of processes or files.

/** Something that is wrong with a source; lines and columns count from 1. */
export interface Diagnostic {
  /** `file:` address, or "" if it is about none. */
  readonly address: string;
  readonly line: number;
  readonly column: number;
  /** After the last character; undefined where the output does not say. */
  readonly endColumn: number | undefined;
  readonly message: string;
}

const PLACE = /^ {4}at (file:\/\/\S+?):(\d+):(\d+)$/m;
/** No two parts in a row take the same character: lines may be of any length. */
const MARKER = /^\s*(?:\d+ +)?(?:\| *)?([~^]+)\s*$/;

/** The errors in the output of a check that failed, in its order. */
export function readDiagnostics(output: string): Diagnostic[] {
  // Each begins with its code; what stands before the first is the progress.
  const found = output.split(/^(?=TS\d+ \[\w+\]: )/m).filter((part) => /^TS\d+ \[/.test(part));
  if (found.length > 0) return found.map(readTypeError);
  const error = /^error: ([\s\S]*)/m.exec(output)?.[1];
  return error === undefined ? [] : [readError(error)];
}

function readTypeError(text: string): Diagnostic {
  const lines = text.replace(/^TS\d+ \[\w+\]: /, "").split("\n");
  const end = lines.findIndex((line, index) => line.startsWith("    at ") || MARKER.test(lines[index + 1] ?? ""));
  const message = lines.slice(0, end === -1 ? 1 : Math.max(end, 1)).join("\n").trim();
  return { ...place(text), message };
}

/** A source that cannot be parsed, or a module that cannot be had. */
function readError(text: string): Diagnostic {
  const [first] = text.split("\n");
  return { ...place(text), message: first!.replace(/^(?:SyntaxError|Uncaught \w+): /, "").trim() };
}

function place(text: string): Omit<Diagnostic, "message"> {
  const [before, address = "", lineText, columnText] = PLACE.exec(text) ?? [];
  if (before === undefined) return { address, line: 1, column: 1, endColumn: undefined };
  // Only above the place: below it, what else the error has to do with is quoted. Long lines are not.
  const above = text.slice(0, text.indexOf(before)).split("\n");
  const marker = above.map((line) => MARKER.exec(line)?.[1]).find((mark) => mark !== undefined);
  const column = Number(columnText);
  return {
    address,
    line: Number(lineText),
    column,
    endColumn: marker === undefined ? undefined : column + marker.length,
  };
}
