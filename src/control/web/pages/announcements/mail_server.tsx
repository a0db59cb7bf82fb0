// Implements /web/announcements/mail-server: the server that mail is handed to. Its password is never shown.

import type { Context } from "hono";
import { type MailServer, mailServerVersion } from "../../../../core/announcements/mail/mail.ts";
import { newMailServer } from "../../../inputs/mail_schemas.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { fieldText } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { ButtonLink, FormActions } from "../../ui/components.tsx";
import { VersionField } from "../../ui/conflict.tsx";
import { CodeField, ProblemSummary, SelectField, TextField } from "../../ui/fields.tsx";
import { addDeletion, PATH } from "./parts.tsx";

export const MAIL_SERVER_PATH = `${PATH}/mail-server`;

const LABELS = {
  host: "Host",
  port: "Port",
  tls: "Encryption",
  user: "User",
  password: "Password",
  from: "From",
  ca: "Certificate authority",
} as const;
type Field = keyof typeof LABELS;
type Values = Readonly<Record<Field, string>>;

export function addMailServerPage(web: Web, deps: WebDeps): void {
  const { mail, commit } = deps;
  formRoute(web, {
    path: MAIL_SERVER_PATH,
    initial: () => valuesOf(mail.server()),
    read: (typed): Values => {
      const texts = Object.fromEntries((Object.keys(LABELS) as Field[]).map((name) => [name, fieldText(typed, name)]));
      const { password, ...rest } = texts as Record<Field, string>;
      const trimmed = Object.fromEntries(Object.entries(rest).map(([name, text]) => [name, text.trim()]));
      return { ...trimmed as Record<Exclude<Field, "password">, string>, password };
    },
    schema: inputOf,
    act: ({ actor, input, expected }) => commit(() => mail.setServer(actor, input, expected)),
    page: (c, form) => serverPage(c, deps, form),
    then: () => ({ to: PATH, notice: "The mail server is set. Send a test to some recipients." }),
  });

  addDeletion(web, {
    path: `${MAIL_SERVER_PATH}/remove`,
    subject: () => mail.server(),
    version: (server) => server && mailServerVersion(server),
    title: (server) => server ? `Remove the mail server ${server.host}?` : "Remove the mail server?",
    effect: "Its password is deleted. Recipients stay, but get no mail until another server is set.",
    submit: "Remove the mail server",
    back: () => MAIL_SERVER_PATH,
    act: (actor, _, expected) => commit(() => mail.removeServer(actor, expected)),
    notice: "The mail server and its password are removed.",
  });
}

function valuesOf(server: MailServer | undefined): Values {
  if (!server) return { host: "", port: "", tls: "starttls", user: "", password: "", from: "", ca: "" };
  const { host, port, tls, user, sender, ca } = server;
  return { host, port: String(port), tls, user: user ?? "", password: "", from: sender, ca: ca ?? "" };
}

/** @throws ZodError */
function inputOf({ port, user, password, ca, ...rest }: Values) {
  return newMailServer.parse({
    ...rest,
    ...port !== "" && { port: /^\d+$/.test(port) ? Number(port) : NaN },
    user: user === "" ? null : user,
    ca: ca === "" ? null : ca,
    ...password !== "" && { password },
  });
}

function serverPage(
  c: Context<WebEnv>,
  { mail, isAltered }: WebDeps,
  { values, problems, status }: FormState<undefined, Values>,
) {
  const server = mail.server();
  const isThere = server !== undefined || isAltered("mail_server", 1);
  const field = (name: Field, hint?: string) => ({ name, label: LABELS[name], value: values[name], problems, hint });
  return page(c, {
    title: "Mail server",
    actions: isThere && <ButtonLink href={`${MAIL_SERVER_PATH}/remove`} kind="danger-quiet">Remove</ButtonLink>,
    children: (
      <form method="post" action={MAIL_SERVER_PATH} class="narrow">
        <FormToken />
        {server && <VersionField version={mailServerVersion(server)} />}
        <ProblemSummary problems={problems} labels={LABELS} />
        <CodeField {...field("host")} required />
        <SelectField
          {...field("tls")}
          options={[
            { value: "starttls", label: "STARTTLS, required" },
            { value: "implicit", label: "TLS from the start" },
            { value: "none", label: "None, for a host of the setting mail.plain-hosts" },
          ]}
        />
        <CodeField {...field("port", "Empty: 587 for STARTTLS, 465 for TLS, 25 without.")} inputmode="numeric" />
        <CodeField {...field("user", "Empty if the server asks for none.")} autocomplete="off" />
        <TextField
          {...field(
            "password",
            server?.hasPassword
              ? "One is stored. Empty: it stays, unless host, port, encryption, authority or user change."
              : "Stored encrypted, and never shown.",
          )}
          value=""
          type="password"
          autocomplete="new-password"
        />
        <CodeField {...field("from", "The address that mail comes from.")} required />
        <CodeField
          {...field("ca", "Certificates in PEM that must have signed the server's; empty: any that is trusted.")}
          rows={3}
        />
        <FormActions submit={server ? "Change the mail server" : "Set the mail server"} cancel={PATH} />
      </form>
    ),
  }, status);
}
