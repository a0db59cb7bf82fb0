// Implements /api/mail-server and /api/mail-recipients.

import { z } from "@hono/zod-openapi";
import {
  type MailRecipients,
  mailRecipientsVersion,
  type MailServer,
  mailServerVersion,
} from "../../core/announcements/mail/mail.ts";
import type { MailRecipientsId } from "../../ids.ts";
import type { DeliveryRow } from "../../store/deliveries.ts";
import { answer, errors, idParams, json, SUCCESS, successSchema, time } from "../inputs/fields.ts";
import {
  mailDeliverySchema,
  mailRecipientsChange,
  mailRecipientsSchema,
  mailServerSchema,
  newMailRecipients,
  newMailServer,
} from "../inputs/mail_schemas.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute, ifMatch, tag } from "./route.ts";
import { shownDelivery } from "./webhooks.ts";

const tags = ["Mail"];
const params = idParams<MailRecipientsId>();

const getServer = apiRoute({
  method: "get",
  path: "/api/mail-server",
  operationId: "getMailServer",
  etag: true,
  tags,
  summary: "Get the mail server, without its password",
  responses: { 200: answer("The mail server.", z.object({ server: mailServerSchema.nullable() })), ...errors() },
});

const setServer = apiRoute({
  method: "put",
  path: "/api/mail-server",
  operationId: "setMailServer",
  etag: true,
  conditional: true,
  tags,
  summary: "Set the mail server",
  request: { body: json(newMailServer) },
  responses: {
    200: answer("The mail server was set.", z.object({ server: mailServerSchema })),
    ...errors(400, 409, 413, 415),
  },
});

const removeServer = apiRoute({
  method: "delete",
  path: "/api/mail-server",
  operationId: "removeMailServer",
  conditional: true,
  tags,
  summary: "Remove the mail server and its password",
  responses: { 200: answer("The mail server was removed.", successSchema), ...errors(404) },
});

const list = apiRoute({
  method: "get",
  path: "/api/mail-recipients",
  operationId: "listMailRecipients",
  tags,
  summary: "List the sets of recipients of mail",
  responses: { 200: answer("All sets.", z.object({ recipients: z.array(mailRecipientsSchema) })), ...errors() },
});

const create = apiRoute({
  method: "post",
  path: "/api/mail-recipients",
  operationId: "createMailRecipients",
  etag: true,
  tags,
  summary: "Create a set of recipients of mail",
  request: { body: json(newMailRecipients) },
  responses: {
    201: answer("The new set.", z.object({ recipients: mailRecipientsSchema })),
    ...errors(400, 409, 413, 415),
  },
});

const get = apiRoute({
  method: "get",
  path: "/api/mail-recipients/{id}",
  operationId: "getMailRecipients",
  etag: true,
  tags,
  summary: "Get a set of recipients, with its last deliveries",
  request: { params },
  responses: {
    200: answer(
      "The set.",
      z.object({ recipients: mailRecipientsSchema, deliveries: z.array(mailDeliverySchema) }),
    ),
    ...errors(400, 404),
  },
});

const update = apiRoute({
  method: "put",
  path: "/api/mail-recipients/{id}",
  operationId: "updateMailRecipients",
  etag: true,
  conditional: true,
  tags,
  summary: "Change a set of recipients",
  request: { params, body: json(mailRecipientsChange) },
  responses: { 200: answer("The set was changed.", successSchema), ...errors(400, 404, 413, 415) },
});

const remove = apiRoute({
  method: "delete",
  path: "/api/mail-recipients/{id}",
  operationId: "deleteMailRecipients",
  conditional: true,
  tags,
  summary: "Delete a set of recipients, and the deliveries that wait",
  request: { params },
  responses: { 200: answer("The set was deleted.", successSchema), ...errors(400, 404) },
});

const test = apiRoute({
  method: "post",
  path: "/api/mail-recipients/{id}/test",
  operationId: "testMailRecipients",
  tags,
  summary: "Send a test to each recipient of a set, once",
  request: { params },
  responses: {
    200: answer("What came of it.", z.object({ deliveries: z.array(mailDeliverySchema) })),
    ...errors(400, 404),
  },
});

export function addMail(api: Api, { mail, deliveries, commit }: ApiDeps): void {
  api.openapi(getServer, (c) => {
    const server = mail.server();
    if (server) tag(c, mailServerVersion(server));
    return c.json({ server: server ? shownServer(server) : null }, 200);
  });

  api.openapi(setServer, async (c) => {
    const server = await commit(() => mail.setServer(c.get("actor"), c.req.valid("json"), ifMatch(c)));
    tag(c, mailServerVersion(server));
    return c.json({ server: shownServer(server) }, 200);
  });

  api.openapi(removeServer, async (c) => {
    await commit(() => mail.removeServer(c.get("actor"), ifMatch(c)));
    return c.json(SUCCESS, 200);
  });

  api.openapi(list, (c) => c.json({ recipients: mail.list().map(shown) }, 200));

  api.openapi(create, async (c) => {
    const recipients = await commit(() => mail.create(c.get("actor"), c.req.valid("json")));
    tag(c, mailRecipientsVersion(recipients));
    return c.json({ recipients: shown(recipients) }, 201);
  });

  api.openapi(get, (c) => {
    const recipients = mail.get(c.req.valid("param").id);
    tag(c, mailRecipientsVersion(recipients));
    return c.json({
      recipients: shown(recipients),
      deliveries: mail.deliveries(recipients.id).map(shownMail),
    }, 200);
  });

  api.openapi(update, async (c) => {
    const { id } = c.req.valid("param");
    const recipients = await commit(() => mail.update(c.get("actor"), id, c.req.valid("json"), ifMatch(c)));
    tag(c, mailRecipientsVersion(recipients));
    return c.json(SUCCESS, 200);
  });

  api.openapi(remove, async (c) => {
    await commit(() => mail.delete(c.get("actor"), c.req.valid("param").id, ifMatch(c)));
    return c.json(SUCCESS, 200);
  });

  api.openapi(test, async (c) => {
    const { id } = mail.get(c.req.valid("param").id);
    const rows = await deliveries.test({ channel: "mail", receiverId: id });
    return c.json({ deliveries: rows.map(shownMail) }, 200);
  });
}

function shownServer({ sender, updatedAt, ...rest }: MailServer): z.infer<typeof mailServerSchema> {
  return { ...rest, from: sender, updatedAt: time(updatedAt) };
}

function shown({ id, addresses, events, createdAt, updatedAt }: MailRecipients): z.infer<typeof mailRecipientsSchema> {
  return {
    id,
    addresses: [...addresses],
    events: [...events],
    createdAt: time(createdAt),
    updatedAt: time(updatedAt),
  };
}

function shownMail(row: DeliveryRow): z.infer<typeof mailDeliverySchema> {
  return { recipient: row.recipient, ...shownDelivery(row) };
}
