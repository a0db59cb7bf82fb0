// Implements /web/announcements/mail: who gets which events by mail, and what came of the last mails.

import type { Context } from "hono";
import { TYPES } from "../../../../core/announcements/events.ts";
import { type MailRecipients, mailRecipientsVersion } from "../../../../core/announcements/mail/mail.ts";
import type { MailRecipientsId } from "../../../../ids.ts";
import { idText } from "../../../inputs/fields.ts";
import { newMailRecipients } from "../../../inputs/mail_schemas.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { fieldText, redirect } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Ago, ButtonLink, Card, Fact, Facts, FormActions, PostButton } from "../../ui/components.tsx";
import { VersionField } from "../../ui/conflict.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { CodeField, ProblemSummary } from "../../ui/fields.tsx";
import { MAIL_SERVER_PATH } from "./mail_server.tsx";
import { addDeletion, Deliveries, EventBoxes, Events, eventsIn, Last, PATH, TestButton } from "./parts.tsx";

const MAIL_PATH = `${PATH}/mail`;
const LABELS = { addresses: "Addresses", events: "Events" };

interface Values {
  readonly addresses: string;
  readonly events: readonly string[];
}

const pathOf = (id: MailRecipientsId): string => `${MAIL_PATH}/${id}`;

export function addMailPages(web: Web, deps: WebDeps): void {
  const { mail, deliveries, commit } = deps;
  const recipientsOf = (c: Context<WebEnv>) => mail.get(idText<MailRecipientsId>().parse(c.req.param("id")));
  const read = (typed: Parameters<typeof fieldText>[0]): Values => ({
    addresses: fieldText(typed, "addresses"),
    events: eventsIn(typed),
  });

  formRoute(web, {
    path: `${MAIL_PATH}/new`,
    initial: (): Values => ({ addresses: "", events: TYPES }),
    read,
    schema: inputOf,
    act: ({ actor, input }) => commit(() => mail.create(actor, input)),
    page: (c, form) =>
      page(c, {
        title: "Add recipients of mail",
        children: <RecipientsForm form={form} path={`${MAIL_PATH}/new`} submit="Add" />,
      }, form.status),
    then: ({ id }) => ({ to: pathOf(id), notice: "Added the recipients. Send a test." }),
  });

  formRoute(web, {
    path: `${MAIL_PATH}/:id`,
    subject: recipientsOf,
    initial: ({ addresses, events }): Values => ({ addresses: addresses.join("\n"), events }),
    read,
    schema: inputOf,
    act: ({ actor, subject: { id }, input, expected }) => commit(() => mail.update(actor, id, input, expected)),
    page: (c, form) => recipientsPage(c, deps, form),
    then: ({ id }) => ({ to: pathOf(id), notice: "Changed the recipients." }),
  });

  web.post(`${MAIL_PATH}/:id/test`, async (c) => {
    const { id } = recipientsOf(c);
    const rows = await deliveries.test({ channel: "mail", receiverId: id });
    const failed = rows.filter(({ problem }) => problem !== null);
    const notice = failed.length === 0
      ? "The mail server took the test."
      : `The test failed: ${failed.map(({ recipient, problem }) => `${recipient}: ${problem}`).join(" ")}`;
    return redirect(c, pathOf(id), notice);
  });

  addDeletion(web, {
    path: `${MAIL_PATH}/:id/delete`,
    subject: recipientsOf,
    version: mailRecipientsVersion,
    title: ({ addresses }) => `Delete the recipients ${addresses.join(", ")}?`,
    effect: "They get no mail any more. Deliveries that wait for them are not sent.",
    submit: "Delete the recipients",
    back: ({ id }) => pathOf(id),
    act: (actor, { id }, expected) => commit(() => mail.delete(actor, id, expected)),
    notice: "Deleted the recipients.",
  });
}

/** @throws ZodError */
function inputOf({ addresses, events }: Values) {
  const lines = addresses.split(/[\n,]/).map((line) => line.trim()).filter((line) => line !== "");
  return newMailRecipients.parse({ addresses: lines, events });
}

/** The mail server and all recipients, for the page of all announcements. */
export function MailSection({ deps: { mail, now } }: { deps: WebDeps }) {
  const server = mail.server();
  const rows = mail.list();
  return (
    <Card
      title="Mail"
      id="mail"
      actions={<ButtonLink href={`${MAIL_PATH}/new`} kind="secondary" icon="plus">Add recipients of mail</ButtonLink>}
    >
      <p>
        {server
          ? (
            <>
              Mail is sent by{" "}
              <a href={MAIL_SERVER_PATH}>
                {server.host}:{server.port}
              </a>, from {server.sender}.
            </>
          )
          : (
            <>
              There is no mail server. <a href={MAIL_SERVER_PATH}>Set one</a>
            </>
          )}
      </p>
      {rows.length > 0 && (
        <DataTable
          label="Recipients of mail"
          isStacked
          rows={rows}
          columns={[
            {
              label: "Addresses",
              isRowHeader: true,
              cell: ({ id, addresses }) => <a href={pathOf(id)}>{addresses.join(", ")}</a>,
            },
            { label: "Events", cell: ({ events }) => <Events events={events} /> },
            { label: "Last delivery", cell: ({ id }) => <Last row={mail.deliveries(id)[0]} now={now()} /> },
            {
              label: "Actions",
              isActions: true,
              cell: ({ id, addresses }) => server && <TestButton path={pathOf(id)} to={addresses.join(", ")} />,
            },
          ]}
        />
      )}
    </Card>
  );
}

function recipientsPage(c: Context<WebEnv>, { mail, now }: WebDeps, form: FormState<MailRecipients, Values>) {
  const { id, addresses, createdAt } = form.subject;
  return page(c, {
    title: `Mail to ${addresses[0]}${addresses.length > 1 ? ` and ${addresses.length - 1} more` : ""}`,
    actions: (
      <>
        <ButtonLink href={`${pathOf(id)}/delete`} kind="danger-quiet">Delete</ButtonLink>
        <PostButton action={`${pathOf(id)}/test`} label="Send a test" />
      </>
    ),
    children: (
      <>
        {!mail.server() && (
          <p class="warning">
            There is no mail server. <a href={MAIL_SERVER_PATH}>Set one</a>
          </p>
        )}
        <Facts>
          <Fact term="Added">
            <Ago ms={createdAt} now={now()} />
          </Fact>
        </Facts>
        <h2>Last deliveries</h2>
        <Deliveries rows={mail.deliveries(id)} now={now()} isMail />
        <h2>Change them</h2>
        <RecipientsForm form={form} path={pathOf(id)} submit="Change" version={mailRecipientsVersion(form.subject)} />
      </>
    ),
  }, form.status);
}

interface RecipientsFormProps {
  form: Pick<FormState<unknown, Values>, "values" | "problems">;
  path: string;
  submit: string;
  version?: string;
}

function RecipientsForm({ form: { values, problems: given }, path, submit, version }: RecipientsFormProps) {
  // A problem of one address is one of the field that has them all.
  const problems = given && Object.fromEntries(
    Object.entries(given).map(([field, problem]) => [field.startsWith("addresses.") ? "addresses" : field, problem]),
  );
  return (
    <form method="post" action={path} class="narrow">
      <FormToken />
      {version !== undefined && <VersionField version={version} />}
      <ProblemSummary problems={problems} labels={LABELS} />
      <CodeField
        name="addresses"
        label={LABELS.addresses}
        value={values.addresses}
        problems={problems}
        hint="One per line. Each gets mails of its own, without the others' addresses."
        rows={3}
        required
      />
      <EventBoxes events={values.events} problems={problems} />
      <FormActions submit={submit} cancel={PATH} />
    </form>
  );
}
