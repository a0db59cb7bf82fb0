// Gives the parameters of a handler their types, for checking alone: authors write `(c, ctx)` and should be told
// of a mistyped method all the same. Nothing annotated is ever run.

/** What was put into a line: so many characters at this column (from 0). */
interface Insertion {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

export interface Annotated {
  readonly source: string;
  /** The column (from 0) in the author's text of one in `source`. */
  originalColumn(line: number, column: number): number;
  /** Line (from 0) of the default export, or 0. */
  readonly exportLine: number;
}

/** `export default`, a function or an arrow function, and one or two parameters without types. */
const DEFAULT_EXPORT =
  /\bexport\s+default\s+(?:async\s+)?(?:function\b\s*\*?\s*[\w$]*\s*)?\(\s*([\w$]+)\s*(?:,\s*([\w$]+)\s*)?,?\s*\)/g;

/** `types` are those of the two parameters; without `anyNames` only parameters that are called `c` get them. */
export function annotate(source: string, types: readonly [string, string], anyNames: boolean): Annotated {
  const insertions: Insertion[] = [];
  let annotated = "";
  let taken = 0;
  let exportAt: number | undefined = source.search(/^\s*export\s+default\b/m);
  if (exportAt === -1) exportAt = undefined;
  for (const match of source.matchAll(DEFAULT_EXPORT)) {
    const [whole, first, second] = match as unknown as [string, string, string | undefined];
    if (!anyNames && first !== "c") continue;
    exportAt ??= match.index;
    const list = whole.lastIndexOf("(");
    const ends = [whole.indexOf(first, list) + first.length];
    if (second !== undefined) ends.push(whole.indexOf(second, whole.indexOf(",", list)) + second.length);
    ends.forEach((end, index) => {
      const at = match.index + end;
      const before = source.slice(0, at);
      const lineStart = before.lastIndexOf("\n") + 1;
      const text = `: ${types[index]}`;
      insertions.push({ line: lineOf(before), column: at - lineStart, length: text.length });
      annotated += source.slice(taken, at) + text;
      taken = at;
    });
  }
  return {
    source: annotated + source.slice(taken),
    exportLine: exportAt === undefined ? 0 : lineOf(source.slice(0, exportAt + 1)),
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

function lineOf(before: string): number {
  return before.split("\n").length - 1;
}
