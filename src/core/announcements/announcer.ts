// Announces what happened to the webhooks and recipients of mail that want to know it, each thing once.

import { reasonOf } from "../../errors.ts";
import type { OncePerCluster } from "../../once_per_cluster.ts";
import type { Store } from "../../store/store.ts";
import type { AuditRow } from "../../store/audit.ts";
import { DAY_MS, MINUTE_MS } from "../../time.ts";
import { auditAnnouncement, AUDITED_ACTIONS } from "./audited.ts";
import type { Subscriber } from "./channel.ts";
import type { Check } from "./checks.ts";
import type { Deliveries } from "./deliveries.ts";
import { type Announcement, bodyOf, type Ended } from "./events.ts";

/** Name, in the table `meta`, of the id of the last entry of the audit that was announced. */
const AUDIT_SEEN = "announcements.audit-seen";
/** Entries read at a time, and at most after a start: older ones are no news. */
const AUDIT_PAGE = 500;
const AUDIT_BACK_MAX = 10_000;
/** How often to look for what no event reports: what is due, what fails. */
const CHECK_MS = 5 * MINUTE_MS;
/** What was announced is forgotten. */
const REMEMBERED_MS = 400 * DAY_MS;

export interface AnnouncerOptions {
  readonly store: Pick<Store, "announced" | "meta" | "audit" | "commit" | "onApplied">;
  /** Returns all webhooks and sets of recipients. */
  readonly subscribers: () => readonly Subscriber[];
  readonly deliveries: Pick<Deliveries, "enqueue">;
  readonly once: OncePerCluster;
  readonly now: () => number;
  /** Finds what no event reports. */
  readonly check: Check;
  readonly warn: (message: string) => void;
}

export class Announcer {
  readonly #options: AnnouncerOptions;
  #seen = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #queue: Promise<void> = Promise.resolve();
  #isAuditRequested = false;
  #isStopped = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    options.store.onApplied((rows) => {
      if (rows.some(({ table }) => table === "audit")) this.#lookAtAudit();
    });
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), CHECK_MS);
    Deno.unrefTimer(this.#timer);
    this.#look();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#queue;
  }

  /** Announces something soon. Never throws: what cannot be stored is logged. */
  announce(announcement: Announcement): void {
    this.#inTurn(() => this.#store([announcement]));
  }

  #inTurn(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(async () => {
      if (!this.#isStopped) await work();
    }).catch((error) => this.#options.warn(`Something could not be announced: ${reasonOf(error)}.`));
  }

  #look(): void {
    const { once, check, subscribers } = this.#options;
    this.#lookAtAudit();
    this.#inTurn(async () => {
      const wanted = subscribers().flatMap(({ events }) => events);
      if (wanted.length > 0 && once.leads) await this.#store([...check(wanted)]);
    });
  }

  #isAnyone(): boolean {
    return this.#options.subscribers().length > 0;
  }

  /** Announces the entries of the audit since the last time. */
  #lookAtAudit(): void {
    if (this.#isAuditRequested || !this.#options.once.leads) return;
    this.#isAuditRequested = true;
    this.#inTurn(async () => {
      this.#isAuditRequested = false;
      const { store: { audit, meta } } = this.#options;
      for (;;) {
        const upTo = audit.lastId();
        if (!this.#isAnyone()) {
          this.#seen = upTo;
          return;
        }
        // Another node may have led.
        this.#seen = Math.max(this.#seen, Number(meta.get(AUDIT_SEEN) ?? 0), upTo - AUDIT_BACK_MAX);
        const rows = audit.following(this.#seen, upTo, AUDIT_PAGE);
        const last = rows.at(-1)?.id;
        if (last === undefined) return;
        await this.#store(rows.flatMap((row) => this.#newsOf(row) ?? []), last);
        this.#seen = last;
      }
    });
  }

  #newsOf(row: AuditRow): Announcement | Ended | undefined {
    if (!AUDITED_ACTIONS.includes(row.action)) return undefined;
    return auditAnnouncement(row, (filter, before, limit) => this.#options.store.audit.page(filter, before, limit));
  }

  /** Stores deliveries to each subscriber that wants to know, and has been there when it happened. */
  async #store(news: readonly (Announcement | Ended)[], seen?: number): Promise<void> {
    const { store: { announced, meta, commit }, deliveries, now } = this.#options;
    const receivers = this.#receivers();
    const isEnd = (one: Announcement | Ended): one is Ended => "ended" in one;
    const wanted = news.filter((one) => isEnd(one) || receivers(one).length > 0);
    // By their own times, as an entry of the audit is read again after a restart if it was none.
    const isNews = ({ topic, at, againAfterMs = Infinity }: Announcement): boolean => {
      const before = announced.at(topic);
      return before === undefined || before <= at - againAfterMs;
    };
    if (!wanted.some((one) => isEnd(one) ? announced.at(one.ended) !== undefined : isNews(one))) return;
    await commit(() => {
      const receivers = this.#receivers();
      for (const one of wanted) {
        if (isEnd(one)) {
          announced.remove(one.ended);
          continue;
        }
        // Again, as another node may have been first, and one of them may repeat another.
        if (!isNews(one)) continue;
        announced.set(one.topic, one.at);
        deliveries.enqueue(receivers(one), one.type, bodyOf(one));
      }
      announced.forget(now() - REMEMBERED_MS);
      if (seen !== undefined) meta.put(AUDIT_SEEN, String(seen));
    });
  }

  /** Returns what finds the receivers of an announcement among the subscribers there are now. */
  #receivers(): (one: Announcement) => Subscriber[] {
    const subscribers = this.#options.subscribers();
    return ({ type, at }) => subscribers.filter(({ events, since }) => events.includes(type) && since <= at);
  }
}
