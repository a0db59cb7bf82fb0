// Writes mail about announcements: plain text, with a subject that says what happened.

import { Buffer } from "node:buffer";
import { oneLine } from "../../../text.ts";
import type { Message } from "../channel.ts";

/** Characters of a name, and of any other text. */
const NAME_MAX = 80;
const TEXT_MAX = 500;
const SUBJECT_MAX = 200;
/** Announcements of one mail that are written out; the others are counted. */
const SHOWN_MAX = 50;

// deno-lint-ignore no-explicit-any
type Data = Readonly<Record<string, any>>;

interface Kind {
  /** A sentence without its full stop. */
  readonly sentence: (data: Data) => string;
  /** The path of the page that shows it. */
  readonly page: (data: Data) => string;
}

const functionPage = ({ functionId }: Data) => functionId ? `/web/functions/${functionId}` : "/web/audit";
const named = (name: unknown): string => short(name, NAME_MAX);

/** By the type of an announcement. */
const KINDS: Readonly<Record<string, Kind>> = {
  "secret.due": {
    sentence: ({ name, scope, ownerName }) =>
      `The secret ${named(name)} (${scope}${ownerName ? ` ${named(ownerName)}` : ""}) is due for a new value`,
    page: ({ secretId }) => `/web/secrets/${secretId}/edit`,
  },
  "secret.leaked": {
    sentence: ({ functionName, secrets, blocked, count }) =>
      count
        ? `${count} more responses of several functions held values of secrets`
        : `A response of the function ${named(functionName)} held ${secrets.slice(0, 3).map(named).join(", ")}${
          secrets.length > 3 ? ` and ${secrets.length - 3} more` : ""
        }${blocked ? ", and was blocked" : ""}`,
    page: functionPage,
  },
  "secret.canary": {
    sentence: ({ name, how, host, functionName, revealedTo, count }) => {
      if (count) return `Several canaries were read, sent out or revealed ${count} more times`;
      const who = functionName
        ? ` by the function ${named(functionName)}`
        : revealedTo?.name
        ? ` to ${named(revealedTo.name)}`
        : "";
      return `The canary ${named(name)} was ${canaryWords(how, host)}${who}`;
    },
    page: ({ secretId }) => secretId ? `/web/secrets/${secretId}/history` : "/web/audit",
  },
  "function.failing": {
    sentence: ({ functionName, calls, failures }) =>
      `The function ${named(functionName)} is failing: ${failures} of ${calls} calls within an hour`,
    page: functionPage,
  },
  "function.suspended": {
    sentence: ({ functionName, functionId }) =>
      `The function ${named(functionName ?? functionId)} is suspended, as its processes keep dying`,
    page: functionPage,
  },
  "key.expiring": {
    sentence: ({ keyName, expiresAt }) => `The API key ${named(keyName)} expires on ${day(expiresAt)}`,
    page: ({ keyId }) => `/web/keys/${keyId}`,
  },
  "key.unused": {
    sentence: ({ keyName, lastUsedAt, createdAt }) =>
      `The API key ${named(keyName)} ${
        lastUsedAt ? `was last used on ${day(lastUsedAt)}` : `was not used since it was created on ${day(createdAt)}`
      }`,
    page: ({ keyId }) => `/web/keys/${keyId}`,
  },
  "sign-in.new-place": {
    sentence: ({ email, address }) => `${named(email)} signed in from a new place, ${named(address)}`,
    page: ({ userId }) => `/web/users/${userId}`,
  },
  "rotation.failed": {
    sentence: () => "A rotation of the encryption keys failed",
    page: () => "/web/settings/encryption",
  },
  "backup.old": {
    sentence: ({ lastBackupAt }) =>
      lastBackupAt ? `The last backup is of ${day(lastBackupAt)}` : "There is no backup yet",
    page: () => "/web/audit?action=backup.*",
  },
  "mail.test": {
    sentence: () => "This is a test",
    page: ({ recipientsId }) => `/web/announcements/mail/${recipientsId}`,
  },
};

export interface MailTextOptions {
  readonly messages: readonly Pick<Message, "type" | "body">[];
  /** Origin of the pages, such as `https://functions.example.com`; empty if it is not known. */
  readonly publicUrl: string;
  /** The set of recipients. */
  readonly recipientsId: number;
}

/** Returns the subject and the text for messages, of which there is at least one. */
export function mailText({ messages, publicUrl, recipientsId }: MailTextOptions): { subject: string; text: string } {
  const origin = publicUrl === "" ? undefined : new URL(publicUrl);
  const parsed = messages.map(({ type, body }) => ({ type, ...JSON.parse(body) as { timestamp: string; data: Data } }));
  const counts = Map.groupBy(parsed, ({ type }) => type);
  const what = parsed.length === 1
    ? sentenceOf(parsed[0]!)
    : `${parsed.length} announcements: ${[...counts].map(([type, { length }]) => `${type} (${length})`).join(", ")}`;
  const shown = parsed.slice(0, SHOWN_MAX).map(({ type, timestamp, data }) => {
    const facts = Object.entries({ type, timestamp, ...data })
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([name, value]) => `  ${name}: ${short(value, TEXT_MAX)}`);
    const page = origin && KINDS[type] && [`  ${new URL(KINDS[type].page(data), origin)}`];
    return [`${sentenceOf({ type, data })}.`, "", ...facts, ...page ?? []].join("\n");
  });
  const rest = parsed.length - shown.length;
  const more = rest > 0 ? [`And ${rest} more, which are in the audit or on the pages.`] : [];
  const settings = origin ? new URL(`/web/announcements/mail/${recipientsId}`, origin) : "the page Announcements";
  return {
    subject: short(`[${origin?.host ?? "Crude Functions"}] ${what}`, SUBJECT_MAX),
    text: [...shown, ...more, `-- \nWho receives what: ${settings}`].join("\n\n") + "\n",
  };
}

function sentenceOf({ type, data }: { type: string; data: Data }): string {
  return KINDS[type]?.sentence(data) ?? type;
}

/** Says what was done with a canary: `by` someone follows. */
function canaryWords(how: string, host: unknown): string {
  switch (how) {
    case "sent":
      return "sent out";
    case "sent-to-host":
      return `sent to the host ${named(host)}`;
    case "blocked":
      return `withheld from a request to the host ${named(host)}`;
    default:
      return how;
  }
}

function day(time: string): string {
  return time.slice(0, 10);
}

/** Returns a value on one line, without characters that could end a header or turn text around. */
function short(value: unknown, max: number): string {
  const text = oneLine(typeof value === "string" ? value : JSON.stringify(value) ?? "").replaceAll("\t", " ");
  // Not within a surrogate pair.
  const points = [...text];
  return points.length <= max ? text : `${points.slice(0, max - 1).join("")}…`;
}

export interface MailHeaders {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** Without the angle brackets. */
  readonly messageId: string;
  readonly date: Date;
}

/** Returns a message as it is sent. */
export async function mailContent({ from, to, subject, text, messageId, date }: MailHeaders): Promise<Uint8Array> {
  // Loaded by servers that send mail only.
  const { default: MimeNode } = await import("nodemailer/lib/mime-node");
  const node = new MimeNode("text/plain; charset=utf-8", { disableFileAccess: true, disableUrlAccess: true });
  node.setHeader({
    From: from,
    To: to,
    Subject: subject,
    Date: date.toUTCString().replace("GMT", "+0000"),
    "Message-ID": `<${messageId}>`,
    // RFC 3834: no mailbox answers it by a notice of absence.
    "Auto-Submitted": "auto-generated",
  });
  node.setContent(text.replaceAll("\n", "\r\n"));
  return Buffer.from(await node.build());
}
