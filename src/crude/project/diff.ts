// Compares two texts line by line and writes what differs as a unified diff.

const CONTEXT_LINES = 3;
/** Texts that differ in more lines than this are not compared: it takes memory of the square. */
const DIFFERENCES_MAX = 2_000;

interface Edit {
  readonly sign: " " | "-" | "+";
  readonly line: string;
  /** The number of the line in the old and in the new text, from 1; where the edit is, if it is not in one of them. */
  readonly old: number;
  readonly current: number;
}

/** Returns the lines of the diff; undefined if the texts differ in too many lines. */
export function unifiedDiff(path: string, before: string, after: string): string[] | undefined {
  const edits = editsOf(linesOf(before), linesOf(after));
  if (!edits) return undefined;
  const lines = [`--- ${path} (server)`, `+++ ${path} (here)`];
  for (const hunk of hunksOf(edits)) {
    const [first] = hunk as [Edit];
    const size = (without: string) => hunk.filter(({ sign }) => sign !== without).length;
    lines.push(`@@ -${range(first.old, size("+"))} +${range(first.current, size("-"))} @@`);
    lines.push(...hunk.map(({ sign, line }) => sign + line));
  }
  return lines;
}

/** An empty range is written with the line before it. */
function range(start: number, size: number): string {
  return size === 1 ? String(start) : `${size === 0 ? start - 1 : start},${size}`;
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  else lines.push(`${lines.pop()}\n\\ No newline at end of file`);
  return lines;
}

/** Groups edits that are near each other, with the lines around them. */
function hunksOf(edits: readonly Edit[]): Edit[][] {
  const hunks: Edit[][] = [];
  let end = -1;
  edits.forEach(({ sign }, at) => {
    if (sign === " ") return;
    const start = Math.max(at - CONTEXT_LINES, 0);
    if (start > end || hunks.length === 0) hunks.push([]);
    const from = hunks.at(-1)!.length === 0 ? start : end;
    end = Math.min(at + CONTEXT_LINES + 1, edits.length);
    hunks.at(-1)!.push(...edits.slice(from, end));
  });
  return hunks;
}

/** The shortest edits that make `after` of `before` (Myers, "An O(ND) Difference Algorithm", 1986). */
function editsOf(before: readonly string[], after: readonly string[]): Edit[] | undefined {
  const reached: Map<number, number>[] = [];
  let furthest = new Map<number, number>([[1, 0]]);
  for (let differences = 0; differences <= Math.min(before.length + after.length, DIFFERENCES_MAX); differences++) {
    const next = new Map<number, number>();
    for (let diagonal = -differences; diagonal <= differences; diagonal += 2) {
      const [left, right] = [furthest.get(diagonal - 1) ?? -1, furthest.get(diagonal + 1) ?? -1];
      let old = diagonal === -differences || (diagonal !== differences && left < right) ? right : left + 1;
      while (old < before.length && old - diagonal < after.length && before[old] === after[old - diagonal]) old++;
      next.set(diagonal, old);
      if (old >= before.length && old - diagonal >= after.length) {
        return backwards(before, after, [...reached, furthest]);
      }
    }
    reached.push(furthest);
    furthest = next;
  }
  return undefined;
}

/** Follows the way to the end back, through what was reached with each number of differences. */
function backwards(
  before: readonly string[],
  after: readonly string[],
  reached: readonly ReadonlyMap<number, number>[],
): Edit[] {
  const edits: Edit[] = [];
  let [old, current] = [before.length, after.length];
  const push = (sign: Edit["sign"], line: string) => edits.push({ sign, line, old: old + 1, current: current + 1 });
  for (let differences = reached.length - 1; differences >= 0; differences--) {
    const furthest = reached[differences]!;
    const diagonal = old - current;
    const [left, right] = [furthest.get(diagonal - 1) ?? -1, furthest.get(diagonal + 1) ?? -1];
    const isInsertion = diagonal === -differences || (diagonal !== differences && left < right);
    const from = isInsertion ? right : left;
    const [fromOld, fromCurrent] = [from, from - (isInsertion ? diagonal + 1 : diagonal - 1)];
    while (old > Math.max(fromOld, 0) && current > Math.max(fromCurrent, 0)) {
      old--;
      current--;
      push(" ", before[old]!);
    }
    if (differences === 0) break;
    if (isInsertion) push("+", after[--current]!);
    else push("-", before[--old]!);
  }
  return edits.reverse();
}
