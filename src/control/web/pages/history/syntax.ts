// Finds keywords, texts, numbers and comments in lines of JavaScript, TypeScript and JSON. It knows a line and whether
// it begins within a comment or template, which suffices for the lines of a diff.

export type Kind = "keyword" | "string" | "number" | "comment";

/** A piece of a line; without a kind, any other text. */
export interface Piece {
  readonly text: string;
  readonly kind?: Kind;
}

/** What a line begins within. */
type Within = "comment" | "template" | undefined;

/** In characters; longer lines were not written by hand, and are left as they are. */
const LINE_MAX = 500;

const KEYWORDS = new Set(
  ("abstract as async await break case catch class const continue debugger declare default delete do else enum export " +
    "extends false finally for from function get if implements import in infer instanceof interface is keyof let " +
    "namespace new null of override private protected public readonly return satisfies set static super switch this " +
    "throw true try type typeof undefined using var void while yield").split(" "),
);

/** Comments, texts, regular expressions after what no operand ends with, numbers, and words. */
const PART = new RegExp(
  [
    /\/\/.*/,
    /\/\*/,
    /"(?:[^"\\]|\\.)*"/,
    /'(?:[^'\\]|\\.)*'/,
    /`/,
    /(?<=(?:^|[=(,:[!&|?{};]|\breturn)\s*)\/(?![*/])(?:[^/\\[]|\\.|\[(?:[^\]\\]|\\.)*\])+\/[a-z]*/,
    /\b\d[\w.]*/,
    /[A-Za-z_$][\w$]*/,
  ].map(({ source }) => source).join("|"),
  "g",
);
const END = { comment: /\*\//g, template: /(?<!\\)`/g };

/** Reports whether the file at `path` is in a language that is known here. */
export function isKnown(path: string): boolean {
  return /\.(?:[cm]?[jt]sx?|jsonc?)$/.test(path);
}

/** Splits lines that follow each other, one after the other. */
export class Syntax {
  #within: Within;

  /** Returns the pieces of a line. */
  split(line: string): Piece[] {
    if (line.length > LINE_MAX) return [{ text: line }];
    // The first line of a part may be within a comment that began before.
    if (this.#within === undefined && /^\s*\*(?:[\s/]|$)/.test(line)) {
      return [{ text: line, kind: "comment" }];
    }
    const pieces: Piece[] = [];
    let at = 0;
    const add = (to: number, kind?: Kind) => {
      if (to > at) pieces.push(kind === undefined ? { text: line.slice(at, to) } : { text: line.slice(at, to), kind });
      at = to;
    };
    while (at < line.length) {
      if (this.#within) this.#finish(line, at, this.#within, add);
      else if (!this.#next(line, at, add)) break;
    }
    add(line.length);
    return pieces;
  }

  /** Adds what is left of a comment or template. */
  #finish(line: string, at: number, within: "comment" | "template", add: (to: number, kind?: Kind) => void): void {
    const end = END[within];
    end.lastIndex = at;
    const found = end.exec(line);
    if (found) this.#within = undefined;
    add(found ? end.lastIndex : line.length, within === "comment" ? "comment" : "string");
  }

  /** Adds the text up to the next part, and the part; returns false if there is none. */
  #next(line: string, at: number, add: (to: number, kind?: Kind) => void): boolean {
    PART.lastIndex = at;
    const found = PART.exec(line);
    if (!found) return false;
    const [part] = found;
    const end = found.index + part.length;
    const kind = kindOf(part);
    if (kind === undefined) return add(end), true;
    add(found.index);
    add(end, kind);
    if (part === "/*") this.#within = "comment";
    if (part === "`") this.#within = "template";
    return true;
  }
}

function kindOf(part: string): Kind | undefined {
  if (part.startsWith("//") || part === "/*") return "comment";
  if (/^["'`/]/.test(part)) return "string";
  if (/^\d/.test(part)) return "number";
  return KEYWORDS.has(part) ? "keyword" : undefined;
}
