// Opens what users manage and what needs no code: settings, API keys, admins and secrets.

import { SERVER } from "../actor.ts";
import { bestEffort } from "../best_effort.ts";
import { type Access, createAccess } from "../core/access/access.ts";
import { moveEarlierUses, observeUses } from "../core/access/uses.ts";
import { type Admins, createAdmins } from "../core/admins/admins.ts";
import { createSecretAlerts, type SecretAlerts } from "../core/secrets/alerts.ts";
import { createLocalState } from "../core/admins/local_state.ts";
import { createSecrets, type Secrets } from "../core/secrets/service.ts";
import { checkAccessGroups, createSettings, type Settings } from "../core/settings/settings.ts";
import { reasonOf } from "../errors.ts";
import type { KeyId, SessionId } from "../ids.ts";
import type { SharedState } from "../shared_state.ts";
import { DAY_MS, HOUR_MS } from "../time.ts";
import type { Data } from "./data.ts";
import type { Host } from "./host.ts";

export interface Domain {
  readonly settings: Settings;
  readonly access: Access;
  readonly admins: Admins;
  readonly secrets: Secrets;
  /** Raises the alerts of canaries. */
  readonly alerts: SecretAlerts;
  /** What requests leave for later ones, which another node may answer. */
  readonly shared: SharedState;
}

export async function openDomain(
  opened: AsyncDisposableStack,
  { config, log, now }: Host,
  data: Data,
): Promise<Domain> {
  const { store, keyring, audit, record, observations } = data;
  const settings = createSettings({ store, check: checkAccessGroups(store.access), record });
  const counting = {
    store: observations.uses,
    transaction: <T>(work: () => T): T => observations.transaction(work),
    now,
    attempt: bestEffort(now, (error) => log("error", `Times of last use were lost: ${reasonOf(error)}.`)),
  };
  const keyUses = observeUses<KeyId>("key", counting);
  opened.defer(() => keyUses.close());
  const sessionUses = observeUses<SessionId>("session", counting);
  opened.defer(() => sessionUses.close());
  await moveEarlierUses(store, observations);
  const { accessGroups } = settings.view({ accessGroups: "api.access-groups" });
  const access = createAccess({ store, keyring, now, groupsInSettings: accessGroups, record, uses: keyUses });
  await store.commit(() => access.bootstrap(SERVER, config.bootstrapApiKey));
  const { idleHours, longestDays } = settings.view({
    idleHours: "admin.session.idle-hours",
    longestDays: "admin.session.max-days",
  });
  const limits = { idleMs: () => idleHours() * HOUR_MS, longestMs: () => longestDays() * DAY_MS };
  const { recordAlone } = audit;
  const local = createLocalState(now);
  opened.defer(() => local.close());
  const shared = data.cluster?.shared ?? local;
  const warn = (message: string) => log("warn", message);
  const admins = createAdmins({ store, keyring, limits, now, shared, record, recordAlone, sessionUses, warn });
  const alerts = createSecretAlerts({ store, record, recordAlone, log, now });
  const secrets = createSecrets({
    store,
    alerts,
    keyring,
    now,
    record,
    ...settings.view({ versionsKept: "secrets.versions-kept" }),
  });
  return { settings, access, admins, secrets, alerts, shared };
}
