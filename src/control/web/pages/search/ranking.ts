// Says how well a text fits what was typed, and sorts by it.

/** How many letters of the search are compared letter by letter. */
const LETTERS_MAX = 60;

/**
 * Returns how well `text` fits `search`, both in lower case: higher is better, 0 is not at all. The whole text is best,
 * then its beginning, the beginning of a word in it, any part of it, all words of the search in any order, and its
 * letters in order, the closer together the better.
 */
export function fitOf(search: string, text: string): number {
  if (text === search) return 1_000;
  const at = text.indexOf(search);
  // Among equals, the shorter text is more of what was typed.
  const share = Math.round(90 * search.length / (text.length + 1));
  if (at === 0) return 800 + share;
  if (at > 0) return (isWordStart(text, at) ? 600 : 400) + share;
  const words = search.split(/\s+/);
  if (words.length > 1) return words.every((word) => text.includes(word)) ? 300 + share : 0;
  return lettersFit(search, text);
}

function isWordStart(text: string, at: number): boolean {
  return !/[\p{L}\p{N}]/u.test(text[at - 1]!);
}

/** Returns 1 to 200 if the letters of `search` are in `text` in order, 0 otherwise. */
function lettersFit(search: string, text: string): number {
  if (search.length > LETTERS_MAX) return 0;
  let [from, starts, first] = [0, 0, -1];
  for (const letter of search) {
    const at = text.indexOf(letter, from);
    if (at === -1) return 0;
    if (first === -1) first = at;
    if (at === 0 || isWordStart(text, at)) starts++;
    from = at + letter.length;
  }
  const spread = from - first - search.length;
  return Math.max(1, 100 + Math.round(100 * starts / search.length) - spread * 4);
}
