// Adds types to the parameters of a handler, only for type checks: authors write `(c, ctx)`, and mistakes such as a
// misspelled method are found nevertheless. Annotated code is never run.

/** An insertion into a line: this many characters at this column (from 0). */
interface Insertion {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

export interface Annotated {
  readonly source: string;
  /** Converts a column (from 0) in `source` to the column in the author's text. */
  originalColumn(line: number, column: number): number;
  /** Line (from 0) of the default export, or 0. */
  readonly exportLine: number;
}

/**
 * Matches `export default`, a function or an arrow function, and one or two parameters without types. No two adjacent
 * parts match the same character, so that long white space takes linear time.
 */
const DEFAULT_EXPORT =
  /\bexport\s+default\s+(?:async\s+)?(?:function\b\s*(?:\*\s*)?(?:[\w$]+\s*)?)?\(\s*([\w$]+)\s*(?:,\s*([\w$]+)\s*)?(?:,\s*)?\)/g;
const EXPORT = /^[^\S\r\n]*export\s+default\b/m;
/** A module has one default export; further matches are in comments and strings. */
const EXPORTS_MAX = 20;

/** Inserts the `types` of the two parameters; without `anyNames`, only if the first is called `c`. */
export function annotate(source: string, types: readonly [string, string], anyNames: boolean): Annotated {
  const insertions: Insertion[] = [];
  let annotated = "";
  let taken = 0;
  let exportAt: number | undefined = source.search(EXPORT);
  if (exportAt === -1) exportAt = undefined;
  let found = 0;
  for (const match of source.matchAll(DEFAULT_EXPORT)) {
    if (++found > EXPORTS_MAX) break;
    const [whole, first, second] = match as unknown as [string, string, string | undefined];
    if (!anyNames && first !== "c") continue;
    exportAt ??= match.index;
    const list = whole.lastIndexOf("(");
    const ends = [whole.indexOf(first, list) + first.length];
    if (second !== undefined) ends.push(whole.indexOf(second, whole.indexOf(",", list)) + second.length);
    ends.forEach((end, index) => {
      const at = match.index + end;
      const lineStart = source.lastIndexOf("\n", at - 1) + 1;
      const text = `: ${types[index]}`;
      insertions.push({ line: lineOf(source, at), column: at - lineStart, length: text.length });
      annotated += source.slice(taken, at) + text;
      taken = at;
    });
  }
  return {
    source: annotated + source.slice(taken),
    exportLine: exportAt === undefined ? 0 : lineOf(source, exportAt + 1),
    originalColumn(line, column) {
      let moved = 0;
      for (const insertion of insertions) {
        if (insertion.line !== line) continue;
        const at = insertion.column + moved;
        if (column >= at + insertion.length) moved += insertion.length;
        else if (column > at) return insertion.column;
      }
      return column - moved;
    },
  };
}

/** Returns the line (from 0) of the character before `end`. */
function lineOf(source: string, end: number): number {
  let line = 0;
  for (let at = source.indexOf("\n"); at !== -1 && at < end; at = source.indexOf("\n", at + 1)) line++;
  return line;
}
