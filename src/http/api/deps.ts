// What the API is made of: the app that its resources add their routes to, and the services behind them.

import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AdminActor, KeyActor, Origin } from "../../actor.ts";
import type { Access } from "../../access/access.ts";
import type { Admins } from "../../admins/admins.ts";
import type { AssetsService } from "../../functions/assets.ts";
import type { Conditions } from "../../functions/condition.ts";
import type { FileUses } from "../../functions/file_uses.ts";
import type { Files } from "../../functions/files.ts";
import type { Preflight } from "../../functions/preflight.ts";
import type { Packages } from "../../functions/packages.ts";
import type { Registry } from "../../functions/registry.ts";
import type { FunctionId } from "../../ids.ts";
import type { Rotation } from "../../keyring/rotation.ts";
import type { Audit } from "../../observe/audit.ts";
import type { Log } from "../../observe/log.ts";
import type { Logs } from "../../observe/logs.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { Reads } from "../../observe/reads.ts";
import type { Health } from "../../sandbox/health.ts";
import type { Resolution } from "../../secrets/explain.ts";
import type { Secrets } from "../../secrets/secrets.ts";
import type { Settings } from "../../settings/settings.ts";
import type { Client } from "../client.ts";

export interface ApiDeps {
  readonly access: Access;
  readonly admins: Admins;
  readonly registry: Registry;
  readonly files: Files;
  readonly fileUses: FileUses;
  readonly packages: Packages;
  readonly secrets: Secrets;
  readonly resolution: Resolution;
  readonly settings: Settings;
  readonly rotation: Rotation;
  readonly audit: Audit;
  readonly assets: AssetsService;
  readonly preflight: Preflight;
  /** Whether functions can answer calls. */
  readonly conditions: Conditions;
  /** How a function's isolates have been lately. */
  readonly health: (id: FunctionId) => Health;
  readonly metrics: Metrics;
  readonly reads: Reads;
  readonly now: () => number;
  /** When the server started, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly logs: Logs;
  readonly log: Log;
  readonly newRequestId: () => string;
  /** Of the program. */
  readonly version: string;
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
