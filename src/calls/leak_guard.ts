// Searches a response for secrets that were disclosed to its call; reports it or withholds the response.

import type { DisclosedSecrets, DisclosedValue, Masking } from "../masking/masking.ts";
import { type Matcher, mayBeEncoded, type Span } from "../masking/matcher.ts";
import { decodingsOf } from "../masking/decodings.ts";
import { CallFailure } from "../sandbox/host/failure.ts";
import type { CallResponse } from "../sandbox/host/invocation.ts";
import type { FlatHeaders } from "../sandbox/wire/protocol.ts";

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

export interface GuardOptions {
  readonly masking: Masking;
  /** What was disclosed to the call. */
  readonly disclosed: DisclosedSecrets;
  /** Whether a response that contains a value is withheld, or aborted if it has begun. */
  readonly blocks: boolean;
  /** Called with what is found, once for each value. */
  readonly onFound: (findings: Findings) => void;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
const UNSURE: Findings = { names: [], certain: false };
/** The most bytes that a form has for each character of a value, except for lists with much white space. */
const FORM_BYTES_MAX = 64;
/** The most bytes before a piece that are decoded again with it: a handler may send pieces of one byte. */
const CONTEXT_MAX_BYTES = 4 * 1024;
/** A piece is not held back for fewer possible bytes of a value: streams would be delayed by coincidence. */
const OPEN_MIN_BYTES = 4;

/** Text encodings in which ASCII looks as in UTF-8, in which values are searched for. */
const SEARCHABLE_CHARSET = /^(?:utf-?8|(?:us-)?ascii|iso-8859-\d+|latin\d|windows-125\d)$/;

/**
 * Returns the response, with a stream that is searched as it passes if its body is one. A body that is compressed, or
 * is text in an encoding that is no superset of ASCII, cannot be searched: this is reported, or the response withheld.
 * @throws CallFailure withheld
 */
export function guardResponse(response: CallResponse, options: GuardOptions): CallResponse {
  const { masking, disclosed, blocks, onFound } = options;
  const { headers, body } = response;
  const search = leakSearch(masking, disclosed);
  const isSearchable = canBeSearched(headers);
  const bytes = typeof body === "string" ? encoder.encode(body) : body instanceof Uint8Array ? body : NOTHING;
  const found = [
    // No header has this character, nor continues in the next one, as codes in lines do.
    search.whole(encoder.encode(headers.join("\r"))),
    bytes.length === 0 ? undefined : isSearchable ? searchBytes(search, bytes) : search.unsearchable(),
  ].filter((findings) => findings !== undefined);
  if (found.length > 0) {
    onFound({
      names: [...new Set(found.flatMap(({ names }) => names))],
      certain: found.every(({ certain }) => certain),
    });
    if (blocks) {
      // The body may have failed already, which does not matter here.
      if (body instanceof ReadableStream) body.cancel().catch(() => {});
      throw withheld();
    }
  }
  if (!(body instanceof ReadableStream)) return response;
  return { ...response, body: guardStream(body, search, isSearchable, options) };
}

/** Searches text in UTF-16 and UTF-32 that no header announces, too: it has NULs next to each ASCII character. */
function searchBytes(search: LeakSearch, bytes: Uint8Array): Findings | undefined {
  const found = search.whole(bytes);
  if (found || !bytes.includes(0)) return found;
  return search.whole(bytes.filter((byte) => byte !== 0));
}

/** Searches a stream. If it blocks, it holds back bytes that may begin a value until the next bytes decide it. */
function guardStream(
  body: ReadableStream<Uint8Array>,
  search: LeakSearch,
  isSearchable: boolean,
  { blocks, onFound }: GuardOptions,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let isUnsearchableReported = false;
  const findIn = (piece: Uint8Array): Findings | undefined => {
    if (isSearchable) return search.piece(piece);
    if (isUnsearchableReported) return undefined;
    const findings = search.unsearchable();
    isUnsearchableReported = findings !== undefined;
    return findings;
  };
  search.hold();
  let isReleased = false;
  const release = (): void => {
    if (!isReleased) search.release();
    isReleased = true;
  };
  let held: Uint8Array = NOTHING;
  /** Returns the part of `held` and `piece` that may be sent; undefined after a value. */
  const pass = (piece: Uint8Array): Uint8Array | undefined => {
    const findings = findIn(piece);
    if (findings) onFound(findings);
    if (!blocks) return piece;
    if (findings) return undefined;
    const ready = held.length === 0 ? piece : joined(held, piece);
    const kept = Math.max(0, ready.length - search.openBytes);
    held = ready.slice(kept);
    return ready.subarray(0, kept);
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (let passed: Uint8Array = NOTHING; passed.length === 0;) {
        const { done, value } = await reader.read().catch((error) => {
          release();
          throw error;
        });
        if (done) {
          release();
          if (held.length > 0) controller.enqueue(held);
          return controller.close();
        }
        const next = pass(value);
        if (!next) {
          release();
          reader.cancel().catch(() => {});
          return controller.error(withheld());
        }
        passed = next;
        if (passed.length > 0) controller.enqueue(passed);
      }
    },
    cancel(reason) {
      release();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

function withheld(): CallFailure {
  return new CallFailure("withheld", true, "It contains secrets.");
}

function canBeSearched(headers: FlatHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    const value = headers[i + 1]!.toLowerCase();
    if (name === "content-encoding" && !/^[\s,]*(?:identity[\s,]*)*$/.test(value)) return false;
    if (name !== "content-type") continue;
    const [, charset] = /;\s*charset\s*=\s*["']?([^"';\s]+)/.exec(value) ?? [];
    if (charset !== undefined && !SEARCHABLE_CHARSET.test(charset)) return false;
  }
  return true;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Creates a search for the response of one call. It includes values that are disclosed to the call meanwhile. */
export function leakSearch(masking: Masking, disclosed: DisclosedSecrets): LeakSearch {
  return new Search(masking, disclosed);
}

class Search implements LeakSearch {
  readonly #masking: Masking;
  readonly #disclosed: DisclosedSecrets;
  readonly #reported = new Set<string>();
  /** The end of the pieces so far that may begin a value. */
  #open: Uint8Array = NOTHING;
  /** The end of the pieces so far in which an encoded value may have begun. */
  #context: Uint8Array = NOTHING;

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
    const found = this.#matcher.find(bytes, this.#disclosed.values);
    return this.#findings(found && this.#withDecoded(found.spans, bytes));
  }

  piece(bytes: Uint8Array): Findings | undefined {
    if (this.#disclosed.overflowed) {
      const isNews = !this.#reported.has("");
      this.#reported.add("");
      return isNews ? UNSURE : undefined;
    }
    if (this.#disclosed.values.size === 0) return undefined;
    const matcher = this.#matcher;
    const searched = this.#open.length === 0 ? bytes : joined(this.#open, bytes);
    const found = matcher.find(searched, this.#disclosed.values);
    const { from } = matcher.openEnd(searched, this.#disclosed.values);
    this.#open = searched.slice(from);
    const findings = this.#findings(found && this.#withDecoded(found.spans, this.#withContext(bytes)));
    const names = findings?.names.filter((name) => !this.#reported.has(name)) ?? [];
    for (const name of names) this.#reported.add(name);
    return findings && names.length > 0 ? { ...findings, names } : undefined;
  }

  /** Returns a piece with the end of those before it, in which an encoded value may have begun. */
  #withContext(piece: Uint8Array): Uint8Array {
    const searched = this.#context.length === 0 ? piece : joined(this.#context, piece);
    let longest = 1;
    for (const { value } of this.#disclosed.values) longest = Math.max(longest, value.length);
    this.#context = searched.slice(-Math.min(FORM_BYTES_MAX * longest, CONTEXT_MAX_BYTES));
    return searched;
  }

  /** Adds what the bytes contain once they are decoded; returns undefined if that search would take too long. */
  #withDecoded(spans: readonly Span<DisclosedValue>[], bytes: Uint8Array): Span<DisclosedValue>[] | undefined {
    const all = [...spans];
    if (!mayBeEncoded(bytes)) return all;
    for (const decoded of decodingsOf(bytes)) {
      const found = this.#matcher.find(decoded, this.#disclosed.values);
      if (!found) return undefined;
      all.push(...found.spans);
    }
    return all;
  }

  unsearchable(): Findings | undefined {
    const { overflowed, values } = this.#disclosed;
    return overflowed || values.size > 0 ? UNSURE : undefined;
  }

  get #matcher(): Matcher<DisclosedValue> {
    return this.#masking.matcherFor(this.#disclosed)!;
  }

  #findings(spans: readonly Span<DisclosedValue>[] | undefined): Findings | undefined {
    if (!spans) return { names: unique([...this.#disclosed.values]), certain: false };
    return spans.length === 0 ? undefined : { names: unique(spans.map(({ of }) => of)), certain: true };
  }
}

function unique(values: readonly DisclosedValue[]): string[] {
  return [...new Set(values.map(({ name }) => name))];
}
