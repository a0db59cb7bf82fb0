// Looks up DNS records for a sandbox process, which may not ask a name server itself: names in questions could carry
// data out. The host looks up only names that the function's permissions cover.

import { hostOf, isNamedBy, openEntries } from "../process/net_flags.ts";
import type { LookedPayload, LookupPayload, RecordType } from "../wire/protocol.ts";

/** Concurrent look-ups of one process. */
const AT_ONCE = 16;
/** Look-ups that a process may make at once, and the rate per second after that. */
const BURST = 32;
const PER_SECOND = 8;
const TIMEOUT_MS = 5_000;
/** The length of the records of one answer as JSON. */
const RECORDS_MAX_LENGTH = 16 * 1024;

/** A host name in DNS (RFC 1123 2.1), with underscores, in lower case. */
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
/** The end of hosts that URLs treat as IPv4 addresses (URL Standard, "ends in a number"). */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;
/** A service of a host (RFC 2782); its name has at most 15 characters (RFC 6335 5.1). */
const SERVICE = /^_[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?\._(?:tcp|udp|tls|sctp|dccp)\.(.+)$/;

/** The signature of `Deno.resolveDns`. */
export type Resolve = (
  name: string,
  type: RecordType,
  options: { signal: AbortSignal },
) => Promise<readonly unknown[]>;

export interface LookupsOptions {
  /** The hosts that the function may reach. */
  readonly net: boolean | readonly string[];
  /** Returns the hosts that the operator currently denies to every function. */
  denied(): readonly string[];
  readonly resolve: Resolve;
  /** Sends a LookedPayload as JSON. */
  answer(payload: string): void;
}

/** The look-ups of one process. */
export class Lookups {
  readonly #options: LookupsOptions;
  readonly #ended = new AbortController();
  #running = 0;
  /** Look-ups that may still be made at once, as of `#countedAt`. */
  #left = BURST;
  #countedAt = performance.now();

  constructor(options: LookupsOptions) {
    this.#options = options;
  }

  /** Answers one question, now or when the name server has answered. */
  take([lookup, type, asked]: LookupPayload): void {
    const { net, denied } = this.#options;
    const name = nameToAsk(asked, net, denied());
    if (name === undefined) return this.#answer([lookup, "refused"]);
    if (this.#running >= AT_ONCE || !this.#takeTurn()) return this.#answer([lookup, "busy"]);
    void this.#lookUp(lookup, type, name);
  }

  /** Cancels running look-ups. */
  end(): void {
    this.#ended.abort();
  }

  async #lookUp(lookup: number, type: RecordType, name: string): Promise<void> {
    this.#running++;
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const signal = AbortSignal.any([this.#ended.signal, timeout]);
      const records = await this.#options.resolve(name, type, { signal });
      const fits = JSON.stringify(records).length <= RECORDS_MAX_LENGTH;
      this.#answer(fits ? [lookup, "ok", records] : [lookup, "failed"]);
    } catch (error) {
      const isLate = timeout.aborted || error instanceof Deno.errors.TimedOut;
      this.#answer([lookup, error instanceof Deno.errors.NotFound ? "missing" : isLate ? "late" : "failed"]);
    } finally {
      this.#running--;
    }
  }

  /** Reports whether one more look-up stays within the rate, and counts it. */
  #takeTurn(): boolean {
    const now = performance.now();
    this.#left = Math.min(BURST, this.#left + (now - this.#countedAt) * PER_SECOND / 1_000);
    this.#countedAt = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  #answer(payload: LookedPayload): void {
    if (!this.#ended.signal.aborted) this.#options.answer(JSON.stringify(payload));
  }
}

/**
 * Returns the name to ask a name server for, as an absolute name, so that no search domain is added; undefined if the
 * function may not look up `asked`. With a list, it may look up the hosts in it and their services, such as
 * `_mongodb._tcp.db.example.com`. The name is in lower case: otherwise its spelling could carry data.
 */
export function nameToAsk(
  asked: string,
  net: boolean | readonly string[],
  denied: readonly string[],
): string | undefined {
  if (net === false) return undefined;
  const name = asked.replace(/\.$/, "").toLowerCase();
  if (!NAME.test(name) || ENDS_IN_NUMBER.test(name)) return undefined;
  const host = SERVICE.exec(name)?.[1] ?? name;
  const entries = net === true ? [host] : net.map((entry) => entry.toLowerCase());
  const denials = denied.map((denial) => denial.toLowerCase());
  // What an entry such as `*.example.com` covers may be denied by its own name.
  if (openEntries([host], denials).length === 0) return undefined;
  return openEntries(entries, denials).some((entry) => isNamedBy(hostOf(entry), host)) ? `${name}.` : undefined;
}
