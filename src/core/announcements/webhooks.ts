// Manages webhooks: their addresses, their events, and the secrets that sign messages.

import type { Actor, Recorder } from "../../actor.ts";
import { conflict, invalid, notFound } from "../../errors.ts";
import type { WebhookId } from "../../ids.ts";
import { webhookAad } from "../../keyring/aad.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { SecretValue } from "../../keyring/secret_value.ts";
import { newWebhookSecret } from "../../keyring/webhook_secret.ts";
import type { Store } from "../../store/store.ts";
import type { DeliveryRow } from "../../store/deliveries.ts";
import type { WebhookRow } from "../../store/webhooks.ts";
import { type ExpectedVersions, nextChangeTime, requireVersion, type Version, versionOf } from "../../versions.ts";
import type { AnnouncementType } from "./events.ts";

const WEBHOOKS_MAX = 100;
/** Deliveries shown with a webhook. */
const SHOWN_DELIVERIES = 20;

/** Times in milliseconds since 1970 UTC. */
export interface Webhook {
  readonly id: WebhookId;
  readonly url: string;
  readonly events: readonly AnnouncementType[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface WebhookInput {
  readonly url: string;
  readonly events: readonly AnnouncementType[];
}

export interface Webhooks {
  list(): Webhook[];
  /** @throws AppError NotFound (404) */
  get(id: WebhookId): Webhook;
  /** Returns the last deliveries, newest first. */
  deliveries(id: WebhookId): DeliveryRow[];
  /** Returns the new webhook and its secret, which is not shown again. @throws AppError InvalidInput (400) */
  create(actor: Actor, input: WebhookInput): { webhook: Webhook; secret: SecretValue };
  /** @throws AppError InvalidInput (400), NotFound (404), PreconditionFailed (412) */
  update(actor: Actor, id: WebhookId, change: Partial<WebhookInput>, expected?: ExpectedVersions): Webhook;
  /** @throws AppError NotFound (404), PreconditionFailed (412) */
  delete(actor: Actor, id: WebhookId, expected?: ExpectedVersions): void;
}

export interface WebhooksOptions {
  readonly store: Pick<Store, "webhooks" | "deliveries" | "change" | "isAltered">;
  readonly keyring: Keyring;
  readonly record: Recorder;
  readonly now: () => number;
  /** Hosts that may be reached by `http:`. */
  readonly httpHosts: () => readonly string[];
}

export function createWebhooks({ store, keyring, record, now, httpHosts }: WebhooksOptions): Webhooks {
  const { webhooks, deliveries } = store;
  const receiver = (id: WebhookId) => ({ channel: "webhook", receiverId: id }) as const;
  const find = (id: WebhookId): Webhook => {
    const row = webhooks.find(id);
    if (!row) throw notFound("webhook", id);
    return toWebhook(row);
  };
  const checkUrl = (text: string): void => {
    const problem = urlProblem(text, httpHosts());
    if (problem) throw invalid("url", problem);
  };
  const subject = ({ id, url }: Pick<Webhook, "id" | "url">) => ({ kind: "webhook", id, name: hostOf(url) });
  const facts = ({ url, events }: WebhookInput) => ({ host: hostOf(url), events });

  return {
    list: () => webhooks.list().map(toWebhook),
    get: find,
    deliveries: (id) => deliveries.list(receiver(id), SHOWN_DELIVERIES),

    create(actor, { url, events }) {
      checkUrl(url);
      return store.change(actor, () => {
        if (webhooks.list().length >= WEBHOOKS_MAX) {
          throw conflict(`There are ${WEBHOOKS_MAX} webhooks already. Delete one first.`);
        }
        const at = now();
        const secret = newWebhookSecret();
        const id = webhooks.insert({ url, events, createdAt: at, updatedAt: at });
        webhooks.setCiphertext(id, keyring.seal(secret.reveal(), webhookAad(id)));
        const webhook = find(id);
        record(actor, { action: "webhook.created", subject: subject(webhook), after: facts(webhook) });
        return { webhook, secret };
      });
    },

    update: (actor, id, change, expected) =>
      store.change(actor, () => {
        const before = find(id);
        requireVersion(expected, webhookVersion(before), `the webhook ${id}`);
        const next = { url: change.url ?? before.url, events: change.events ?? before.events };
        if (next.url !== before.url) checkUrl(next.url);
        webhooks.update(id, { ...next, updatedAt: nextChangeTime(now(), before.updatedAt) });
        const after = find(id);
        // Paths may hold a token, so an entry says only that the address changed.
        const changed = next.url === before.url ? {} : { url: "changed" };
        record(actor, {
          action: "webhook.updated",
          subject: subject(after),
          before: facts(before),
          after: { ...facts(after), ...changed },
        });
        return after;
      }),

    delete: (actor, id, expected) =>
      store.change(actor, () => {
        // An altered one can be deleted.
        const isAltered = store.isAltered("webhooks", id);
        const before = isAltered ? undefined : find(id);
        requireVersion(expected, before && webhookVersion(before), `the webhook ${id}`);
        webhooks.delete(id);
        deliveries.deleteOf(receiver(id));
        const about = before ? subject(before) : { kind: "webhook", id, name: "" };
        record(actor, { action: "webhook.deleted", subject: about, before: before && facts(before) });
      }),
  };
}

export function webhookVersion({ url, events, updatedAt }: Webhook): Version {
  return versionOf([url, events, updatedAt]);
}

function toWebhook({ id, url, events, createdAt, updatedAt }: WebhookRow): Webhook {
  return { id, url, events: events as AnnouncementType[], createdAt, updatedAt };
}

export function hostOf(url: string): string {
  return new URL(url).host;
}

/** Returns what is wrong with an address, or undefined; `httpHosts` are those that may be reached by `http:`. */
export function urlProblem(text: string, httpHosts: readonly string[]): string | undefined {
  if (!URL.canParse(text)) return "must be a URL";
  const url = new URL(text);
  if (url.username || url.password) return "must not contain credentials";
  if (url.hash) return "must not have a fragment";
  if (url.protocol === "https:") return undefined;
  if (url.protocol !== "http:") return "must begin with https:";
  if (httpHosts.includes(url.host) || httpHosts.includes(url.hostname)) return undefined;
  return "must begin with https:, unless the setting webhooks.http-hosts names the host";
}
