// Remembers the hosts of a process, and reports them again on each day: a connection that is kept open is not checked
// again.

import type { CheckedHosts } from "../process/permission_audit.ts";
import { DAY_MS } from "../../time.ts";

/** As many as are counted of a function on a day, and one that stands for the others. */
const HOSTS_MAX = 101;

export class SeenHosts {
  readonly #report: (hosts: CheckedHosts) => void;
  readonly #now: () => number;
  readonly #hosts = new Set<string>();
  /** When they were last reported, in days since 1970 UTC. */
  #day = 0;

  /** `now` returns milliseconds since 1970 UTC. */
  constructor(report: (hosts: CheckedHosts) => void, now: () => number = Date.now) {
    this.#report = report;
    this.#now = now;
  }

  /** Reports hosts. */
  add(hosts: CheckedHosts): void {
    // What was not reported on this day yet is not only what is new.
    this.repeat();
    this.#day = this.#today();
    for (const host of hosts.keys()) if (this.#hosts.size < HOSTS_MAX) this.#hosts.add(host);
    this.#report(hosts);
  }

  /** Reports all hosts again, without a check, if this is another day. */
  repeat(): void {
    if (this.#hosts.size === 0 || this.#day === this.#today()) return;
    this.#day = this.#today();
    this.#report(new Map([...this.#hosts].map((host) => [host, 0])));
  }

  #today(): number {
    return Math.floor(this.#now() / DAY_MS);
  }
}
