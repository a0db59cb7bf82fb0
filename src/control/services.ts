// Declares the app that resources of the API add their routes to, and the services that they use.

import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AdminActor, KeyActor, Origin } from "../actor.ts";
import type { ClusterState } from "../cluster_state.ts";
import type { Access } from "../core/access/access.ts";
import type { Names } from "../core/access/names.ts";
import type { Admins } from "../core/admins/admins.ts";
import type { AssetFinder } from "../code/files/assets.ts";
import type { Conditions, Health } from "../code/checks/condition.ts";
import type { FileUses } from "../code/file_uses.ts";
import type { Files } from "../code/files/files.ts";
import type { Deployments } from "../code/deployments/deployments.ts";
import type { GitSources } from "../code/git/source.ts";
import type { GitSync } from "../code/git/sync.ts";
import type { Blobs } from "../store/blobs.ts";
import type { Store } from "../store/store.ts";
import type { Versions } from "../code/versions/versions.ts";
import type { Preflight } from "../code/checks/preflight.ts";
import type { Packages } from "../code/packages.ts";
import type { Registry } from "../core/functions/registry.ts";
import type { FunctionId } from "../ids.ts";
import type { Rotation } from "../core/encryption/rotation.ts";
import type { Audit } from "../core/audit/audit.ts";
import type { Log } from "../telemetry/log.ts";
import type { SharedState } from "../shared_state.ts";
import type { Serving } from "../serving.ts";
import type { AllLogs } from "../telemetry/cluster/all_logs.ts";
import type { Logs } from "../telemetry/logs.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Reads } from "../telemetry/reads.ts";
import type { Explainer } from "../core/secrets/explain.ts";
import type { SecretEffects } from "../core/secrets/effect.ts";
import type { Exposure } from "../core/secrets/exposure.ts";
import type { SecretTransfer } from "../core/secrets/transfer.ts";
import type { Secrets } from "../core/secrets/service.ts";
import type { Deliveries } from "../core/announcements/deliveries.ts";
import type { MailService } from "../core/announcements/mail/mail.ts";
import type { Webhooks } from "../core/announcements/webhooks.ts";
import type { Settings } from "../core/settings/settings.ts";
import type { Suggestions } from "./suggestions.ts";
import type { Client } from "../http/client_address.ts";

export interface ApiDeps {
  /** Runs synchronous changes of the services; their asynchronous methods do it themselves. See `Store.commit`. */
  readonly commit: Store["commit"];
  readonly access: Access;
  /** Finds what requests refer to by name. */
  readonly names: Names;
  readonly admins: Admins;
  readonly registry: Registry;
  readonly files: Files;
  readonly fileUses: FileUses;
  readonly versions: Versions;
  readonly blobs: Blobs;
  readonly deployments: Deployments;
  readonly gitSources: GitSources;
  readonly gitSync: GitSync;
  readonly packages: Packages;
  readonly secrets: Secrets;
  /** Computes whose answers a change of secrets would change. */
  readonly effects: SecretEffects;
  /** Lists what was read, and by whom. */
  readonly exposure: Exposure;
  /** Proposes what a function needs of what it may do. */
  readonly suggestions: Suggestions;
  /** Imports and exports secrets as files. */
  readonly transfer: SecretTransfer;
  readonly explainer: Explainer;
  readonly webhooks: Webhooks;
  readonly mail: MailService;
  readonly deliveries: Deliveries;
  readonly settings: Settings;
  readonly rotation: Rotation;
  readonly audit: Audit;
  readonly assets: AssetFinder;
  readonly preflight: Preflight;
  /** Determines whether functions can answer calls. */
  readonly conditions: Conditions;
  /** Returns how a function's processes have ended lately. */
  readonly health: (id: FunctionId) => Health;
  readonly metrics: Metrics;
  readonly reads: Reads;
  /** What requests leave for later ones, which another node may answer. */
  readonly shared: SharedState;
  readonly now: () => number;
  /** When the server started, in milliseconds since 1970. */
  readonly startedAt: number;
  /** The logs of functions on this node. */
  readonly logs: Logs;
  /** The same of all nodes; of this server if there is one only. */
  readonly allLogs: AllLogs;
  readonly log: Log;
  readonly newRequestId: () => string;
  /** Version of the program. */
  readonly version: string;
  /** Whether this node of a cluster may answer now; undefined on a server of its own. */
  readonly serving: Serving | undefined;
  /** Returns the state of the cluster as this node sees it. */
  readonly cluster: () => ClusterState;
}

export interface ApiEnv {
  Bindings: Client;
  /** `actor` is set by the guard. */
  Variables: {
    requestId: string;
    actor: (KeyActor | AdminActor) & Origin;
  };
}

export type Api = OpenAPIHono<ApiEnv>;
