// Defines the schemas of /api/webhooks.

import { z } from "@hono/zod-openapi";
import { TYPES } from "../../core/announcements/events.ts";
import { body, changes, idSchema, mustBe, text, timeSchema } from "./fields.ts";

const URL_MAX_LENGTH = 2_000;

const type = z.enum(TYPES, `must be some of ${TYPES.join(", ")}`);

export const eventsField = z.array(type, mustBe("a list")).min(1, "must name at least one event")
  .transform((events) => TYPES.filter((type) => events.includes(type)))
  .openapi({ description: "What it receives.", example: ["secret.due"] });

const shape = {
  url: text().min(1, "must not be empty").max(URL_MAX_LENGTH, `must have at most ${URL_MAX_LENGTH} characters`)
    .openapi({
      description: "Begins with `https:`, or is on a host of the setting `webhooks.http-hosts`.",
      example: "https://hooks.example.com/crude",
    }),
  events: eventsField,
};

export const newWebhook = body(shape).openapi("NewWebhook");

export const webhookChange = changes({ url: shape.url.optional(), events: shape.events.optional() })
  .openapi("WebhookChange");

export const webhookSchema = z.object({
  id: idSchema,
  url: z.string(),
  events: z.array(z.enum(TYPES)),
  createdAt: timeSchema,
  updatedAt: timeSchema,
}).openapi("Webhook");

export const deliveryShape = {
  messageId: z.string().openapi({ description: "The header `webhook-id`." }),
  type: z.string(),
  createdAt: timeSchema,
  state: z.enum(["waiting", "delivered", "failed"]),
  attempts: z.int(),
  triedAt: timeSchema.nullable(),
  nextAt: timeSchema.nullable().openapi({ description: "When it is tried again." }),
  status: z.int().nullable().openapi({ description: "HTTP status of the last answer." }),
  problem: z.string().nullable().openapi({ description: "What went wrong in the last attempt." }),
};

export const deliverySchema = z.object(deliveryShape).openapi("WebhookDelivery");
