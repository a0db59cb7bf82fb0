// Looks for the values that a call was given in what it answers. Does not decide what follows from it.

import type { DisclosedSecrets, DisclosedValue, Masking } from "./masking.ts";
import type { Matcher } from "./matcher.ts";

/** A response that holds values which its own call was given. */
export interface Leak {
  readonly functionId: number;
  readonly functionName: string;
  readonly requestId: string;
  /** Names of the secrets; all that the call was given, or none, if it could not be looked for them. */
  readonly names: readonly string[];
  /** Whether the response was withheld or broken off. */
  readonly blocked: boolean;
}

export interface Findings {
  readonly names: readonly string[];
  readonly certain: boolean;
}

/** Looks through one response, or through the pieces of one. */
export interface LeakSearch {
  /** What `bytes` holds; undefined if nothing. */
  whole(bytes: Uint8Array): Findings | undefined;
  /** What the pieces until now hold that was not told before. */
  piece(bytes: Uint8Array): Findings | undefined;
  /** What is to be said of bytes that cannot be searched; undefined if the call was given nothing. */
  unsearchable(): Findings | undefined;
  /** How many of the last bytes may be the beginning of a value. */
  readonly openBytes: number;
  /** Keeps the values of the call until `release`, also after its end: a client may read the response late. */
  hold(): void;
  release(): void;
}

const NOTHING = new Uint8Array(0);
/** With fewer bytes than this at its end, a piece is not held back: streams would stutter for chance. */
const OPEN_MIN_BYTES = 4;

/** For the response of one call; values that it is given meanwhile count, too. */
export function leakSearch(masking: Masking, disclosed: DisclosedSecrets): LeakSearch {
  return new Search(masking, disclosed);
}

const UNSURE: Findings = { names: [], certain: false };

class Search implements LeakSearch {
  readonly #masking: Masking;
  readonly #disclosed: DisclosedSecrets;
  readonly #reported = new Set<string>();
  /** The end of the pieces until now that may be the beginning of a value. */
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
