// Looks up DNS records for a sandbox process, which may not ask a name server itself: one answers questions for any
// name, so that data could leave in them. The host asks only for what the function's own permissions cover.

import { hostOf, openEntries } from "../process/net_flags.ts";
import type { LookedMeta, LookupMeta, RecordType } from "../wire/protocol.ts";

/** Look-ups of one process that may be under way. */
const AT_ONCE = 16;
/** Look-ups that a process may make in one go; then so many each second. */
const BURST = 32;
const PER_SECOND = 8;
const TIMEOUT_MS = 5_000;
/** Of the records of one answer, as JSON. */
const RECORDS_MAX_LENGTH = 16 * 1024;

/** A name of a host as DNS has it (RFC 1123 2.1), with underscores, in lower case. */
const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
/** What URLs take for an IPv4 address ends so (URL Standard, "ends in a number"). */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/;
/** A service of a host (RFC 2782); its name has at most 15 characters (RFC 6335 5.1). */
const SERVICE = /^_[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?\._(?:tcp|udp|tls|sctp|dccp)\.(.+)$/;

/** As `Deno.resolveDns`. */
export type Resolve = (
  name: string,
  type: RecordType,
  options: { signal: AbortSignal },
) => Promise<readonly unknown[]>;

export interface LookupsOptions {
  /** What the function may reach. */
  readonly net: boolean | readonly string[];
  /** What the operator closes to every function at this moment. */
  denied(): readonly string[];
  readonly resolve: Resolve;
  /** Sends a LookedMeta, as JSON. */
  answer(meta: string): void;
}

/** The look-ups of one process. */
export class Lookups {
  readonly #options: LookupsOptions;
  readonly #ended = new AbortController();
  #underWay = 0;
  /** Look-ups that may still be made in one go, as of `#countedAt`. */
  #left = BURST;
  #countedAt = performance.now();

  constructor(options: LookupsOptions) {
    this.#options = options;
  }

  /** Answers one question, now or when the name server has answered. */
  take([lookup, type, asked]: LookupMeta): void {
    const { net, denied } = this.#options;
    const name = nameToAsk(asked, net, denied());
    if (name === undefined) return this.#answer([lookup, "refused"]);
    if (this.#underWay >= AT_ONCE || !this.#takeTurn()) return this.#answer([lookup, "busy"]);
    void this.#lookUp(lookup, type, name);
  }

  /** Gives up what is under way. */
  end(): void {
    this.#ended.abort();
  }

  async #lookUp(lookup: number, type: RecordType, name: string): Promise<void> {
    this.#underWay++;
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
      this.#underWay--;
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

  #answer(meta: LookedMeta): void {
    if (!this.#ended.signal.aborted) this.#options.answer(JSON.stringify(meta));
  }
}

/**
 * Returns the name that a name server may be asked for, absolute, so that no search domain is added to it; undefined
 * if the function may not look `asked` up. With a list, it may ask for the hosts in it and for services of theirs,
 * such as `_mongodb._tcp.db.example.com`. A name is asked for in lower case: otherwise, its spelling could carry data.
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
  const open = openEntries(entries, denied.map((denial) => denial.toLowerCase()));
  return open.some((entry) => hostOf(entry) === host) ? `${name}.` : undefined;
}
