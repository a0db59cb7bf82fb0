// Finds the placeholders of values that are watched wherever in a request they are, also where no value is put in.

import { Buffer } from "node:buffer";
import type { SealedEntry, SealedUse, SendPlace } from "../../sealed.ts";
import type { RequestPayload } from "../wire.ts";

const BASIC = /^basic +([a-z0-9+/_-]+=*) *$/i;

interface Watched {
  readonly entry: SealedEntry;
  readonly found: Set<SealedUse>;
}

export class Watch {
  readonly #watched: readonly Watched[];
  readonly #report: (placeholder: string, use: SealedUse) => void;
  /** What was found and not reported yet. */
  #news: [placeholder: string, use: SealedUse][] = [];
  /** The end of the body so far, which may begin a placeholder. */
  #tail: Buffer = Buffer.alloc(0);

  constructor(sealed: readonly SealedEntry[], report: (placeholder: string, use: SealedUse) => void) {
    this.#watched = sealed.filter(({ isWatched }) => isWatched).map((entry) => ({ entry, found: new Set() }));
    this.#report = report;
  }

  head({ url, headers }: RequestPayload): void {
    if (this.#watched.length === 0) return;
    const { pathname, search } = new URL(url);
    this.#look(pathname, "path");
    this.#look(search, "query");
    for (let i = 1; i < headers.length; i += 2) {
      const [, basic] = BASIC.exec(headers[i]!) ?? [];
      this.#look(headers[i]!, "header");
      if (basic !== undefined) this.#look(Buffer.from(basic, "base64").toString("latin1"), "header");
    }
  }

  /** `isFilled` says whether values are put into this body, if the place is theirs. */
  body(piece: Uint8Array, isFilled: boolean): void {
    if (this.#watched.length === 0) return;
    const bytes = Buffer.concat([this.#tail, piece]);
    this.#look(bytes.toString("latin1"), isFilled ? "body" : undefined);
    const longest = Math.max(...this.#watched.map(({ entry }) => entry.placeholder.length));
    this.#tail = bytes.subarray(Math.max(0, bytes.length - longest + 1));
  }

  /** Reports what was found in what has been sent since. */
  sent(): void {
    for (const [placeholder, use] of this.#news) this.#report(placeholder, use);
    this.#news = [];
  }

  #look(text: string, place: SendPlace | undefined): void {
    for (const { entry: { placeholder, places }, found } of this.#watched) {
      if (!text.includes(placeholder)) continue;
      const isAllowed = place !== undefined && places.includes(place);
      const use: SealedUse = places.length === 0 ? "other host" : isAllowed ? "sent" : "other place";
      if (found.has(use)) continue;
      found.add(use);
      this.#news.push([placeholder, use]);
    }
  }
}
