// Formats numbers, times that something took and limits for sentences, and reads numbers from addresses.

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

/** Formats a number with its three significant digits: `significant(0.4126)` is "0.413". */
export function significant(n: number): string {
  return count(Math.abs(n) >= 100 ? Math.round(n) : Number(n.toPrecision(3)));
}

/** Formats how long something took, such as "12.5 ms", "1.25 s" or "3.5 min". */
export function took(ms: number): string {
  // What rounds to 1,000 ms is a second.
  if (Math.round(ms) < 1_000) return `${significant(ms)} ms`;
  return ms < 120_000 ? `${significant(ms / 1_000)} s` : `${significant(ms / 60_000)} min`;
}

/** Formats a limit exactly, in the unit in which it has the fewest digits: "250 ms", "1.5 s", "30 s", "2 min", "1 h". */
export function limitText(ms: number): string {
  const [unit, length] = LIMIT_UNITS.find(([, length]) => ms >= length && ms * 100 % length === 0) ?? ["ms", 1];
  return `${count(ms / length)} ${unit}`;
}

const LIMIT_UNITS = [["h", 3_600_000], ["min", 60_000], ["s", 1_000]] as const;

/** Parses a positive integer; returns 0 for anything else. */
export function parsePositiveInt(text: string | undefined): number {
  return /^[1-9]\d{0,15}$/.test(text ?? "") && Number.isSafeInteger(Number(text)) ? Number(text) : 0;
}
