// Implements /api/git-source: the repository that the code comes from, its syncs, and the webhook of its server.

import { z } from "@hono/zod-openapi";
import type { GitSource, GitSources } from "../../code/git/source.ts";
import type { Limit } from "../../shared_state.ts";
import { AppError } from "../../errors.ts";
import { unauthorized } from "../../http/errors.ts";
import { isSecret, isSignedBy } from "../../keyring/webhook_signature.ts";
import { readBody } from "../inputs/body.ts";
import { answer, body, errors, json, mustBe, SUCCESS, successSchema, time } from "../inputs/fields.ts";
import { gitSourceInput, gitSourceSchema, lastSyncSchema } from "../inputs/git_schemas.ts";
import type { Api, ApiDeps } from "../services.ts";
import { deployed, rehearsed, shownDeployed, shownRehearsal } from "./deployments.ts";
import { apiRoute, documented, ifMatch, nothingUndocumented, tag } from "./route.ts";

/** Enough for a push of a thousand commits. */
const WEBHOOK_MAX_BYTES = 8 * 1024 * 1024;
/** For requests of one address without a valid signature. */
const WEBHOOK_LIMIT: Limit = { free: 10, firstWaitMs: 1_000, longestWaitMs: 60_000 };
const WEBHOOK_PATH = "/api/git-source/webhook";

const tags = ["Git source"];
const stateSchema = z.object({ source: gitSourceSchema.nullable(), lastSync: lastSyncSchema.nullable() });

const get = apiRoute({
  method: "get",
  path: "/api/git-source",
  operationId: "getGitSource",
  etag: true,
  tags,
  summary: "Get the git source, and the outcome of its last sync",
  responses: { 200: answer("Both are null while there is none.", stateSchema), ...errors() },
});

const put = apiRoute({
  method: "put",
  path: "/api/git-source",
  operationId: "setGitSource",
  etag: true,
  conditional: true,
  tags,
  summary: "Set the git source",
  description: "From then on, files can only be changed there. Nothing is synced yet, unless there is an interval.",
  request: { body: json(gitSourceInput) },
  responses: { 200: answer("It is set.", stateSchema), ...errors(400, 413, 415) },
});

const remove = apiRoute({
  method: "delete",
  path: "/api/git-source",
  operationId: "removeGitSource",
  conditional: true,
  tags,
  summary: "Remove the git source",
  description: "Files and functions stay, and can be changed here again.",
  responses: { 200: answer("It is removed.", successSchema), ...errors(404) },
});

const flag = (description: string) => z.boolean(mustBe("true or false")).default(false).openapi({ description });

const sync = apiRoute({
  method: "post",
  path: "/api/git-source/sync",
  operationId: "syncGitSource",
  tags,
  summary: "Deploy the newest commit of the git source",
  request: {
    body: {
      ...json(
        body({
          dryRun: flag("Only return what would change, and the problems."),
          force: flag("Deploy in spite of problems of the code and its secrets."),
        }).openapi("GitSyncRequest"),
      ),
      required: false,
    },
  },
  responses: {
    200: answer("With `dryRun`: what would change, and what would stop it.", rehearsed),
    201: answer("It is deployed.", deployed),
    ...errors(400, 404, 409, 413, 415, 422, 502),
  },
});

export function addGitSource(api: Api, { gitSources, gitSync, commit }: ApiDeps): void {
  api.openapi(get, (c) => {
    tag(c, gitSources.version());
    return c.json(shown(gitSources), 200);
  });

  api.openapi(put, async (c) => {
    await commit(() => gitSync.setSource(c.get("actor"), c.req.valid("json"), ifMatch(c)));
    tag(c, gitSources.version());
    return c.json(shown(gitSources), 200);
  });

  api.openapi(remove, async (c) => {
    await commit(() => gitSync.removeSource(c.get("actor"), ifMatch(c)));
    return c.json(SUCCESS, 200);
  });

  api.openapi(sync, async (c) => {
    const { dryRun, force } = c.req.valid("json");
    if (dryRun) return c.json(shownRehearsal(await gitSync.rehearse({ force })), 200);
    return c.json(shownDeployed(await gitSync.sync(c.get("actor"), { force })), 201);
  });
}

/** Adds the webhook, which needs no API key: its requests are signed. */
export function addGitWebhook(api: Api, { gitSources, gitSync, secrets, shared }: ApiDeps): void {
  describeWebhook(api);

  const usable = (name: string) => {
    try {
      return secrets.forServer(name);
    } catch (error) {
      if (error instanceof AppError) return undefined;
      throw error;
    }
  };

  const isAuthentic = (headers: Headers, content: Uint8Array): boolean => {
    const name = gitSources.get()?.webhookSecret;
    const secret = name ? usable(name) : undefined;
    if (!secret) return false;
    // Of GitHub, Gitea and Forgejo; of Bitbucket; of GitLab, which sends the secret itself.
    const signature = headers.get("x-hub-signature-256") ?? headers.get("x-hub-signature");
    const token = headers.get("x-gitlab-token");
    if (signature !== null) return isSignedBy(secret, content, signature);
    return token !== null && isSecret(secret, token);
  };

  api.post(WEBHOOK_PATH, nothingUndocumented({ body: true, conditional: false }), async (c) => {
    const counted = { bucket: `webhook from ${c.env.address}`, limit: WEBHOOK_LIMIT };
    await shared.throttle.begin([counted]);
    const content = await readBody(c.req.raw, WEBHOOK_MAX_BYTES);
    if (!isAuthentic(c.req.raw.headers, content)) {
      throw unauthorized("The webhook is not signed with the secret of the git source.");
    }
    await shared.throttle.takeBack(counted);
    // What it says about the push is not used: the git server is asked.
    gitSync.requestSync();
    return c.json(SUCCESS, 202);
  });
}

function shown(sources: GitSources): z.infer<typeof stateSchema> {
  const [source, last] = [sources.get(), sources.lastSync()];
  return {
    source: source ? shownSource(source) : null,
    lastSync: last
      ? {
        at: time(last.at),
        outcome: last.outcome,
        commit: last.commit ?? null,
        deploymentId: last.deployment ?? null,
        error: last.error ?? null,
        problems: [...last.problems ?? []],
      }
      : null,
  };
}

function shownSource({ kind, name, ...rest }: GitSource): z.infer<typeof gitSourceSchema> {
  return { ...rest, ref: { [kind]: name } };
}

function describeWebhook({ openAPIRegistry: registry }: Api): void {
  registry.registerPath(documented({
    method: "post",
    path: WEBHOOK_PATH,
    operationId: "receiveGitWebhook",
    tags,
    summary: "Receive a webhook of the git server",
    description:
      "Needs no API key, but the signature `X-Hub-Signature-256` (GitHub, Gitea, Forgejo) or the secret in " +
      "`X-Gitlab-Token`. A commit that is new is deployed soon; what the body says is not used.",
    security: [],
    request: {
      body: {
        content: {
          "*/*": { schema: { type: "string", description: "What the git server says about the push." } },
        },
      },
    },
    responses: { 202: answer("It is accepted.", successSchema), ...errors(401, 413) },
  }));
}
