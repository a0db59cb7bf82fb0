// Implements /api/deployments: files and functions that change together.

import { z } from "@hono/zod-openapi";
import type { Deployment, Rehearsal } from "../../code/deployments/deployments.ts";
import type { DeploymentFindings } from "../../code/deployments/problems.ts";
import type { Api, ApiDeps } from "../services.ts";
import { versionOf } from "../../versions.ts";
import { answer, errors, idParams, json, time } from "../inputs/fields.ts";
import { beforeCursor } from "../inputs/newest_first.ts";
import {
  deploymentProblemSchema,
  deploymentSchema,
  deploymentsQuery,
  newDeployment,
  newRollback,
  planSchema,
} from "../inputs/version_schemas.ts";
import { apiRoute, tag } from "./route.ts";

/** Enough for 50,000 files. */
const BODY_MAX_BYTES = 16 * 1024 * 1024;

const tags = ["Deployments"];
const params = idParams<number>();
export const deployed = z.object({
  deployment: deploymentSchema,
  problems: z.array(deploymentProblemSchema).openapi({ description: "With `force`: those that it was deployed with." }),
  warnings: z.array(deploymentProblemSchema),
});
export const rehearsed = z.object({
  plan: planSchema,
  problems: z.array(deploymentProblemSchema),
  warnings: z.array(deploymentProblemSchema),
});

const create = apiRoute({
  method: "post",
  path: "/api/deployments",
  operationId: "createDeployment",
  tags,
  summary: "Deploy files and functions together",
  description: "All of it is live at once, or nothing: calls under way finish on the old code, the next ones get the " +
    "new. Before, the code of every function that changes is loaded, and its secrets are looked for.",
  bodyMaxBytes: BODY_MAX_BYTES,
  request: { body: json(newDeployment) },
  responses: {
    200: answer("With `dryRun`: what would change, and what would stop it.", rehearsed),
    201: answer("It is deployed.", deployed),
    ...errors(400, 409, 412, 413, 415, 422),
  },
});

const list = apiRoute({
  method: "get",
  path: "/api/deployments",
  operationId: "listDeployments",
  tags,
  summary: "List deployments",
  description: "Newest first. While `next` is not null, there are more: pass it as `cursor`.",
  request: { query: deploymentsQuery },
  responses: {
    200: answer(
      "A page of deployments.",
      z.object({
        deployments: z.array(deploymentSchema),
        live: z.string().openapi({ description: "The `state` of the files and functions as they are now." }),
        next: z.string().nullable(),
      }),
    ),
    ...errors(400),
  },
});

const get = apiRoute({
  method: "get",
  path: "/api/deployments/{id}",
  operationId: "getDeployment",
  etag: true,
  tags,
  summary: "Get a deployment",
  request: { params },
  responses: { 200: answer("The deployment.", z.object({ deployment: deploymentSchema })), ...errors(400, 404, 409) },
});

const rollBack = apiRoute({
  method: "post",
  path: "/api/deployments/{id}/rollback",
  operationId: "rollBackDeployment",
  tags,
  summary: "Make the files and functions that a deployment left live again",
  description: "This is a new deployment, with the same checks. Secrets, groups and keys stay as they are.",
  request: { params, body: { ...json(newRollback), required: false } },
  responses: {
    200: answer("With `dryRun`: what would change, and what would stop it.", rehearsed),
    201: answer("It is deployed.", deployed),
    ...errors(400, 404, 409, 412, 413, 415, 422),
  },
});

export function addDeployments(api: Api, { deployments }: ApiDeps): void {
  api.openapi(create, async (c) => {
    const { dryRun, ...request } = c.req.valid("json");
    if (dryRun) return c.json(shownRehearsal(await deployments.rehearse(request)), 200);
    return c.json(shownDeployed(await deployments.deploy(c.get("actor"), request)), 201);
  });

  api.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const live = await deployments.liveState();
    const page = deployments.list(cursor, limit);
    const next = page.next === undefined ? null : beforeCursor(page.next);
    return c.json({ deployments: page.deployments.map(shown), live, next }, 200);
  });

  api.openapi(get, (c) => {
    const deployment = shown(deployments.get(c.req.valid("param").id));
    tag(c, versionOf(deployment));
    return c.json({ deployment }, 200);
  });

  api.openapi(rollBack, async (c) => {
    const { id } = c.req.valid("param");
    const { dryRun, ...request } = c.req.valid("json");
    if (dryRun) return c.json(shownRehearsal(await deployments.rehearseRollback(id, request)), 200);
    return c.json(shownDeployed(await deployments.rollBack(c.get("actor"), id, request)), 201);
  });
}

export function shownDeployed({ deployment, problems, warnings }: { deployment: Deployment } & DeploymentFindings) {
  return { deployment: shown(deployment), problems: [...problems], warnings: [...warnings] };
}

export function shownRehearsal({ plan, problems, warnings }: Rehearsal): z.infer<typeof rehearsed> {
  return { plan: shownPlan(plan), problems: [...problems], warnings: [...warnings] };
}

function shown({ id, version, at, author, message, plan, rollbackOf, state }: Deployment) {
  return {
    id,
    version: version ?? null,
    at: time(at),
    actor: author,
    message,
    rollbackOf: rollbackOf ?? null,
    state,
    plan: shownPlan(plan),
  };
}

function shownPlan({ files, functions }: Deployment["plan"]): z.infer<typeof planSchema> {
  const part = ({ created, changed, deleted, unchanged }: Deployment["plan"]["files"]) => ({
    created: [...created],
    changed: [...changed],
    deleted: [...deleted],
    unchanged,
  });
  return { files: part(files), functions: part(functions) };
}
