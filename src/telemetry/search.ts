// Words to search messages for, for the database and for one message at hand, with the same meaning.

import { invalid } from "../errors.ts";

export interface Search {
  /** In the words of FTS5's query language. */
  readonly match: string;
  test(message: string): boolean;
}

/** What SQLite's tokenizer unicode61 takes for a word, https://www.sqlite.org/fts5.html#unicode61_tokenizer */
const WORD = /[\p{L}\p{N}\p{Co}]+/gu;

/**
 * A message is found if it has each of the parts of `text` that white space divides: the words of a part in
 * their order, the last one perhaps only begun. Small letters and capitals are the same, signs do not count.
 * @throws AppError InvalidInput (400) if there is no word in it
 */
export function parseSearch(text: string): Search {
  const parts = text.split(/[\s\0]+/).filter((part) => wordsOf(part).length > 0);
  if (parts.length === 0) throw invalid("search", "must have a letter or digit in it");
  const phrases = parts.map((part) => ` ${wordsOf(part).join(" ")}`);
  return {
    // Inside of quotes FTS5 knows no operators.
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
