// Parses words to search messages for. The search of the database and the test of a single message mean the same.

import { invalid } from "../errors.ts";

export interface Search {
  /** The search in the query language of FTS5. */
  readonly match: string;
  test(message: string): boolean;
  /** Returns where the words of the search are in a message: the begin and end of each, in order, without overlap. */
  found(message: string): [from: number, to: number][];
}

/** A word as SQLite's tokenizer unicode61 defines it, https://www.sqlite.org/fts5.html#unicode61_tokenizer */
const WORD = /[\p{L}\p{N}\p{Co}]+/gu;
/** The same before accents are removed. */
const ACCENTED_WORD = /[\p{L}\p{N}\p{Co}\p{Mn}]+/gu;

/**
 * Parses a search. A message matches if it contains each part of `text` between white space: the words of the part in
 * the same order, of which the last one may be a prefix. Case and signs are ignored.
 * @throws AppError InvalidInput (400) if there is no word in it
 */
export function parseSearch(text: string): Search {
  const parts = text.split(/[\s\0]+/).filter((part) => wordsOf(part).length > 0);
  if (parts.length === 0) throw invalid("search", "must have a letter or digit in it");
  const words = parts.map(wordsOf);
  const phrases = words.map((phrase) => ` ${phrase.join(" ")}`);
  return {
    // FTS5 has no operators inside quotes.
    match: parts.map((part) => `"${part.replaceAll('"', '""')}" *`).join(" "),
    test(message) {
      const text = ` ${wordsOf(message).join(" ")}`;
      return phrases.every((phrase) => text.includes(phrase));
    },
    found(message) {
      const tokens = [...message.matchAll(ACCENTED_WORD)].map(({ 0: token, index }) => ({
        word: wordsOf(token).join(""),
        from: index,
        to: index + token.length,
      }));
      const isFound = tokens.map(() => false);
      for (const phrase of words) {
        for (let at = 0; at + phrase.length <= tokens.length; at++) {
          if (!phrase.every((word, n) => isMatch(tokens[at + n]!.word, word, n === phrase.length - 1))) continue;
          isFound.fill(true, at, at + phrase.length);
        }
      }
      return tokens.filter((_, n) => isFound[n]).map(({ from, to }) => [from, to]);
    },
  };
}

/** The last word of a phrase may be the beginning of one. */
function isMatch(word: string, wanted: string, isLast: boolean): boolean {
  return isLast ? word.startsWith(wanted) : word === wanted;
}

function wordsOf(text: string): string[] {
  const plain = text.normalize("NFD").replace(/\p{Mn}/gu, "").normalize("NFC").toLowerCase();
  return plain.match(WORD) ?? [];
}
