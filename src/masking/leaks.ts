// Searches a response for the values that were disclosed to its call. Does not decide what follows from a finding.

import type { DisclosedSecrets, DisclosedValue, Masking } from "./masking.ts";
import type { Matcher } from "./matcher.ts";

export interface Findings {
  readonly names: readonly string[];
  readonly certain: boolean;
}

/** Searches one response, as a whole or in pieces. */
export interface LeakSearch {
  /** Returns what `bytes` contains; undefined if nothing. */
  whole(bytes: Uint8Array): Findings | undefined;
  /** Returns what the pieces so far contain and was not returned before. */
  piece(bytes: Uint8Array): Findings | undefined;
  /** Returns the finding for bytes that cannot be searched; undefined if nothing was disclosed to the call. */
  unsearchable(): Findings | undefined;
  /** The number of last bytes that may begin a value. */
  readonly openBytes: number;
  /** Keeps the values of the call until `release`, even after its end: a client may read the response late. */
  hold(): void;
  release(): void;
}

const NOTHING = new Uint8Array(0);
/** A piece is not held back for fewer possible bytes of a value: streams would be delayed by coincidence. */
const OPEN_MIN_BYTES = 4;

/** Creates a search for the response of one call. It includes values that are disclosed to the call meanwhile. */
export function leakSearch(masking: Masking, disclosed: DisclosedSecrets): LeakSearch {
  return new Search(masking, disclosed);
}

const UNSURE: Findings = { names: [], certain: false };

class Search implements LeakSearch {
  readonly #masking: Masking;
  readonly #disclosed: DisclosedSecrets;
  readonly #reported = new Set<string>();
  /** The end of the pieces so far that may begin a value. */
  #open: Uint8Array = NOTHING;

  constructor(masking: Masking, disclosed: DisclosedSecrets) {
    this.#masking = masking;
    this.#disclosed = disclosed;
  }

  get openBytes(): number {
    return this.#open.length < OPEN_MIN_BYTES ? 0 : this.#open.length;
  }

  hold(): void {
    this.#masking.hold(this.#disclosed);
  }

  release(): void {
    this.#masking.release(this.#disclosed);
  }

  whole(bytes: Uint8Array): Findings | undefined {
    if (this.#disclosed.overflowed) return UNSURE;
    if (this.#disclosed.values.size === 0) return undefined;
    return this.#findings(this.#matcher.find(bytes, this.#disclosed.values)?.spans);
  }

  piece(bytes: Uint8Array): Findings | undefined {
    if (this.#disclosed.overflowed) {
      const isNews = !this.#reported.has("");
      this.#reported.add("");
      return isNews ? UNSURE : undefined;
    }
    if (this.#disclosed.values.size === 0) return undefined;
    const matcher = this.#matcher;
    const joined = this.#open.length === 0 ? bytes : join(this.#open, bytes);
    const found = matcher.find(joined, this.#disclosed.values);
    const { from } = matcher.openEnd(joined, this.#disclosed.values);
    this.#open = joined.slice(from);
    const findings = this.#findings(found?.spans);
    const names = findings?.names.filter((name) => !this.#reported.has(name)) ?? [];
    for (const name of names) this.#reported.add(name);
    return findings && names.length > 0 ? { ...findings, names } : undefined;
  }

  unsearchable(): Findings | undefined {
    const { overflowed, values } = this.#disclosed;
    return overflowed || values.size > 0 ? UNSURE : undefined;
  }

  get #matcher(): Matcher<DisclosedValue> {
    return this.#masking.matcherFor(this.#disclosed)!;
  }

  #findings(spans: { of: DisclosedValue }[] | undefined): Findings | undefined {
    if (!spans) return { names: unique([...this.#disclosed.values]), certain: false };
    return spans.length === 0 ? undefined : { names: unique(spans.map(({ of }) => of)), certain: true };
  }
}

function unique(values: readonly DisclosedValue[]): string[] {
  return [...new Set(values.map(({ name }) => name))];
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
