// Implements /api/webhooks.

import { z } from "@hono/zod-openapi";
import { type Webhook, webhookVersion } from "../../core/announcements/webhooks.ts";
import type { WebhookId } from "../../ids.ts";
import { deliveryState } from "../inputs/deliveries.ts";
import { answer, errors, idParams, json, SUCCESS, successSchema, time } from "../inputs/fields.ts";
import { deliverySchema, newWebhook, webhookChange, webhookSchema } from "../inputs/webhook_schemas.ts";
import type { DeliveryRow } from "../../store/deliveries.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute, ifMatch, tag } from "./route.ts";

const tags = ["Webhooks"];
const params = idParams<WebhookId>();

const list = apiRoute({
  method: "get",
  path: "/api/webhooks",
  operationId: "listWebhooks",
  tags,
  summary: "List webhooks",
  responses: { 200: answer("All webhooks.", z.object({ webhooks: z.array(webhookSchema) })), ...errors() },
});

const create = apiRoute({
  method: "post",
  path: "/api/webhooks",
  operationId: "createWebhook",
  etag: true,
  tags,
  summary: "Create a webhook",
  description: "The answer has the secret that signs, which is not shown again.",
  request: { body: json(newWebhook) },
  responses: {
    201: answer("The new webhook.", z.object({ webhook: webhookSchema, secret: z.string() })),
    ...errors(400, 409, 413, 415),
  },
});

const get = apiRoute({
  method: "get",
  path: "/api/webhooks/{id}",
  operationId: "getWebhook",
  etag: true,
  tags,
  summary: "Get a webhook, with its last deliveries",
  request: { params },
  responses: {
    200: answer("The webhook.", z.object({ webhook: webhookSchema, deliveries: z.array(deliverySchema) })),
    ...errors(400, 404),
  },
});

const update = apiRoute({
  method: "put",
  path: "/api/webhooks/{id}",
  operationId: "updateWebhook",
  etag: true,
  conditional: true,
  tags,
  summary: "Change a webhook",
  request: { params, body: json(webhookChange) },
  responses: { 200: answer("The webhook was changed.", successSchema), ...errors(400, 404, 413, 415) },
});

const remove = apiRoute({
  method: "delete",
  path: "/api/webhooks/{id}",
  operationId: "deleteWebhook",
  conditional: true,
  tags,
  summary: "Delete a webhook, and the deliveries that wait",
  request: { params },
  responses: { 200: answer("The webhook was deleted.", successSchema), ...errors(400, 404) },
});

const test = apiRoute({
  method: "post",
  path: "/api/webhooks/{id}/test",
  operationId: "testWebhook",
  tags,
  summary: "Send a test to a webhook, once",
  request: { params },
  responses: {
    200: answer("What came of it.", z.object({ delivery: deliverySchema })),
    ...errors(400, 404),
  },
});

export function addWebhooks(api: Api, { webhooks, deliveries, commit }: ApiDeps): void {
  api.openapi(list, (c) => c.json({ webhooks: webhooks.list().map(shown) }, 200));

  api.openapi(create, async (c) => {
    const { webhook, secret } = await commit(() => webhooks.create(c.get("actor"), c.req.valid("json")));
    tag(c, webhookVersion(webhook));
    return c.json({ webhook: shown(webhook), secret: secret.reveal() }, 201);
  });

  api.openapi(get, (c) => {
    const webhook = webhooks.get(c.req.valid("param").id);
    tag(c, webhookVersion(webhook));
    return c.json({ webhook: shown(webhook), deliveries: webhooks.deliveries(webhook.id).map(shownDelivery) }, 200);
  });

  api.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    const webhook = await commit(() => webhooks.update(c.get("actor"), id, c.req.valid("json"), ifMatch(c)));
    tag(c, webhookVersion(webhook));
    return c.json(SUCCESS, 200);
  });

  api.openapi(remove, async (c) => {
    await commit(() => webhooks.delete(c.get("actor"), c.req.valid("param").id, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });

  api.openapi(test, async (c) => {
    const { id } = webhooks.get(c.req.valid("param").id);
    const [row] = await deliveries.test({ channel: "webhook", receiverId: id });
    return c.json({ delivery: shownDelivery(row!) }, 200);
  });
}

function shown({ createdAt, updatedAt, events, ...rest }: Webhook): z.infer<typeof webhookSchema> {
  return { ...rest, events: [...events], createdAt: time(createdAt), updatedAt: time(updatedAt) };
}

export function shownDelivery(row: DeliveryRow): z.infer<typeof deliverySchema> {
  const { messageId, type, createdAt, attempts, triedAt, nextAt, status, problem } = row;
  return {
    messageId,
    type,
    createdAt: time(createdAt),
    state: deliveryState(row),
    attempts,
    triedAt: triedAt === null ? null : time(triedAt),
    nextAt: nextAt === null ? null : time(nextAt),
    status,
    problem,
  };
}
