// Shows a unified diff: lines that were added or removed are marked by their sign, an element and a color; parts of code
// have the colors of the editor.

import type { Child } from "hono/jsx";
import { isKnown, type Piece, Syntax } from "./syntax.ts";

/** More lines of a diff are without the colors of code, which would take more bytes than the code. */
const COLORED_MAX = 400;

/** Control characters that reorder a line (UAX #9), so that it reads as something that it is not. */
const REORDERING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function Diff({ path, diff, linesMax, whole }: {
  path: string;
  /** Undefined if there is none; see `ComparedFile`. */
  diff: string | undefined;
  linesMax: number;
  /** Address of the page that shows more lines. */
  whole?: string;
}) {
  if (diff === undefined) {
    return <p class="quiet">No diff: a content is not text, is too large or was purged from the history.</p>;
  }
  const start = diff.search(/^@@/m);
  if (start < 0) return <p class="quiet">The file is empty.</p>;
  const lines = diff.slice(start).replace(/\n$/, "").split("\n");
  const others = lines.length - linesMax;
  const shown = numbered(lines.slice(0, linesMax));
  const isColored = isKnown(path) && shown.length <= COLORED_MAX;
  return (
    <>
      <div
        class={isColored ? "diff colored" : "diff"}
        tabindex={0}
        role="region"
        aria-label={`Changes of ${path}`}
      >
        <pre>{(isColored ? colored(shown) : shown).map((line) => <Line {...line} />)}</pre>
      </div>
      {others > 0 && (
        <p class="quiet">
          {others} more lines. {whole !== undefined && <a href={whole}>Show more of {path}</a>}
        </p>
      )}
    </>
  );
}

/** The number of lines that a diff adds and removes. */
export interface DiffSize {
  readonly added: number;
  readonly removed: number;
}

export function sizeOfDiff(diff: string | undefined): DiffSize {
  const start = diff?.search(/^@@/m) ?? -1;
  const lines = start < 0 ? "" : diff!.slice(start);
  return { added: lines.match(/^\+/gm)?.length ?? 0, removed: lines.match(/^-/gm)?.length ?? 0 };
}

interface DiffLine {
  readonly text: string;
  readonly number: number | undefined;
  /** Of the text after the sign. */
  readonly pieces?: readonly Piece[];
}

/** Adds the pieces of code: removed lines continue the old content, added ones the new one, others both. */
function colored(lines: readonly DiffLine[]): DiffLine[] {
  let [before, after] = [new Syntax(), new Syntax()];
  return lines.map((line) => {
    const { text } = line;
    if (text.startsWith("@")) [before, after] = [new Syntax(), new Syntax()];
    if (/^[@\\]/.test(text)) return line;
    const code = text.slice(1);
    if (text.startsWith("-")) return { ...line, pieces: before.split(code) };
    if (!text.startsWith("+")) before.split(code);
    return { ...line, pieces: after.split(code) };
  });
}

/** Adds to each line its number: in the new content, or for a removed line in the old one. */
function numbered(lines: readonly string[]): DiffLine[] {
  let [before, after] = [0, 0];
  return lines.map((text) => {
    const [, old, current] = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(text) ?? [];
    if (old !== undefined) [before, after] = [Number(old), Number(current)];
    if (old !== undefined || text.startsWith("\\")) return { text, number: undefined };
    if (text.startsWith("-")) return { text, number: before++ };
    if (!text.startsWith("+")) before++;
    return { text, number: after++ };
  });
}

function Line({ text, number, pieces }: DiffLine) {
  const shown = pieces === undefined ? visible(text) + "\n" : <>{text.slice(0, 1)}{pieces.map(CodePiece)}{"\n"}</>;
  switch (text[0]) {
    case "+":
      return <ins data-n={number}>{shown}</ins>;
    case "-":
      return <del data-n={number}>{shown}</del>;
    case "@":
    case "\\":
      return <span class="place">{shown}</span>;
    default:
      return <span data-n={number}>{shown}</span>;
  }
}

function CodePiece({ text, kind }: Piece): Child {
  return kind === undefined ? visible(text) : <i class={kind}>{visible(text)}</i>;
}

/** A text of code as it is: read only, and with what would reorder its lines made visible. */
export function CodeText({ label, text }: { label: string; text: string }) {
  return (
    <div class="diff" tabindex={0} role="region" aria-label={label}>
      <pre>{visible(text)}</pre>
    </div>
  );
}

function visible(text: string): string {
  return text.replaceAll("\r", "␍").replace(
    REORDERING,
    (character) => `⟨U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`,
  );
}
