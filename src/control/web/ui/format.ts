// Numbers in sentences and in addresses.

/** `plural(2, "key")` is "2 keys". */
export function plural(n: number, what: string): string {
  return `${count(n)} ${what}${n === 1 ? "" : "s"}`;
}

/** Made once: `toLocaleString` takes 50 µs for each number, which long lists feel. */
const NUMBER = new Intl.NumberFormat("en-US");

/** `count(1200)` is "1,200". */
export function count(n: number): string {
  return NUMBER.format(n);
}

/** A whole number above 0 in an address, or 0 for anything else. */
export function positive(text: string | undefined): number {
  return /^[1-9]\d{0,15}$/.test(text ?? "") && Number.isSafeInteger(Number(text)) ? Number(text) : 0;
}
