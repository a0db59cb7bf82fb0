// Delivers announcements to webhooks and by mail, and tries again for a day. Deliveries are stored, so that a restart
// loses none; one whose outcome could not be stored is sent again, with the same id.

import { type LoneRecorder, SERVER } from "../../actor.ts";
import { reasonOf } from "../../errors.ts";
import type { OncePerCluster } from "../../once_per_cluster.ts";
import type { ChannelName, DeliveryRow, Receiver } from "../../store/deliveries.ts";
import type { Store } from "../../store/store.ts";
import { HOUR_MS, MINUTE_MS } from "../../time.ts";
import type { Channel, Subscriber } from "./channel.ts";
import { bodyOf } from "./events.ts";

/** Pauses after failed attempts; the last one is a day after the first. */
const PAUSES_MS = [
  5_000,
  MINUTE_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  4 * HOUR_MS,
  6 * HOUR_MS,
  11 * HOUR_MS,
];
/** Attempts under way at one time. */
const AT_ONCE_MAX = 20;
/** Deliveries kept for each recipient, those that wait included; the oldest go first. */
const KEPT_EACH = 1_000;
/** How soon another node takes over, and a failed write is tried again. */
const LOOK_MS = MINUTE_MS;
/** How often to look for deliveries that go together. */
const COLLECT_MS = 1_000;

export interface DeliveriesOptions {
  readonly store: Pick<Store, "deliveries" | "commit" | "onApplied">;
  readonly channels: readonly Channel[];
  readonly once: OncePerCluster;
  readonly recordAlone: LoneRecorder;
  readonly now: () => number;
  readonly warn: (message: string) => void;
}

/** An attempt that is under way. */
interface Running {
  readonly recipient: string;
  readonly ids: readonly number[];
  readonly done: Promise<void>;
}

export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #running = new Set<Running>();
  /** When recipients were tried within the last hour: the store keeps the last time of each delivery only. */
  readonly #tries = new Map<string, number[]>();
  readonly #stopping = new AbortController();
  #collectedAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    options.store.onApplied((rows) => {
      if (rows.some(({ table }) => table === "deliveries")) this.#lookIn(0);
    });
  }

  start(): void {
    this.#lookIn(0);
  }

  /** Aborts what is under way, which is sent again after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the server is stopping"));
    clearTimeout(this.#timer);
    await Promise.all([...this.#running].map(({ done }) => done));
  }

  /** Adds deliveries of a message, within a transaction. */
  enqueue(subscribers: readonly Subscriber[], type: string, body: string): void {
    const { store: { deliveries }, now } = this.#options;
    const message = { messageId: newMessageId(), type, body, createdAt: now() };
    const outcome = { attempts: 0, nextAt: message.createdAt, triedAt: null, status: null, problem: null };
    for (const { channel, receiverId, recipients } of subscribers) {
      for (const recipient of recipients) {
        deliveries.enqueue({ channel, receiverId, recipient, ...message, ...outcome });
        deliveries.prune({ channel, receiverId }, recipient, KEPT_EACH);
      }
    }
  }

  /** Sends a test to each recipient of a receiver, once, and returns what came of it. */
  async test({ channel: name, receiverId }: Receiver): Promise<DeliveryRow[]> {
    const { store: { deliveries, commit }, now } = this.#options;
    const channel = this.#channel(name);
    const createdAt = now();
    const { type, data } = channel.test(receiverId);
    const body = bodyOf({ type, at: createdAt, data });
    const tried = await Promise.all(
      channel.recipients(receiverId).map(async (recipient) => {
        const message = { channel: name, receiverId, recipient, messageId: newMessageId(), type, body, createdAt };
        const { status, problem } = await channel.attempt([message], this.#stopping.signal);
        return { ...message, attempts: 1, nextAt: null, triedAt: now(), status, problem };
      }),
    );
    return await commit(() => {
      if (channel.recipients(receiverId).length === 0) return tried.map((row) => ({ ...row, id: 0 }));
      return tried.map((row) => {
        const id = deliveries.enqueue(row);
        deliveries.prune(row, row.recipient, KEPT_EACH);
        return { ...row, id };
      });
    });
  }

  #channel(name: ChannelName): Channel {
    return this.#options.channels.find((channel) => channel.name === name)!;
  }

  #lookIn(ms: number): void {
    if (this.#stopping.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), ms);
    Deno.unrefTimer(this.#timer);
  }

  /** Begins what is due, and comes back when something else is. */
  #look(): void {
    const { store: { deliveries }, channels, once, now, warn } = this.#options;
    let pauseMs = LOOK_MS;
    try {
      if (once.leads) {
        for (const channel of channels) {
          if (channel.together > 1) pauseMs = Math.min(pauseMs, this.#beginTogether(channel));
          else for (const row of deliveries.due(channel.name, now(), channel.atOnceEach)) this.#begin(channel, [row]);
        }
        // What is due and not begun waits for another one to end.
        const next = this.#running.size < AT_ONCE_MAX ? deliveries.nextAfter(now()) : undefined;
        if (next !== undefined) pauseMs = Math.min(pauseMs, next - now());
      }
    } catch (error) {
      warn(`Deliveries could not be looked at: ${reasonOf(error)}. It is tried again in a minute.`);
    }
    this.#lookIn(pauseMs);
  }

  /** Begins attempts for many deliveries each, of the recipients that may be tried; returns how soon to look again. */
  #beginTogether(channel: Channel): number {
    const { store: { deliveries }, now } = this.#options;
    const waitMs = this.#collectedAt + COLLECT_MS - performance.now();
    // Each event of a flood would otherwise read all that wait.
    if (waitMs > 0) return waitMs;
    this.#collectedAt = performance.now();
    for (const one of deliveries.dueRecipients(channel.name, now())) {
      const recipient = recipientOf(one);
      if ([...this.#running].some((running) => running.recipient === recipient)) continue;
      if (this.#running.size >= AT_ONCE_MAX || !this.#mayTry(channel, one)) continue;
      const rows = deliveries.dueOf(one, one.recipient, now()).slice(0, channel.together);
      if (rows.length > 0) this.#begin(channel, rows);
    }
    return LOOK_MS;
  }

  #begin(channel: Channel, rows: readonly DeliveryRow[]): void {
    const recipient = recipientOf(rows[0]!);
    const others = [...this.#running].filter((one) => one.recipient === recipient);
    if (this.#running.size >= AT_ONCE_MAX || others.length >= channel.atOnceEach) return;
    if (others.some(({ ids }) => ids.includes(rows[0]!.id))) return;
    const done = this.#deliver(channel, rows).catch((error) => {
      // It stays due.
      this.#options.warn(`The outcome of a delivery could not be stored: ${reasonOf(error)}.`);
      return LOOK_MS;
    }).then((pauseMs) => {
      this.#running.delete(running);
      this.#lookIn(pauseMs);
    });
    const running: Running = { recipient, ids: rows.map(({ id }) => id), done };
    this.#running.add(running);
  }

  /** Reports whether a recipient is tried less often than it may be, and counts this time. */
  #mayTry(channel: Channel, one: Pick<DeliveryRow, "channel" | "receiverId" | "recipient">): boolean {
    const max = channel.perHour();
    const recipient = recipientOf(one);
    const { store: { deliveries }, now } = this.#options;
    const from = now() - HOUR_MS;
    const times = (this.#tries.get(recipient) ?? []).filter((at) => at > from);
    if (times.length >= max || deliveries.triesSince(one, one.recipient, from) >= max) return false;
    this.#tries.set(recipient, [...times, now()]);
    return true;
  }

  /** Makes one attempt and keeps its outcome; returns how soon to look for more. */
  async #deliver(channel: Channel, rows: readonly DeliveryRow[]): Promise<number> {
    const { store: { deliveries, commit }, recordAlone, now } = this.#options;
    const { status, problem, isFinal } = await channel.attempt(rows, this.#stopping.signal);
    if (this.#stopping.signal.aborted) return 0;
    const triedAt = now();
    const outcomes = rows.map(({ id, attempts: before }) => {
      const attempts = before + 1;
      const pauseMs = problem === null || isFinal ? undefined : PAUSES_MS[attempts - 1];
      return { id, attempts, nextAt: pauseMs === undefined ? null : triedAt + pauseMs, triedAt, status, problem };
    });
    await commit(() => outcomes.forEach((outcome) => deliveries.tried(outcome)));
    const givenUp = rows.filter((_, index) => problem !== null && outcomes[index]!.nextAt === null);
    if (givenUp.length > 0) {
      const { type, receiverId, attempts, recipient } = givenUp[0]!;
      const after = {
        type,
        ...recipient && { recipient },
        ...givenUp.length > 1 && { messages: givenUp.length },
        attempts: attempts + 1,
        problem,
      };
      await recordAlone(SERVER, { action: channel.failed, subject: channel.subject(receiverId), after });
    }
    return 0;
  }
}

function recipientOf({ channel, receiverId, recipient }: Pick<DeliveryRow, "channel" | "receiverId" | "recipient">) {
  return `${channel} ${receiverId} ${recipient}`;
}

function newMessageId(): string {
  return `msg_${crypto.randomUUID().replaceAll("-", "")}`;
}
