// A mail server for tests, on this machine: with TLS by the certificate of tests/fixtures/tls, a user and a password.

import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { SMTPServer } from "smtp-server";

const fixture = (name: string): string =>
  Deno.readTextFileSync(fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url)));

/** The certificate that signed the one of `localhost`. */
export const CA = fixture("ca.pem").trim();
export const USER = "crude";
export const PASSWORD = "a password of the mail server";

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  /** With its headers. */
  readonly content: string;
  readonly subject: string;
  readonly isEncrypted: boolean;
  readonly user: string | undefined;
}

export interface MailHost extends AsyncDisposable {
  readonly port: number;
  /** Mails that were taken, in the order of their arrival. */
  readonly mails: Mail[];
  /** Passwords that were tried. */
  readonly passwords: string[];
  /** Resolves with the mail at `index`, once it is there. */
  next(index?: number): Promise<Mail>;
  /** What it answers to recipients and to messages; undefined: it takes them. */
  answers: { recipient?: (address: string) => number | undefined; message?: () => number | undefined };
}

export interface MailHostOptions {
  readonly isImplicit?: boolean;
  readonly lacksTls?: boolean;
  readonly needsUser?: boolean;
}

export async function openMailHost(
  { isImplicit = false, lacksTls = false, needsUser = true }: MailHostOptions = {},
): Promise<MailHost> {
  const mails: Mail[] = [];
  const passwords: string[] = [];
  const waiting: (() => void)[] = [];
  const refusal = (status: number) => Object.assign(new Error("words of the server"), { responseCode: status });
  const server = new SMTPServer({
    secure: isImplicit,
    key: fixture("localhost.key"),
    cert: fixture("localhost.pem"),
    disabledCommands: lacksTls ? ["STARTTLS"] : [],
    authOptional: !needsUser,
    allowInsecureAuth: true,
    disableReverseLookup: true,
    onAuth({ username, password }, _, done) {
      passwords.push(password ?? "");
      if (username === USER && password === PASSWORD) done(null, { user: username });
      else done(refusal(535));
    },
    onRcptTo({ address }, _, done) {
      const status = host.answers.recipient?.(address);
      done(status === undefined ? null : refusal(status));
    },
    onData(stream, session, done) {
      let content = "";
      stream.setEncoding("utf8");
      stream.on("data", (part: string) => content += part);
      stream.on("end", () => {
        const status = host.answers.message?.();
        if (status !== undefined) return done(refusal(status));
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom ? mailFrom.address : "",
          to: rcptTo.map(({ address }) => address),
          content,
          subject: /^Subject: ((?:.|\r\n[ \t])*)/m.exec(content)![1]!.replaceAll(/\r\n[ \t]/g, " "),
          isEncrypted: session.secure,
          user: session.user === undefined ? undefined : String(session.user),
        });
        done();
        waiting.splice(0).forEach((wake) => wake());
      });
    },
  });
  // Of connections that a client ended, such as one that does not trust the certificate.
  server.on("error", () => {});
  server.listen(0, "127.0.0.1");
  await once(server.server, "listening");
  const host: MailHost = {
    port: (server.server.address() as { port: number }).port,
    mails,
    passwords,
    answers: {},
    async next(index = 0) {
      while (mails[index] === undefined) await new Promise<void>((wake) => waiting.push(wake));
      return mails[index];
    },
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
  return host;
}
