// Sends announcements by mail.

import type { MailRecipientsId } from "../../../ids.ts";
import { mailServerAad } from "../../../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../../../keyring/keyring.ts";
import type { SecretValue } from "../../../keyring/secret_value.ts";
import type { Store } from "../../../store/store.ts";
import type { Attempt, Channel, Message } from "../channel.ts";
import { plainProblem } from "./mail.ts";
import { mailContent, mailText } from "./text.ts";
import { sendMail } from "./smtp.ts";

export interface MailChannelOptions {
  readonly store: Pick<Store, "mail">;
  readonly keyring: Keyring;
  readonly now: () => number;
  /** Hosts that may be given mail without encryption. */
  readonly plainHosts: () => readonly string[];
  /** Largest number of mails to one address within an hour. */
  readonly maxPerHour: () => number;
  /** Origin of the pages; empty if it is not known. */
  readonly publicUrl: () => string;
}

/** Deliveries in one mail. */
const TOGETHER_MAX = 1_000;

export function createMailChannel(options: MailChannelOptions): Channel {
  const { store: { mail }, maxPerHour } = options;
  const find = (id: number) => mail.find(id as MailRecipientsId);
  return {
    name: "mail",
    // What happens meanwhile goes in the next one.
    atOnceEach: 1,
    together: TOGETHER_MAX,
    perHour: maxPerHour,
    test: (recipientsId) => ({ type: "mail.test", data: { recipientsId } }),
    recipients: (id) => find(id)?.addresses ?? [],
    attempt: (messages, signal) => attempt(options, messages, signal),
    failed: "mail.failed",
    subject: (id) => ({ kind: "mail-recipients", id, name: find(id)?.addresses.join(", ") ?? "" }),
  };
}

async function attempt(
  { store: { mail }, keyring, now, plainHosts, publicUrl }: MailChannelOptions,
  messages: readonly Message[],
  signal: AbortSignal,
): Promise<Attempt> {
  const { receiverId, recipient, messageId, createdAt } = messages[0]!;
  const server = mail.server();
  if (!server) return { status: null, problem: "There is no mail server, or its settings were altered." };
  const refusal = plainProblem(server, plainHosts());
  if (refusal) return { status: null, problem: `The encryption of the mail server ${refusal}.` };
  if (!mail.find(receiverId as MailRecipientsId)?.addresses.includes(recipient)) {
    return { status: null, problem: "It is no longer one of the recipients, or these were altered.", isFinal: true };
  }
  let password: SecretValue | undefined;
  try {
    if (server.ciphertext !== null) password = keyring.open(server.ciphertext, mailServerAad(server));
  } catch (error) {
    if (!(error instanceof DecryptionError)) throw error;
  }
  if (server.user !== null && !password) return { status: null, problem: "The password cannot be read." };
  const { subject, text } = mailText({ messages, publicUrl: publicUrl(), recipientsId: receiverId });
  const content = await mailContent({
    from: server.sender,
    to: recipient,
    subject,
    text,
    // The same in each attempt, unless there is more to say: mailboxes recognize a second copy.
    messageId: `${messageId}.${messages.length}.${receiverId}@${server.sender.split("@").at(-1)}`,
    date: new Date(messages.length === 1 ? createdAt : now()),
  });
  return await sendMail({ server, password, recipient, content }, signal);
}
