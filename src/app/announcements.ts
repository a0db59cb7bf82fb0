// Opens the announcements: webhooks, deliveries to them, and what is announced.

import { Announcer } from "../core/announcements/announcer.ts";
import { createChecks } from "../core/announcements/checks.ts";
import { Deliveries } from "../core/announcements/deliveries.ts";
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
  readonly deliveries: Deliveries;
  readonly announcer: Announcer;
}

export function openAnnouncements(
  opened: AsyncDisposableStack,
  { log, now }: Host,
  { store, keyring, record, audit, settings, access, metrics, cluster, healths }: Data & Domain & Telemetry & Sandboxes,
): Announcements {
  const { httpHosts } = settings.view({ httpHosts: "webhooks.http-hosts" });
  const once = cluster?.once ?? ALONE;
  const warn = (message: string) => log("warn", message);
  const { recordAlone } = audit;
  const webhooks = createWebhooks({ store, keyring, record, now, httpHosts });
  const deliveries = new Deliveries({ store, keyring, once, recordAlone, now, httpHosts, warn });
  opened.defer(() => deliveries.stop());
  const check = createChecks({
    store,
    failing: (sinceMs, limit) => metrics.failing(sinceMs, limit),
    keys: () => access.keys(),
    now,
    ...settings.view({ unusedKeyDays: "webhooks.unused-key-days", oldBackupDays: "webhooks.old-backup-days" }),
  });
  const announcer = new Announcer({ store, deliveries, once, now, check, warn });
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
  return { webhooks, deliveries, announcer };
}
