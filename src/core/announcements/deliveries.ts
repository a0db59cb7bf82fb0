// Delivers announcements to webhooks, and tries again for a day. Deliveries are stored, so that a restart loses none;
// one whose outcome could not be stored is sent again, with the same webhook-id.

import { type LoneRecorder, SERVER } from "../../actor.ts";
import { messageOf } from "../../errors.ts";
import type { WebhookId } from "../../ids.ts";
import { webhookAad } from "../../keyring/aad.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { signatureOf } from "../../keyring/webhook_secret.ts";
import type { OncePerCluster } from "../../once_per_cluster.ts";
import type { Store } from "../../store/store.ts";
import type { DeliveryRow } from "../../store/webhooks.ts";
import { HOUR_MS, MINUTE_MS } from "../../time.ts";
import { bodyOf, TEST_TYPE } from "./events.ts";
import { hostOf, urlProblem } from "./webhooks.ts";

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
/** Longest time until a receiver answers. */
const ANSWER_MS = 15_000;
/** Deliveries under way at one time, and of these, to one webhook. */
const AT_ONCE_MAX = 20;
const AT_ONCE_EACH = 4;
/** Deliveries kept for each webhook, those that wait included; the oldest go first. */
const KEPT_EACH = 1_000;
/** How soon another node takes over, and a failed write is tried again. */
const LOOK_MS = MINUTE_MS;

export interface DeliveriesOptions {
  readonly store: Pick<Store, "webhooks" | "commit" | "onApplied">;
  readonly keyring: Keyring;
  readonly once: OncePerCluster;
  readonly recordAlone: LoneRecorder;
  readonly now: () => number;
  readonly httpHosts: () => readonly string[];
  readonly warn: (message: string) => void;
}

/** The outcome of one attempt. */
interface Attempt {
  readonly status: number | null;
  /** Undefined if the receiver took it. */
  readonly problem: string | null;
}

export class Deliveries {
  readonly #options: DeliveriesOptions;
  /** Ids of deliveries under way, with their webhooks. */
  readonly #running = new Map<number, { readonly webhookId: WebhookId; readonly done: Promise<void> }>();
  readonly #stopping = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    options.store.onApplied((rows) => {
      if (rows.some(({ table }) => table === "webhook_deliveries")) this.#lookIn(0);
    });
  }

  start(): void {
    this.#lookIn(0);
  }

  /** Aborts what is under way, which is sent again after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error("the server is stopping"));
    clearTimeout(this.#timer);
    await Promise.all([...this.#running.values()].map(({ done }) => done));
  }

  /** Adds deliveries of a message, within a transaction. */
  enqueue(webhookIds: readonly WebhookId[], type: string, body: string): void {
    const { store: { webhooks }, now } = this.#options;
    const messageId = newMessageId();
    const at = now();
    for (const webhookId of webhookIds) {
      webhooks.enqueue({
        webhookId,
        messageId,
        type,
        body,
        createdAt: at,
        attempts: 0,
        nextAt: at,
        triedAt: null,
        status: null,
        problem: null,
      });
      webhooks.prune(webhookId, KEPT_EACH);
    }
  }

  /** Sends a test to a webhook, once, and returns what came of it. */
  async test(webhookId: WebhookId): Promise<DeliveryRow> {
    const { store: { webhooks, commit }, now } = this.#options;
    const createdAt = now();
    const body = bodyOf({ type: TEST_TYPE, at: createdAt, data: { webhookId } });
    const message = { webhookId, messageId: newMessageId(), type: TEST_TYPE, body, createdAt };
    const { status, problem } = await this.#attempt(message);
    const row = { ...message, attempts: 1, nextAt: null, triedAt: now(), status, problem };
    const id = await commit(() => {
      if (!webhooks.find(webhookId)) return 0;
      const id = webhooks.enqueue(row);
      webhooks.prune(webhookId, KEPT_EACH);
      return id;
    });
    return { ...row, id };
  }

  #lookIn(ms: number): void {
    if (this.#stopping.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), ms);
    Deno.unrefTimer(this.#timer);
  }

  /** Begins what is due, and comes back when something else is. */
  #look(): void {
    const { store: { webhooks }, once, now, warn } = this.#options;
    let pauseMs = LOOK_MS;
    try {
      if (once.leads) {
        for (const row of webhooks.due(now(), AT_ONCE_EACH)) this.#begin(row);
        const next = this.#running.size < AT_ONCE_MAX ? webhooks.nextAt() : undefined;
        // What is due and not begun waits for another one to end.
        if (next !== undefined && next > now()) pauseMs = Math.min(next - now(), LOOK_MS);
      }
    } catch (error) {
      warn(`Webhooks could not be looked at: ${messageOf(error)}. It is tried again in a minute.`);
    }
    this.#lookIn(pauseMs);
  }

  #begin(row: DeliveryRow): void {
    const running = [...this.#running.values()].filter(({ webhookId }) => webhookId === row.webhookId).length;
    if (this.#running.has(row.id) || this.#running.size >= AT_ONCE_MAX || running >= AT_ONCE_EACH) return;
    const done = this.#deliver(row).catch((error) => {
      // It stays due.
      this.#options.warn(`The outcome of a webhook could not be stored: ${messageOf(error)}.`);
      return LOOK_MS;
    }).then((pauseMs) => {
      this.#running.delete(row.id);
      this.#lookIn(pauseMs);
    });
    this.#running.set(row.id, { webhookId: row.webhookId, done });
  }

  /** Makes one attempt and keeps its outcome; returns how soon to look for more. */
  async #deliver(row: DeliveryRow): Promise<number> {
    const { store: { webhooks, commit }, recordAlone, now } = this.#options;
    const { status, problem } = await this.#attempt(row);
    if (this.#stopping.signal.aborted) return 0;
    const attempts = row.attempts + 1;
    const pauseMs = problem === null ? undefined : PAUSES_MS[attempts - 1];
    const nextAt = pauseMs === undefined ? null : now() + pauseMs;
    await commit(() => webhooks.tried({ id: row.id, attempts, nextAt, triedAt: now(), status, problem }));
    if (problem !== null && nextAt === null) {
      const webhook = webhooks.find(row.webhookId);
      const subject = { kind: "webhook", id: row.webhookId, name: webhook ? hostOf(webhook.url) : "" };
      await recordAlone(SERVER, { action: "webhook.failed", subject, after: { type: row.type, attempts, problem } });
    }
    return 0;
  }

  async #attempt(
    { webhookId, messageId, body }: Pick<DeliveryRow, "webhookId" | "messageId" | "body">,
  ): Promise<Attempt> {
    const { store: { webhooks }, keyring, now, httpHosts } = this.#options;
    const webhook = webhooks.find(webhookId);
    if (!webhook) return { status: null, problem: "The webhook was altered." };
    const refusal = urlProblem(webhook.url, httpHosts());
    if (refusal) return { status: null, problem: `The address ${refusal}.` };
    try {
      const seconds = Math.floor(now() / 1_000);
      const secret = keyring.open(webhook.ciphertext, webhookAad(webhookId));
      const response = await fetch(webhook.url, {
        method: "POST",
        // Another address was not named by the one who set this one.
        redirect: "manual",
        headers: {
          "content-type": "application/json",
          "user-agent": "Crude-Functions",
          "webhook-id": messageId,
          "webhook-timestamp": String(seconds),
          "webhook-signature": signatureOf(secret, messageId, seconds, body),
        },
        body,
        signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(ANSWER_MS)]),
      });
      // Whatever the answer says is neither read nor shown.
      await response.body?.cancel();
      const { status } = response;
      return { status, problem: response.ok ? null : `The receiver answered with ${status}.` };
    } catch (error) {
      return { status: null, problem: problemOf(error) };
    }
  }
}

/** Says why there is no answer, without the address, whose path may hold a token. */
function problemOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return `The receiver did not answer within ${ANSWER_MS / 1_000} seconds.`;
  }
  const message = messageOf(error);
  if (/certificate|tls/i.test(message)) return "The certificate of the receiver is not trusted.";
  if (/dns|lookup|resolve/i.test(message)) return "The name of the host is not known.";
  if (error instanceof TypeError) return "The receiver could not be reached.";
  return "The secret of the webhook cannot be read.";
}

function newMessageId(): string {
  return `msg_${crypto.randomUUID().replaceAll("-", "")}`;
}
