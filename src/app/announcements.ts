// Opens the announcements: webhooks and recipients of mail, deliveries to them, and what is announced.

import { Announcer } from "../core/announcements/announcer.ts";
import { createChecks } from "../core/announcements/checks.ts";
import { Deliveries } from "../core/announcements/deliveries.ts";
import { createMail, type MailService } from "../core/announcements/mail/mail.ts";
import { createMailChannel } from "../core/announcements/mail/mail_channel.ts";
import { subscribersIn } from "../core/announcements/subscribers.ts";
import { createWebhookChannel } from "../core/announcements/webhook_channel.ts";
import { createWebhooks, type Webhooks } from "../core/announcements/webhooks.ts";
import type { FunctionId } from "../ids.ts";
import { ALONE } from "../once_per_cluster.ts";
import { HOUR_MS } from "../time.ts";
import type { Data } from "./data.ts";
import type { Domain } from "./domain.ts";
import type { Host } from "./host.ts";
import type { Sandboxes } from "./sandboxes.ts";
import type { Telemetry } from "./telemetry.ts";

export interface Announcements {
  readonly webhooks: Webhooks;
  readonly mail: MailService;
  readonly deliveries: Deliveries;
  readonly announcer: Announcer;
}

export function openAnnouncements(
  opened: AsyncDisposableStack,
  { log, now }: Host,
  { store, keyring, record, audit, settings, access, metrics, cluster, healths }: Data & Domain & Telemetry & Sandboxes,
): Announcements {
  const { httpHosts } = settings.view({ httpHosts: "webhooks.http-hosts" });
  const sending = settings.view({
    plainHosts: "mail.plain-hosts",
    maxPerHour: "mail.max-per-hour",
    publicUrl: "mail.public-url",
  });
  const once = cluster?.once ?? ALONE;
  const warn = (message: string) => log("warn", message);
  const { recordAlone } = audit;
  const webhooks = createWebhooks({ store, keyring, record, now, httpHosts });
  const mail = createMail({ store, keyring, record, now, plainHosts: sending.plainHosts });
  const channels = [
    createWebhookChannel({ store, keyring, now, httpHosts }),
    createMailChannel({ store, keyring, now, ...sending }),
  ];
  const deliveries = new Deliveries({ store, channels, once, recordAlone, now, warn });
  opened.defer(() => deliveries.stop());
  const check = createChecks({
    store,
    failing: (sinceMs, limit) => metrics.failing(sinceMs, limit),
    keys: () => access.keys(),
    knowsBackups: !cluster,
    now,
    ...settings.view({
      unusedKeyDays: "webhooks.unused-key-days",
      expiringKeyDays: "webhooks.expiring-key-days",
      oldBackupDays: "webhooks.old-backup-days",
    }),
  });
  const announcer = new Announcer({
    store,
    subscribers: () => subscribersIn(store),
    deliveries,
    once,
    now,
    check,
    warn,
  });
  opened.defer(() => announcer.stop());
  healths.onSuspended((id, until) => {
    const functionId = id as FunctionId;
    announcer.announce({
      type: "function.suspended",
      topic: `suspended ${functionId}`,
      againAfterMs: HOUR_MS,
      at: now(),
      data: {
        functionId,
        functionName: store.functions.find(functionId)?.name ?? null,
        suspendedUntil: new Date(until).toISOString(),
      },
    });
  });
  return { webhooks, mail, deliveries, announcer };
}
