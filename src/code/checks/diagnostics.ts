// Parses the output of `deno check`.

/** An error in a source; lines and columns count from 1. */
export interface Diagnostic {
  /** `file:` URL, or "" if it concerns none. */
  readonly address: string;
  readonly line: number;
  readonly column: number;
  /** After the last character; undefined if the output does not contain it. */
  readonly endColumn: number | undefined;
  readonly message: string;
}

const PLACE = /^ {4}at (file:\/\/\S+?):(\d+):(\d+)$/m;
/** No two adjacent parts match the same character, so that long lines take linear time. */
const MARKER = /^\s*(?:\d+ +)?(?:\| *)?([~^]+)\s*$/;

/** Returns the errors in the output of a failed check, in order. */
export function readDiagnostics(output: string): Diagnostic[] {
  // Each begins with its code; the text before the first is the progress.
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

/** Parses the error for a source that cannot be parsed, or for a module that is not available. */
function readError(text: string): Diagnostic {
  const [first] = text.split("\n");
  return { ...place(text), message: first!.replace(/^(?:SyntaxError|Uncaught \w+): /, "").trim() };
}

function place(text: string): Omit<Diagnostic, "message"> {
  const [before, address = "", lineText, columnText] = PLACE.exec(text) ?? [];
  if (before === undefined) return { address, line: 1, column: 1, endColumn: undefined };
  // Only the text above the location: related code may be quoted below it. Long lines are never quoted.
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
