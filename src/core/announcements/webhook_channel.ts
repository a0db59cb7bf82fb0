// Sends announcements to webhooks, signed.

import { messageOf } from "../../errors.ts";
import type { WebhookId } from "../../ids.ts";
import { webhookAad } from "../../keyring/aad.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { signatureOf } from "../../keyring/webhook_secret.ts";
import type { Store } from "../../store/store.ts";
import type { Attempt, Channel, Message } from "./channel.ts";
import { hostOf, urlProblem } from "./webhooks.ts";

/** Longest time until a receiver answers. */
const ANSWER_MS = 15_000;
const AT_ONCE_EACH = 4;

export interface WebhookChannelOptions {
  readonly store: Pick<Store, "webhooks">;
  readonly keyring: Keyring;
  readonly now: () => number;
  /** Hosts that may be reached by `http:`. */
  readonly httpHosts: () => readonly string[];
}

export function createWebhookChannel(options: WebhookChannelOptions): Channel {
  const { store: { webhooks } } = options;
  const find = (id: number) => webhooks.find(id as WebhookId);
  return {
    name: "webhook",
    atOnceEach: AT_ONCE_EACH,
    together: 1,
    perHour: () => Infinity,
    test: (webhookId) => ({ type: "webhook.test", data: { webhookId } }),
    recipients: (id) => find(id) ? [""] : [],
    attempt: ([message], signal) => attempt(options, message!, signal),
    failed: "webhook.failed",
    subject(id) {
      const webhook = find(id);
      return { kind: "webhook", id, name: webhook ? hostOf(webhook.url) : "" };
    },
  };
}

async function attempt(
  { store: { webhooks }, keyring, now, httpHosts }: WebhookChannelOptions,
  { receiverId, messageId, body }: Message,
  stopping: AbortSignal,
): Promise<Attempt> {
  const webhook = webhooks.find(receiverId as WebhookId);
  if (!webhook) return { status: null, problem: "The webhook was altered." };
  const refusal = urlProblem(webhook.url, httpHosts());
  if (refusal) return { status: null, problem: `The address ${refusal}.` };
  try {
    const seconds = Math.floor(now() / 1_000);
    const secret = keyring.open(webhook.ciphertext, webhookAad(webhook.id));
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
      signal: AbortSignal.any([stopping, AbortSignal.timeout(ANSWER_MS)]),
    });
    // Whatever the answer says is neither read nor shown.
    await response.body?.cancel();
    const { status } = response;
    return { status, problem: response.ok ? null : `The receiver answered with ${status}.` };
  } catch (error) {
    return { status: null, problem: problemOf(error) };
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
