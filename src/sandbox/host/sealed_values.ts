// The sealed values that one call was given, each with the placeholder that its handler has instead. In the host's
// memory only, until the call has ended.

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { SealedEntry, SendPlace } from "../../sealed.ts";

const TOKEN_BYTES = 24;
/** The values of a call as JSON: they are sent with each of its requests, within one frame. */
const VALUES_MAX_BYTES = 256 * 1024;

export interface SealedValue extends SealedEntry {
  /** As `parseHostPattern` returned them. */
  readonly hosts: readonly string[];
}

/** A sealed value that is given to a call. */
export interface GivenValue {
  readonly name: string;
  readonly value: string;
  readonly hosts: readonly string[];
  readonly places: readonly SendPlace[];
}

export class SealedValues {
  readonly #values: SealedValue[] = [];
  #bytes = 0;

  get values(): readonly SealedValue[] {
    return this.#values;
  }

  /** Returns the value with its placeholder, which is the same each time within the call. @throws Error beyond a limit */
  give(given: GivenValue): SealedValue {
    const known = this.#values.find((one) => isSame(one, given));
    if (known) return known;
    const placeholder = `sealed_${given.name}_${randomBytes(TOKEN_BYTES).toString("base64url")}`;
    const added = { ...given, placeholder };
    this.#bytes += Buffer.byteLength(JSON.stringify(added));
    if (this.#bytes > VALUES_MAX_BYTES) {
      throw new Error("The call was given too many sealed secrets");
    }
    this.#values.push(added);
    return added;
  }
}

function isSame(a: GivenValue, b: GivenValue): boolean {
  return a.name === b.name && a.value === b.value &&
    a.hosts.join() === b.hosts.join() &&
    a.places.join() === b.places.join();
}
