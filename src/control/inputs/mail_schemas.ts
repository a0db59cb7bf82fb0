// Defines the schemas of /api/mail-server and /api/mail-recipients.

import { z } from "@hono/zod-openapi";
import { TYPES } from "../../core/announcements/events.ts";
import { MAIL_PORTS } from "../../core/announcements/mail/mail.ts";
import type { MailTls } from "../../store/mail.ts";
import { deliveryShape, eventsField } from "./webhook_schemas.ts";
import { body, changes, idSchema, mustBe, text, timeSchema } from "./fields.ts";

const ADDRESSES_MAX = 10;
const CA_MAX_LENGTH = 20_000;
const CREDENTIAL_MAX_LENGTH = 500;

/** Plain ASCII without quotes or comments, so that it can be nothing but one address in a header and in a command. */
const address = text()
  .max(254, "must have at most 254 characters")
  .regex(
    /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*$/,
    "must be an e-mail address such as ops@example.com",
  );

const host = text()
  .max(253, "must have at most 253 characters")
  .regex(
    /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$/,
    "must be a host name or an IP address, without a port",
  )
  .transform((host) => host.toLowerCase());

/** Commands of SMTP are lines. */
const credential = text()
  .min(1, "must not be empty")
  .max(CREDENTIAL_MAX_LENGTH, `must have at most ${CREDENTIAL_MAX_LENGTH} characters`)
  .refine((text) => !/\p{Cc}/u.test(text), "must not contain control characters or line breaks");

const portProblem = "must be a whole number from 1 to 65535";
const TLS = Object.keys(MAIL_PORTS) as [MailTls, ...MailTls[]];
const tlsField = z.enum(TLS, `must be ${TLS.join(", ")}`);
const distinct = (addresses: readonly string[]): boolean =>
  new Set(addresses.map((address) => address.toLowerCase())).size === addresses.length;

export const newMailServer = body({
  host: host.openapi({ example: "smtp.example.com" }),
  port: z.int(portProblem).min(1, portProblem).max(65_535, portProblem).optional()
    .openapi({ description: "587 for `starttls`, 465 for `implicit`, 25 for `none` if it is left out." }),
  tls: tlsField.default("starttls").openapi({
    description:
      "`starttls`: required, `implicit`: from the start, `none`: only for a host of the setting `mail.plain-hosts`.",
  }),
  ca: text().min(1, "must not be empty").max(CA_MAX_LENGTH, `must have at most ${CA_MAX_LENGTH} characters`)
    .transform((pem) => pem.trim())
    .nullable().default(null)
    .openapi({
      description:
        "Certificates in PEM; the server's must be signed by one of them. Null: by one that is trusted anyway.",
    }),
  user: credential.nullable().default(null),
  password: credential.optional().openapi({
    description: "May be left out if it is stored, and `host`, `port`, `tls`, `ca` and `user` stay as they are.",
  }),
  from: address.openapi({ example: "crude@example.com" }),
}).transform(({ port, from, ...rest }) => ({ ...rest, port: port ?? MAIL_PORTS[rest.tls], sender: from }))
  .openapi("NewMailServer");

export const mailServerSchema = z.object({
  host: z.string(),
  port: z.int(),
  tls: z.enum(TLS),
  ca: z.string().nullable(),
  user: z.string().nullable(),
  hasPassword: z.boolean(),
  from: z.string(),
  updatedAt: timeSchema,
}).openapi("MailServer");

const shape = {
  addresses: z.array(address, mustBe("a list")).min(1, "must name at least one address")
    .max(ADDRESSES_MAX, `must name at most ${ADDRESSES_MAX} addresses`)
    .refine(distinct, "must not name an address twice")
    .openapi({ description: "Each gets a mail of its own.", example: ["ops@example.com"] }),
  events: eventsField,
};

export const newMailRecipients = body(shape).openapi("NewMailRecipients");

export const mailRecipientsChange = changes({ addresses: shape.addresses.optional(), events: shape.events.optional() })
  .openapi("MailRecipientsChange");

export const mailRecipientsSchema = z.object({
  id: idSchema,
  addresses: z.array(z.string()),
  events: z.array(z.enum(TYPES)),
  createdAt: timeSchema,
  updatedAt: timeSchema,
}).openapi("MailRecipients");

export const mailDeliverySchema = z.object({
  recipient: z.string(),
  ...deliveryShape,
  messageId: z.string(),
  status: z.int().nullable().openapi({ description: "Status of the last answer by SMTP; 250 if it was taken." }),
}).openapi("MailDelivery");
