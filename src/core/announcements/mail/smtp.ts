// Hands one message to a mail server by SMTP, and says what came of it in words of this program: what a server answers
// is neither shown nor stored, except for its status, as anyone who sets the host could otherwise read from it.

import { Buffer } from "node:buffer";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { SecretValue } from "../../../keyring/secret_value.ts";
import type { MailServerRow } from "../../../store/mail.ts";
import type { Attempt } from "../channel.ts";

/** Longest time until the server is connected, greets, or continues. */
const STEP_MS = 15_000;
/** Longest time for all of it. */
const TOTAL_MS = 60_000;
const RESPONSE_MAX_BYTES = 65_536;

export type MailServerAddress = Pick<MailServerRow, "host" | "port" | "tls" | "ca" | "user" | "sender">;

export interface Mail {
  readonly server: MailServerAddress;
  /** Undefined without a user. */
  readonly password: SecretValue | undefined;
  readonly recipient: string;
  /** With its headers. */
  readonly content: Uint8Array;
}

/** Sends a message. Never throws. */
export async function sendMail(
  mail: Mail,
  signal: AbortSignal,
  { stepMs, totalMs } = { stepMs: STEP_MS, totalMs: TOTAL_MS },
): Promise<Attempt> {
  // Loaded by servers that send mail only.
  const { default: Connection } = await import("nodemailer/lib/smtp-connection");
  const { server: { host, port, tls, ca } } = mail;
  const connection = new Connection({
    host,
    port,
    secure: tls === "implicit",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    tls: { minVersion: "TLSv1.2", ...ca !== null && { ca: [ca] } },
    connectionTimeout: stepMs,
    greetingTimeout: stepMs,
    socketTimeout: stepMs,
    dnsTimeout: stepMs,
    socketCloseTimeout: 0,
    maxResponseSize: RESPONSE_MAX_BYTES,
  });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  connection.on("error", failed.reject);
  connection.once("end", () => failed.reject(Object.assign(new Error("closed"), { code: "ECONNECTION" })));
  const timeout = setTimeout(() => failed.reject(Object.assign(new Error("late"), { code: "ETIMEDOUT" })), totalMs);
  const stop = () => failed.reject(new Error("stopped"));
  signal.addEventListener("abort", stop);
  try {
    await Promise.race([transmit(connection, mail), failed.promise]);
    return { status: 250, problem: null };
  } catch (error) {
    return failure(error as SmtpError);
  } finally {
    clearTimeout(timeout);
    signal.removeEventListener("abort", stop);
    connection.close();
  }
}

async function transmit(connection: SMTPConnection, { server, password, recipient, content }: Mail): Promise<void> {
  await called((done) => connection.connect(done));
  if (server.user !== null) {
    const credentials = { user: server.user, pass: password!.reveal() };
    await called((done) => connection.login({ credentials }, done));
  }
  const envelope = { from: server.sender, to: [recipient], size: content.length };
  await called((done) => connection.send(envelope, Buffer.from(content), done));
}

/** Awaits what nodemailer reports by a callback. */
function called(begin: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => begin((error) => error ? reject(error) : resolve()));
}

/** What nodemailer says about an error: https://nodemailer.com/smtp */
interface SmtpError extends Error {
  readonly code?: string;
  readonly command?: string;
  readonly responseCode?: number;
}

function failure({ code, command = "", responseCode, message }: SmtpError): Attempt {
  const status = responseCode ?? null;
  const answer = (what: string): string =>
    status === null ? `The mail server refused ${what}.` : `The mail server refused ${what} with ${status}.`;
  const isPermanent = status !== null && status >= 500;
  if (/certificate|unknownissuer|UnknownCA/i.test(message)) {
    return { status: null, problem: "The certificate of the mail server is not trusted." };
  }
  switch (code) {
    case "EAUTH":
      // Another password may be set before the day is over.
      return { status, problem: answer("the user or the password") };
    case "EENVELOPE":
      if (command.startsWith("RCPT")) return { status, problem: answer("the recipient"), isFinal: isPermanent };
      return { status, problem: answer("the sender") };
    case "EMESSAGE":
      return { status, problem: answer("the message"), isFinal: isPermanent };
    case "ETLS":
      return { status: null, problem: "The mail server offers no encryption by STARTTLS, or it failed." };
    case "ETIMEDOUT":
      return { status: null, problem: "The mail server did not answer in time." };
    case "EDNS":
      return { status: null, problem: "The name of the mail server is not known." };
    case "EPROTOCOL":
      return { status, problem: status === null ? "The mail server does not speak SMTP." : answer("the connection") };
    default:
      return { status, problem: "The mail server could not be reached, or closed the connection." };
  }
}
