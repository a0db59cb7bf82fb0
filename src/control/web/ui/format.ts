// Formats numbers for sentences, and reads them from addresses.

/** Returns a number with its noun: `plural(2, "key")` is "2 keys". */
export function plural(n: number, what: string, many = `${what}s`): string {
  return `${count(n)} ${n === 1 ? what : many}`;
}

/** Created once: `toLocaleString` takes 50 µs for each number, which is noticeable in long lists. */
const NUMBER = new Intl.NumberFormat("en-US");

/** Formats a number: `count(1200)` is "1,200". */
export function count(n: number): string {
  return NUMBER.format(n);
}

/** Parses a positive integer; returns 0 for anything else. */
export function parsePositiveInt(text: string | undefined): number {
  return /^[1-9]\d{0,15}$/.test(text ?? "") && Number.isSafeInteger(Number(text)) ? Number(text) : 0;
}
