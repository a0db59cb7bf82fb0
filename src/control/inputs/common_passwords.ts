// Recognizes passwords that attackers try first: well-known words, rows of keys, sequences and repetitions, alone or
// with numbers and signs around them. What has to be guessed is what is left of a password without those.

/** How many different characters have to be left. */
const LEFT_MIN = 5;

const LOOKALIKES: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "@": "a",
  "$": "s",
};

const WORDS = [
  "crudefunctions administrator password passwort letmein welcome superuser iloveyou dragon monkey football baseball",
  "princess sunshine starwars superman batman master shadow whatever trustno1 charlie michael jordan",
  "changeme default secret guest login test admin root user crude functions server",
  "january february march april june july august september october november december",
  "monday tuesday wednesday thursday friday saturday sunday spring summer autumn winter",
  "qwertyuiop qwertzuiop azertyuiop qwerty qwertz azerty asdfghjkl asdfgh asdf zxcvbnm yxcvbnm zxcv",
  "1q2w3e4r5t6y 1q2w3e4r5t 1q2w3e4r 1qaz2wsx3edc 1qaz2wsx qazwsxedc qazwsx q1w2e3r4",
].join(" ").split(" ").map(folded).sort((a, b) => b.length - a.length);

export function isCommonPassword(password: string): boolean {
  const text = password.normalize("NFKC").toLowerCase();
  const left = [...withoutWords(text)].filter((character) => character.trim() !== "");
  return new Set(left.filter((character, n) => n === 0 || !continues(left[n - 1]!, character))).size < LEFT_MIN;
}

/** Replaces the words of the list in `text`, also those written as in `p@ssw0rd`, by spaces. */
function withoutWords(text: string): string {
  let search = folded(text);
  let left = text;
  for (const word of WORDS) {
    for (let at = search.indexOf(word); at >= 0; at = search.indexOf(word)) {
      const blank = " ".repeat(word.length);
      search = search.slice(0, at) + blank + search.slice(at + word.length);
      left = left.slice(0, at) + blank + left.slice(at + word.length);
    }
  }
  return left;
}

/** Puts letters in the place of the digits and signs that look like them; the length stays. */
function folded(text: string): string {
  return text.replace(/[01345@$]/g, (character) => LOOKALIKES[character]!);
}

/** Reports whether a character repeats the one before or is its neighbor, as in "aaa", "abc" and "321". */
function continues(before: string, character: string): boolean {
  return Math.abs(before.codePointAt(0)! - character.codePointAt(0)!) <= 1;
}
