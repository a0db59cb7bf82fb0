// Parses words to search messages for. The search of the database and the test of a single message mean the same.

import { invalid } from "../errors.ts";

export interface Search {
  /** The search in the query language of FTS5. */
  readonly match: string;
  test(message: string): boolean;
}

/** A word as SQLite's tokenizer unicode61 defines it, https://www.sqlite.org/fts5.html#unicode61_tokenizer */
const WORD = /[\p{L}\p{N}\p{Co}]+/gu;

/**
 * Parses a search. A message matches if it contains each part of `text` between white space: the words of the part in
 * the same order, of which the last one may be a prefix. Case and signs are ignored.
 * @throws AppError InvalidInput (400) if there is no word in it
 */
export function parseSearch(text: string): Search {
  const parts = text.split(/[\s\0]+/).filter((part) => wordsOf(part).length > 0);
  if (parts.length === 0) throw invalid("search", "must have a letter or digit in it");
  const phrases = parts.map((part) => ` ${wordsOf(part).join(" ")}`);
  return {
    // FTS5 has no operators inside quotes.
    match: parts.map((part) => `"${part.replaceAll('"', '""')}" *`).join(" "),
    test(message) {
      const words = ` ${wordsOf(message).join(" ")}`;
      return phrases.every((phrase) => words.includes(phrase));
    },
  };
}

function wordsOf(text: string): string[] {
  const plain = text.normalize("NFD").replace(/\p{Mn}/gu, "").normalize("NFC").toLowerCase();
  return plain.match(WORD) ?? [];
}
