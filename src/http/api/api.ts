// The REST API: who may call it, its resources, and what every answer has in common.

import { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { AppError } from "../../errors.ts";
import { credentials } from "../credentials.ts";
import { errorResponse, methodNotAllowed, unauthorized } from "../errors.ts";
import type { Api, ApiDeps, ApiEnv } from "./deps.ts";
import { addDocs } from "./docs.ts";
import { addEncryptionKeys } from "./encryption_keys.ts";
import { addFiles } from "./files.ts";
import { addFunctions } from "./functions.ts";
import { addKeyGroups } from "./key_groups.ts";
import { addKeys } from "./keys.ts";
import { addMetrics } from "./metrics.ts";
import { addReads } from "./reads.ts";
import { addResolve } from "./resolve.ts";
import { addSecrets } from "./secrets.ts";
import { addSettings } from "./settings.ts";

/** An app that answers everything under /api, and /metrics. */
export function createApi(deps: ApiDeps): Api {
  const api: Api = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw result.error;
    },
  });
  api.onError((error, c) => errorResponse(error, c.get("requestId"), deps.log));
  api.use("*", answerHeaders(deps.newRequestId));

  // Before the guard: they hold no data, and a browser that opens the page has no key to send.
  addDocs(api, deps.version);

  api.use("*", guard(deps));
  addFunctions(api, deps);
  addFiles(api, deps);
  addKeyGroups(api, deps);
  addKeys(api, deps);
  // Before the rest, as "resolve" would be taken for an id.
  addResolve(api, deps);
  addSecrets(api, deps);
  addEncryptionKeys(api, deps);
  addSettings(api, deps);
  addMetrics(api, deps);
  addReads(api, deps);
  refuseOtherMethods(api);
  api.all("*", (c) => {
    throw new AppError("NotFound", 404, `There is no ${c.req.path} in the API; /api/docs shows what there is.`);
  });
  return api;
}

function answerHeaders(newRequestId: () => string): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    c.set("requestId", newRequestId());
    await next();
    c.header("X-Request-Id", c.get("requestId"));
    c.header("X-Content-Type-Options", "nosniff");
    if (!c.res.headers.has("Cache-Control")) c.header("Cache-Control", "no-store");
  };
}

/** Lets in who has a key of a group that may manage the server, before anything else of the request is read. */
function guard({ access, settings }: ApiDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const [credential] = credentials(c.req.raw.headers, c.req.raw.url);
    if (!credential) throw unauthorized("An API key is required; send it as X-API-Key.");
    const holder = access.find(credential.value);
    if (!holder) throw unauthorized(`The API key in ${credential.from} is not known.`);
    if (!settings.get("api.access-groups").includes(holder.groupName)) {
      throw new AppError("Forbidden", 403, `Keys of the group "${holder.groupName}" may not use the API.`);
    }
    access.recordUse(holder.keyId);
    const { keyId: id, keyName: name, groupName: group } = holder;
    c.set("actor", { kind: "key", id, name, group, address: c.env.address, requestId: c.get("requestId") });
    await next();
  };
}

/** Any method that a path does not take is a 405 that names those it does. */
function refuseOtherMethods(api: Api): void {
  const allowed = new Map<string, Set<string>>();
  for (const { path, method } of api.routes) {
    if (method === "ALL") continue;
    const methods = allowed.get(path) ?? new Set();
    allowed.set(path, methods.add(method));
    // Hono answers HEAD where it answers GET.
    if (method === "GET") methods.add("HEAD");
  }
  for (const [path, methods] of allowed) {
    api.all(path, (c) => {
      throw methodNotAllowed(c.req.method, [...methods].sort());
    });
  }
}
