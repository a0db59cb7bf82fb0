// Manages the mail server and the recipients of mail.

import { X509Certificate } from "node:crypto";
import type { Actor, Recorder } from "../../../actor.ts";
import { conflict, invalid, notFound } from "../../../errors.ts";
import type { MailRecipientsId } from "../../../ids.ts";
import { mailServerAad } from "../../../keyring/aad.ts";
import type { Keyring } from "../../../keyring/keyring.ts";
import type { DeliveryRow } from "../../../store/deliveries.ts";
import { MAIL_SERVER_ID, type MailRecipientsRow, type MailServerRow, type MailTls } from "../../../store/mail.ts";
import type { Store } from "../../../store/store.ts";
import { type ExpectedVersions, nextChangeTime, requireVersion, type Version, versionOf } from "../../../versions.ts";
import type { AnnouncementType } from "../events.ts";

const RECIPIENTS_MAX = 20;
/** Deliveries shown with a set of recipients. */
const SHOWN_DELIVERIES = 50;

/** Ports by the kind of encryption: RFC 8314 and RFC 6409, and RFC 5321 without any. */
export const MAIL_PORTS: Readonly<Record<MailTls, number>> = { starttls: 587, implicit: 465, none: 25 };

/** Times in milliseconds since 1970 UTC. */
export interface MailServer extends Omit<MailServerRow, "ciphertext"> {
  readonly hasPassword: boolean;
}

export interface MailServerInput extends Omit<MailServerRow, "ciphertext" | "updatedAt"> {
  /** Undefined: the one that is stored. */
  readonly password?: string | undefined;
}

export interface MailRecipients extends Omit<MailRecipientsRow, "events"> {
  readonly events: readonly AnnouncementType[];
}

export interface MailRecipientsInput {
  readonly addresses: readonly string[];
  readonly events: readonly AnnouncementType[];
}

export interface MailService {
  /** Returns the mail server; undefined if there is none, or its row was altered. */
  server(): MailServer | undefined;
  /** @throws AppError InvalidInput (400), PreconditionFailed (412), TamperedRow (409) */
  setServer(actor: Actor, input: MailServerInput, expected?: ExpectedVersions): MailServer;
  /** @throws AppError NotFound (404), PreconditionFailed (412) */
  removeServer(actor: Actor, expected?: ExpectedVersions): void;

  list(): MailRecipients[];
  /** @throws AppError NotFound (404) */
  get(id: MailRecipientsId): MailRecipients;
  /** Returns the last deliveries, newest first. */
  deliveries(id: MailRecipientsId): DeliveryRow[];
  /** @throws AppError Conflict (409) */
  create(actor: Actor, input: MailRecipientsInput): MailRecipients;
  /** @throws AppError NotFound (404), PreconditionFailed (412) */
  update(
    actor: Actor,
    id: MailRecipientsId,
    change: Partial<MailRecipientsInput>,
    expected?: ExpectedVersions,
  ): MailRecipients;
  /** @throws AppError NotFound (404), PreconditionFailed (412) */
  delete(actor: Actor, id: MailRecipientsId, expected?: ExpectedVersions): void;
}

export interface MailOptions {
  readonly store: Pick<Store, "mail" | "deliveries" | "change" | "isAltered">;
  readonly keyring: Keyring;
  readonly record: Recorder;
  readonly now: () => number;
  /** Hosts that may be given mail without encryption. */
  readonly plainHosts: () => readonly string[];
}

/** Longer than 80 lines: it makes one object of all changes. */
export function createMail({ store, keyring, record, now, plainHosts }: MailOptions): MailService {
  const { mail, deliveries } = store;
  const receiver = (id: MailRecipientsId) => ({ channel: "mail", receiverId: id }) as const;
  const find = (id: MailRecipientsId): MailRecipients => {
    const row = mail.find(id);
    if (!row) throw notFound("set of recipients", id);
    return row as MailRecipients;
  };
  const subject = ({ id, addresses }: MailRecipients) => ({ kind: "mail-recipients", id, name: addresses.join(", ") });
  const serverSubject = (host: string) => ({ kind: "mail-server", id: null, name: host });

  return {
    server() {
      const row = mail.server();
      return row && toServer(row);
    },

    setServer: (actor, { password, ...input }, expected) =>
      store.change(actor, () => {
        const before = mail.server();
        requireVersion(expected, before && mailServerVersion(toServer(before)), "the mail server");
        checkServer(input, password, plainHosts());
        const ciphertext = password === undefined
          ? keptPassword(input, before)
          : keyring.seal(password, mailServerAad(input));
        mail.putServer({ ...input, ciphertext, updatedAt: nextChangeTime(now(), before?.updatedAt ?? 0) });
        const after = mail.server()!;
        record(actor, {
          action: "mail-server.set",
          subject: serverSubject(after.host),
          before: before && serverFacts(before),
          after: { ...serverFacts(after), ...password !== undefined && { password: "changed" } },
        });
        return toServer(after);
      }),

    removeServer: (actor, expected) =>
      store.change(actor, () => {
        // An altered one can be removed.
        const before = mail.server();
        if (!before && !store.isAltered("mail_server", MAIL_SERVER_ID)) throw noMailServer();
        requireVersion(expected, before && mailServerVersion(toServer(before)), "the mail server");
        mail.deleteServer();
        record(actor, {
          action: "mail-server.removed",
          subject: serverSubject(before?.host ?? ""),
          before: before && serverFacts(before),
        });
      }),

    list: () => mail.list() as MailRecipients[],
    get: find,
    deliveries: (id) => deliveries.list(receiver(id), SHOWN_DELIVERIES),

    create: (actor, { addresses, events }) =>
      store.change(actor, () => {
        if (mail.list().length >= RECIPIENTS_MAX) {
          throw conflict(`There are ${RECIPIENTS_MAX} sets of recipients already. Delete one first.`);
        }
        const at = now();
        const made = find(mail.insert({ addresses, events, createdAt: at, updatedAt: at }));
        record(actor, { action: "mail-recipients.created", subject: subject(made), after: { addresses, events } });
        return made;
      }),

    update: (actor, id, change, expected) =>
      store.change(actor, () => {
        const before = find(id);
        requireVersion(expected, mailRecipientsVersion(before), `the set of recipients ${id}`);
        const { addresses, events } = { ...before, ...change };
        mail.update(id, { addresses, events, updatedAt: nextChangeTime(now(), before.updatedAt) });
        const after = find(id);
        record(actor, {
          action: "mail-recipients.updated",
          subject: subject(after),
          before: { addresses: before.addresses, events: before.events },
          after: { addresses, events },
        });
        return after;
      }),

    delete: (actor, id, expected) =>
      store.change(actor, () => {
        // An altered one can be deleted.
        const before = store.isAltered("mail_recipients", id) ? undefined : find(id);
        requireVersion(expected, before && mailRecipientsVersion(before), `the set of recipients ${id}`);
        mail.delete(id);
        deliveries.deleteOf(receiver(id));
        record(actor, {
          action: "mail-recipients.deleted",
          subject: before ? subject(before) : { kind: "mail-recipients", id, name: "" },
          before: before && { addresses: before.addresses, events: before.events },
        });
      }),
  };
}

export function noMailServer() {
  return notFound("mail server", "");
}

export function mailServerVersion({ host, port, tls, ca, user, sender, hasPassword, updatedAt }: MailServer): Version {
  return versionOf([host, port, tls, ca, user, sender, hasPassword, updatedAt]);
}

export function mailRecipientsVersion({ addresses, events, updatedAt }: MailRecipients): Version {
  return versionOf([addresses, events, updatedAt]);
}

/** Returns what is wrong with the encryption of a mail server, or undefined; `plainHosts` need none. */
export function plainProblem(
  { host, port, tls }: Pick<MailServerRow, "host" | "port" | "tls">,
  plainHosts: readonly string[],
): string | undefined {
  if (tls !== "none" || plainHosts.includes(host) || plainHosts.includes(`${host}:${port}`)) return undefined;
  return "must be starttls or implicit, unless the setting mail.plain-hosts names the host";
}

function toServer({ ciphertext, ...row }: MailServerRow): MailServer {
  return { ...row, hasPassword: ciphertext !== null };
}

function serverFacts({ host, port, tls, ca, user, sender }: MailServerRow) {
  return { host, port, tls, hasCa: ca !== null, user, from: sender };
}

function checkServer(input: Omit<MailServerInput, "password">, password: string | undefined, plain: readonly string[]) {
  const refusal = plainProblem(input, plain);
  if (refusal) throw invalid("tls", refusal);
  if (input.user !== null && input.tls === "none") {
    throw invalid("user", "needs encryption: a password is not sent without");
  }
  if (input.user === null && password !== undefined) throw invalid("password", "needs a user");
  if (input.ca !== null && !isCertificate(input.ca)) throw invalid("ca", "must be certificates in PEM");
}

/** Returns the stored password's ciphertext. The password is to be given again if it could go elsewhere. */
function keptPassword(input: Omit<MailServerInput, "password">, before: MailServerRow | undefined): string | null {
  if (input.user === null) return null;
  if (before?.ciphertext == null) throw invalid("password", "is required with a user");
  const changed = (["host", "port", "tls", "ca", "user"] as const).filter((field) => input[field] !== before[field]);
  if (changed.length > 0) throw invalid("password", `must be given again, as ${changed.join(", ")} changed`);
  return before.ciphertext;
}

function isCertificate(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (pem.replaceAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g, "").trim() !== "") return false;
  try {
    return blocks.length > 0 && blocks.every((block) => new X509Certificate(block));
  } catch {
    return false;
  }
}
