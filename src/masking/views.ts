// Decodes a text into the views in which values are searched for, too: with escapes and percent codes decoded, with line
// breaks removed from encoded lines, the bytes of lists of numbers, as the runtime prints a buffer, and those of codes.

import { Buffer } from "node:buffer";
import { codeViewsOf, latin1, type View, within } from "./codes.ts";

/** The shortest list of numbers that can be a value. */
const LIST_MIN = 8;

/** Character references of HTML; escapes of JSON and JavaScript, even if they were escaped again. */
const ESCAPE =
  /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(amp|lt|gt|quot|apos));|\\+u(d[89ab][0-9a-f]{2})\\+u(d[c-f][0-9a-f]{2})|\\+u(?:([0-9a-f]{4})|\{([0-9a-f]{1,6})\})|\\+x([0-9a-f]{2})|\\(["'\\/bfnrt])/gi;
/** Those of which `encodingsOf` does not know all usual selections: `\"` and `\n` alone are none of them. */
const HAS_ESCAPES = /&(?:#|amp;|lt;|gt;|quot;|apos;)|\\[ux/]/i;
/** Percent codes, even if they were encoded again. Which characters have one differs from program to program. */
const PERCENT_CODE = /%(?:25){0,3}([0-9a-f]{2})/gi;
const HAS_PERCENT_CODES = /%[0-9a-f]{2}/i;
const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const SHORT: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

const EITHER = new RegExp(`${PERCENT_CODE.source}|${ESCAPE.source}`, "gi");

/** Where the runtime prints a long text within an object line by line: each line in quotes of its own, joined by `+`. */
const JOINED_LINES = /\\n["'`] \+\n *["'`]/;
const JOINED_OR_ESCAPE = new RegExp(`${JOINED_LINES.source}|${ESCAPE.source}`, "gi");

/** A line break, as it is or escaped, after a line of Base64 or hexadecimal digits that continues in the next. */
const WRAPPED = /(?<=[\w+/=-]{16})(?:\r?\n|(?:\\r)?\\n)[ \t]*(?=[\w+/=-])/g;

/** Decimal numbers with white space or commas between them; the same with their indexes; pairs of hexadecimal digits. */
const LISTS = [
  { run: /(?<![\w.])(?:\d{1,3}[\s,]+){7,}\d{1,3}(?![\w.])/g, number: /\d+/g, radix: 10 },
  {
    run: /(?<!\d)(?:"?\d{1,9}"?\s?:\s?\d{1,3}[\s,]+){7,}"?\d{1,9}"?\s?:\s?\d{1,3}(?!\d)/g,
    number: /(?<=:\s?)\d+/g,
    radix: 10,
  },
  {
    run: /(?<![0-9a-z])(?:(?:0x|\\x)?[0-9a-f]{2}[\s:,-]+){7,}(?:0x|\\x)?[0-9a-f]{2}(?![0-9a-z])/gi,
    number: /(?<=^|[\s:,x-])[0-9a-f]{2}(?=$|[\s:,-])/gi,
    radix: 16,
  },
];

/** The meaning of a byte in a list. */
const DIGIT = 1;
const SEPARATOR = 2;
const KINDS = new Uint8Array(256);
for (const character of "0123456789abcdefABCDEF") KINDS[character.charCodeAt(0)] = DIGIT;
for (const character of " \t\r\n,:-") KINDS[character.charCodeAt(0)] = SEPARATOR;

/** Returns the views of a text in UTF-8; most texts have none. */
export function viewsOf(text: Uint8Array): View[] {
  // One character for each byte, so that indexes are the same in both.
  const characters = latin1(text);
  const lists = (mayHoldList(text) ? LISTS : []).flatMap(({ run, number, radix }) =>
    [...characters.matchAll(run)].map((match) => viewOfList(match[0], match.index, number, radix))
  );
  const views: View[] = [];
  const hasEscapes = HAS_ESCAPES.test(characters);
  if (hasEscapes) views.push(viewWithout(characters, ESCAPE, unescaped));
  if (JOINED_LINES.test(characters)) {
    const joined = (match: readonly string[]) => match[0]!.includes("+") ? "\n" : unescaped(match);
    views.push(viewWithout(characters, JOINED_OR_ESCAPE, joined));
  }
  if (HAS_PERCENT_CODES.test(characters)) {
    views.push(viewWithout(characters, PERCENT_CODE, ([, digits]) => parseInt(digits!, 16)));
    if (hasEscapes) {
      views.push(
        viewWithout(
          characters,
          EITHER,
          ([code, digits, ...escape]) => digits === undefined ? unescaped([code, ...escape]) : parseInt(digits, 16),
        ),
      );
    }
  }
  if (/\n|\\n/.test(characters) && characters.search(WRAPPED) !== -1) {
    views.push(viewWithout(characters, WRAPPED, () => ""));
  }
  const codes = [
    ...codeViewsOf(characters),
    ...views.flatMap((view) => within(view, codeViewsOf(latin1(view.bytes)))),
  ];
  return [...lists, ...views, ...codes].filter(({ bytes }) => bytes.length >= LIST_MIN);
}

/** Reports whether enough digits have a separator after them. Most texts do not, and are not examined further. */
function mayHoldList(text: Uint8Array): boolean {
  let count = 0;
  for (let at = 1; at < text.length; at++) {
    if (KINDS[text[at]!] === SEPARATOR && KINDS[text[at - 1]!] === DIGIT && ++count >= LIST_MIN - 1) return true;
  }
  return false;
}

function viewOfList(list: string, at: number, number: RegExp, radix: number): View {
  const numbers = [...list.matchAll(number)];
  return {
    // A number that is no byte ends a value, which cannot continue after it.
    bytes: Uint8Array.from(numbers, ([digits]) => Math.min(parseInt(digits, radix), 0xff)),
    startOf: (index) => at + numbers[index]!.index,
    endOf: (index) => at + numbers[index]!.index + numbers[index]![0].length,
  };
}

/** Returns a view with the matches of `pattern` replaced, each by a text or one byte. */
function viewWithout(
  characters: string,
  pattern: RegExp,
  replacement: (match: RegExpExecArray) => string | number,
): View {
  const starts = new Uint32Array(characters.length);
  const ends = new Uint32Array(characters.length);
  const bytes = Buffer.alloc(characters.length);
  let [length, last] = [0, 0];
  const copy = (to: number): void => {
    bytes.write(characters.slice(last, to), length, "latin1");
    for (; last < to; last++) {
      starts[length] = last;
      ends[length++] = last + 1;
    }
  };
  for (const match of characters.matchAll(pattern)) {
    copy(match.index);
    last = match.index + match[0].length;
    // No character takes more bytes than its escape.
    const replaced = replacement(match);
    const size = typeof replaced === "string" ? bytes.write(replaced, length) : 1;
    if (typeof replaced === "number") bytes[length] = replaced;
    starts.fill(match.index, length, length + size);
    ends.fill(last, length, length + size);
    length += size;
  }
  copy(characters.length);
  return {
    bytes: bytes.subarray(0, length),
    startOf: (index) => starts[index]!,
    endOf: (index) => ends[index]!,
  };
}

function unescaped([, hex, decimal, name, high, low, unit, point, byte, short]: readonly string[]): string {
  if (name !== undefined) return NAMED[name.toLowerCase()]!;
  if (short !== undefined) return SHORT[short] ?? short;
  if (high !== undefined) return String.fromCharCode(parseInt(high, 16), parseInt(low!, 16));
  const code = decimal === undefined ? parseInt((hex ?? unit ?? point ?? byte)!, 16) : Number(decimal);
  return code <= 0x10ffff ? String.fromCodePoint(code) : "";
}
