// What a value was, and when: a change that is under way may or may not be seen, one that was answered must be.

interface Version<T> {
  readonly value: T;
  /** When the change to it was sent. */
  readonly from: number;
  /** When the change to the next one was answered. */
  until: number;
}

/** So many old versions are kept; no call lasts longer than the changes between them. */
const KEPT = 20;

export class History<T> {
  #versions: Version<T>[];
  #changing = false;

  constructor(value: T) {
    this.#versions = [{ value, from: -Infinity, until: Infinity }];
  }

  /** The value after the last change that was answered or sent. */
  get current(): T {
    return this.#versions.at(-1)!.value;
  }

  /** Whether a change is under way; there is one at a time. */
  get changing(): boolean {
    return this.#changing;
  }

  /** Changes it to `value` by `send`, which resolves when the change was answered. */
  async change(value: T, send: () => Promise<unknown>): Promise<void> {
    if (this.#changing) throw new Error("A change is under way.");
    this.#changing = true;
    const last = this.#versions.at(-1)!;
    this.#versions = [...this.#versions.slice(1 - KEPT), {
      value,
      from: performance.now(),
      until: Infinity,
    }];
    await send();
    last.until = performance.now();
    this.#changing = false;
  }

  /** What somebody may have seen who looked once between two times. */
  between(began: number, ended: number): T[] {
    return this.#versions.filter(({ from, until }) => from <= ended && until >= began).map(({ value }) => value);
  }
}

/** What the narrowest of several may have been between two times; undefined where all may have been unset. */
export function winners<T>(
  narrowestFirst: readonly (History<T | undefined> | undefined)[],
  began: number,
  ended: number,
): Set<T | undefined> {
  const possible = new Set<T | undefined>();
  for (const history of narrowestFirst) {
    const values = history?.between(began, ended) ?? [undefined];
    for (const value of values) if (value !== undefined) possible.add(value);
    if (!values.includes(undefined)) return possible;
  }
  return possible.add(undefined);
}
