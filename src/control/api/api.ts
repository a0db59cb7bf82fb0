// Assembles the REST API: access control, its resources, and the headers of every answer.

import { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { AppError, secondFactorRequired } from "../../errors.ts";
import { type AdminActor, type AuditEvent, entitlementLost, type KeyActor, type Origin } from "../../actor.ts";
import type { SignedInSession } from "../../core/admins/sessions.ts";
import type { Client } from "../../http/client_address.ts";
import { readCookie } from "../../http/cookies.ts";
import { type Credential, credentials, sessionToken } from "../../http/credentials.ts";
import { errorResponse, methodNotAllowed, unauthorized } from "../../http/errors.ts";
import { jsonText } from "../../json.ts";
import { isFromOwnPage, isFromOwnPageOrNone, isSafeMethod } from "../../http/same_origin.ts";
import { addAudit } from "./audit.ts";
import { addBlobs } from "./blobs.ts";
import { addCluster } from "./cluster.ts";
import { addDeployments } from "./deployments.ts";
import type { Api, ApiDeps, ApiEnv } from "../services.ts";
import { addDocs } from "./docs.ts";
import { addEncryptionKeys } from "./encryption_keys.ts";
import { addExposure } from "./exposure.ts";
import { addFiles } from "./files.ts";
import { addFunctions } from "./functions.ts";
import { addGitSource, addGitWebhook } from "./git_source.ts";
import { addKeyGroups } from "./key_groups.ts";
import { addKeys } from "./keys.ts";
import { addLogs } from "./logs.ts";
import { addMetrics } from "./metrics.ts";
import { addPackages } from "./packages.ts";
import { addReads } from "./reads.ts";
import { addResolve } from "./resolve.ts";
import { addSecretFiles } from "./secret_files.ts";
import { addSecretHistory } from "./secret_history.ts";
import { addSecrets } from "./secrets.ts";
import { addOwnSession, addTerminalSessions } from "./sessions.ts";
import { addMail } from "./mail.ts";
import { addWebhooks } from "./webhooks.ts";
import { addVersions } from "./versions.ts";
import { addSettings } from "./settings.ts";

/** Creates the app that answers everything under /api, and /metrics. */
export function createApi(deps: ApiDeps): Api {
  const api: Api = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw result.error;
    },
  });
  api.onError((error, c) => errorResponse(error, c.get("requestId"), deps.log));
  api.use("*", jsonWithLineFeed, answerHeaders(deps.newRequestId));

  // Before the guard: they contain no data, and a browser that opens the page sends no key.
  addDocs(api, deps.version);
  // A terminal gets its credential here.
  addTerminalSessions(api, deps);
  // Its requests are signed.
  addGitWebhook(api, deps);

  api.use("*", guard(deps));
  addFunctions(api, deps);
  addFiles(api, deps);
  addVersions(api, deps);
  addBlobs(api, deps);
  addDeployments(api, deps);
  addGitSource(api, deps);
  addPackages(api, deps);
  addKeyGroups(api, deps);
  addKeys(api, deps);
  // Before the other routes, which would take "resolve" for an id.
  addResolve(api, deps);
  // Before the other routes of secrets, for the same reason.
  addSecretFiles(api, deps);
  addSecretHistory(api, deps);
  addExposure(api, deps);
  addSecrets(api, deps);
  addEncryptionKeys(api, deps);
  addSettings(api, deps);
  addWebhooks(api, deps);
  addMail(api, deps);
  addLogs(api, deps);
  addMetrics(api, deps);
  addCluster(api, deps);
  addReads(api, deps);
  addAudit(api, deps);
  addOwnSession(api, deps);
  refuseOtherMethods(api);
  api.all("*", (c) => {
    throw new AppError("NotFound", 404, `There is no ${c.req.path} in the API; /api/docs shows what there is.`);
  });
  return api;
}

/** Lets handlers answer JSON as all parts of the server do. */
const jsonWithLineFeed: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const { body } = c;
  c.json =
    ((value: unknown, status?: ContentfulStatusCode, headers?: Record<string, string>) =>
      body(jsonText(value), status, { "Content-Type": "application/json", ...headers })) as unknown as typeof c.json;
  await next();
};

function answerHeaders(newRequestId: () => string): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    c.set("requestId", newRequestId());
    await next();
    c.header("X-Request-Id", c.get("requestId"));
    c.header("X-Content-Type-Options", "nosniff");
    c.header("Cross-Origin-Resource-Policy", "same-origin");
    // No answer may be shown as a page, whatever the type of a file. The documentation sets its own policy.
    if (!c.res.headers.has("Content-Security-Policy")) {
      c.header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox");
    }
    if (!c.res.headers.has("Cache-Control")) c.header("Cache-Control", "no-store");
  };
}

/** Admits requests of those who may manage the server, before anything else of the request is read. */
function guard(deps: ApiDeps): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const { raw } = c.req;
    // Even with a key: a page of another site may have one, given or stolen.
    if (raw.headers.get("sec-fetch-site") === "cross-site") {
      throw new AppError("CrossSite", 403, "Pages of other sites may not use the API.");
    }
    const [credential] = credentials(raw.headers, raw.url);
    const origin = { address: c.env.address, requestId: c.get("requestId") };
    // A key takes precedence over a cookie that the browser adds.
    const token = credential && sessionToken(credential);
    const who = token !== undefined
      ? await terminalOf(token, origin, deps)
      : credential
      ? await holderOf(credential, origin, deps)
      : adminOf(raw, c.env, deps);
    c.set("actor", { ...who, ...origin });
    await next();
  };
}

/** @throws AppError Unauthorized (401), Forbidden (403) */
async function holderOf(
  { value, from }: Credential,
  origin: Origin,
  { access, settings, audit }: ApiDeps,
): Promise<KeyActor> {
  const refused: AuditEvent = { action: "sign-in.failed", subject: { kind: "api", id: null, name: "" } };
  const holder = access.find(value);
  if (!holder) {
    await audit.recordAlone({ kind: "visitor", ...origin }, refused);
    throw unauthorized(`The API key in ${from} is not known.`);
  }
  const refusal = (): AppError | undefined => {
    const now = access.find(value);
    if (now?.keyId !== holder.keyId) return entitlementLost("The API key was revoked or has expired");
    if (settings.get("api.access-groups").includes(now.groupName)) return undefined;
    return entitlementLost(`The group "${now.groupName}" lost the API`, 403);
  };
  const actor: KeyActor = { kind: "key", id: holder.keyId, name: holder.keyName, group: holder.groupName, refusal };
  if (!settings.get("api.access-groups").includes(holder.groupName)) {
    await audit.recordAlone({ ...actor, ...origin }, refused);
    throw new AppError("Forbidden", 403, `Keys of the group "${holder.groupName}" may not use the API.`);
  }
  access.recordUse(holder.keyId);
  return actor;
}

/** A program with a session of its own. No browser adds the header, so no page can misuse it. */
async function terminalOf(token: string, origin: Origin, deps: ApiDeps): Promise<AdminActor> {
  const { admins, audit } = deps;
  const found = admins.sessions.find(token);
  if (found) return actorOf(found, token, deps);
  await audit.recordAlone({ kind: "visitor", ...origin }, {
    action: "sign-in.failed",
    subject: { kind: "api", id: null, name: "" },
  });
  throw unauthorized("The session in Authorization has ended. Sign in again.");
}

/** @throws AppError SecondFactorRequired (403) */
function actorOf({ admin }: SignedInSession, token: string, { admins: { sessions }, settings }: ApiDeps): AdminActor {
  if (admin.totpNonce === null && settings.get("admin.require-second-factor")) throw secondFactorRequired();
  const refusal = () => sessions.isLive(token) ? undefined : entitlementLost("The session ended");
  return { kind: "admin", id: String(admin.id), name: admin.email, refusal };
}

/** @throws AppError Unauthorized (401), CrossSite (403) for requests that another site's page caused */
function adminOf(request: Request, client: Client, deps: ApiDeps): AdminActor {
  const { admins } = deps;
  const token = readCookie(request.headers, "session", client);
  const found = token === undefined ? undefined : admins.sessions.find(token);
  if (token === undefined || !found) throw unauthorized("An API key is required; send it as X-API-Key.");
  const own = isSafeMethod(request.method) ? isFromOwnPageOrNone(request, client) : isFromOwnPage(request, client);
  if (!own) throw new AppError("CrossSite", 403, "With a session, only pages of this server may send this request.");
  return actorOf(found, token, deps);
}

/** Answers a method that a path does not support with 405 and the supported ones. */
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
