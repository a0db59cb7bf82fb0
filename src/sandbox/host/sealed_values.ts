// The sealed values that one call was given, each with the placeholder that its handler has instead. In the host's
// memory only, until the call has ended.

import { Buffer } from "node:buffer";
import type { SealedEntry, SealedUse, SendPlace } from "../../sealed.ts";

const TOKEN_BYTES = 24;
/** Uses that one call reports. */
const USES_MAX = 50;
/** The values of a call as JSON: they are sent with each of its requests, within one frame. */
const VALUES_MAX_BYTES = 256 * 1024;

export interface SealedValue extends SealedEntry {
  /** As `parseHostPattern` returned them. */
  readonly hosts: readonly string[];
  readonly onUse?: UseObserver | undefined;
}

/** Called when the placeholder of a value has left with a request to `host`, once for each host and use. */
export type UseObserver = (host: string, use: SealedUse) => void;

/** A sealed value that is given to a call. */
export interface GivenValue {
  readonly name: string;
  readonly value: string;
  readonly hosts: readonly string[];
  readonly places: readonly SendPlace[];
  /** Only of a value that is watched. */
  readonly onUse?: UseObserver;
}

export class SealedValues {
  readonly #values: SealedValue[] = [];
  /** What was reported. */
  readonly #used = new Set<string>();
  #bytes = 0;

  get values(): readonly SealedValue[] {
    return this.#values;
  }

  /** Returns the value with its placeholder, which is the same each time within the call. @throws Error beyond a limit */
  give(given: GivenValue): SealedValue {
    const known = this.#values.find((one) => isSame(one, given));
    if (known) return known;
    const token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toBase64({ alphabet: "base64url" });
    const placeholder = `sealed_${given.name}_${token}`;
    const added: SealedValue = { ...given, placeholder, ...(given.onUse && { isWatched: true }) };
    this.#bytes += sizeOf(given) + placeholder.length;
    if (this.#bytes > VALUES_MAX_BYTES) {
      throw new Error("The call was given too many sealed secrets");
    }
    this.#values.push(added);
    return added;
  }

  /** Reports that a placeholder has left. Others than of watched values are ignored, as what the sandbox says may be. */
  used(placeholder: string, host: string, use: SealedUse): void {
    const onUse = this.#values.find((one) => one.placeholder === placeholder)?.onUse;
    const key = `${placeholder} ${use} ${host}`;
    if (!onUse || this.#used.has(key) || this.#used.size >= USES_MAX) return;
    this.#used.add(key);
    onUse(host, use);
  }
}

/** By what is given, which is the same for many calls. */
const sizes = new WeakMap<GivenValue, number>();

/** Returns the bytes of a value as JSON, without its placeholder. */
function sizeOf(given: GivenValue): number {
  let size = sizes.get(given);
  if (size === undefined) sizes.set(given, size = Buffer.byteLength(JSON.stringify(given)));
  return size;
}

function isSame(a: GivenValue, b: GivenValue): boolean {
  return a.name === b.name && a.value === b.value &&
    a.hosts.join() === b.hosts.join() &&
    a.places.join() === b.places.join();
}
