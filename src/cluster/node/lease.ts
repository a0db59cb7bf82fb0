// Implements a node's lease (Gray and Cheriton, 1989): until it lapses, no change is answered anywhere before this node
// has applied it. Reads clocks and nothing else.

import { SECOND_MS } from "../../time.ts";
import { type Clocks, type Instant, readClocks } from "./clock.ts";

/** Counted from before its renewal was sent. Writers wait for GONE_MS, which is longer, as clocks may differ in rate. */
export const LEASE_MS = 2_000;
/** How long a writer sees the same counter of a node before it takes the node for gone, by its own clock. */
export const GONE_MS = 2_500;

/** The uptime changes once a second and takes longer to read than the other clocks, so it is read this often. */
const UPTIME_INTERVAL_MS = 100;
/**
 * If the clocks differ by this much more than at the last look, the machine was suspended, or its clock was set, which can
 * hide a suspend. Either ends the lease, which costs a new beginning. Less than half of what GONE_MS is longer.
 */
const CLOCK_STEP_MS = 200;

export class NodeLease {
  readonly #clocks: Clocks;
  /** When the last renewal was sent that was answered in time; undefined without a lease. */
  #renewed: Instant | undefined;
  /** All clocks when they were looked at last. */
  #looked: Instant;
  /** The wall clock when `remainingMs` was computed last, and what it was; NaN if it has to be computed again. */
  #computedAtMs = NaN;
  #computed = 0;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
    this.#looked = readClocks(clocks);
  }

  /** Returns the moment from which a renewal counts that is sent afterwards. */
  now(): Instant {
    return readClocks(this.#clocks);
  }

  /** Whether it has not lapsed. A lapsed one is not live again before `begin`, whatever the clocks show. */
  get isLive(): boolean {
    return this.remainingMs > 0;
  }

  /** Milliseconds until it lapses; 0 without one. */
  get remainingMs(): number {
    const renewed = this.#renewed;
    if (!renewed) return 0;
    const wallMs = this.#clocks.wallMs();
    // Each call asks several times, and reading all clocks takes four times as long. That a set clock shows the same
    // millisecond once more is found in the next one.
    if (wallMs === this.#computedAtMs) return this.#computed;
    this.#computed = this.#remainingMs(renewed, wallMs);
    this.#computedAtMs = this.#computed > 0 ? wallMs : NaN;
    return this.#computed;
  }

  #remainingMs(renewed: Instant, wallMs: number): number {
    const steadyMs = this.#clocks.steadyMs();
    const looked = this.#looked;
    const isStep = Math.abs(wallMs - looked.wallMs - (steadyMs - looked.steadyMs)) > CLOCK_STEP_MS;
    // What the uptime shows stays the same until it is read again.
    const { uptimeS } = steadyMs - looked.steadyMs >= UPTIME_INTERVAL_MS ? this.#look() : looked;
    const elapsed = Math.max(
      steadyMs - renewed.steadyMs,
      wallMs - renewed.wallMs,
      // As in `elapsedMs`.
      (uptimeS - renewed.uptimeS - 1) * SECOND_MS,
    );
    if (!isStep && elapsed < LEASE_MS) return LEASE_MS - elapsed;
    this.#renewed = undefined;
    return 0;
  }

  /**
   * Extends it by an answered renewal that was sent after `sent`. Returns false if it lapsed before the answer came:
   * writers may have taken the node for gone meanwhile, so that it may have missed changes.
   */
  extend(sent: Instant): boolean {
    this.#computedAtMs = NaN;
    if (!this.isLive) return false;
    this.#renewed = sent;
    this.#computedAtMs = NaN;
    return true;
  }

  /**
   * Begins one after the node has applied the head that its renewal locked, which was sent after `sent`. Returns false if
   * that took longer than a lease.
   */
  begin(sent: Instant): boolean {
    this.#looked = sent;
    this.#renewed = sent;
    this.#computedAtMs = NaN;
    return this.isLive;
  }

  /** Ends it at once. */
  end(): void {
    this.#renewed = undefined;
  }

  #look(): Instant {
    return this.#looked = readClocks(this.#clocks);
  }
}
