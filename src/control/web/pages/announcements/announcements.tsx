// Implements /web/announcements: the webhooks, their events, and what came of the last deliveries; and who gets mail.

import type { Context } from "hono";
import { TYPES } from "../../../../core/announcements/events.ts";
import { hostOf, type Webhook, webhookVersion } from "../../../../core/announcements/webhooks.ts";
import type { WebhookId } from "../../../../ids.ts";
import { SecretValue } from "../../../../keyring/secret_value.ts";
import { idText } from "../../../inputs/fields.ts";
import { newWebhook } from "../../../inputs/webhook_schemas.ts";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { fieldText, redirect } from "../../shell/forms.ts";
import { page } from "../../shell/layout.tsx";
import { Confirm, noLongerShown, ShownOnce } from "../../shell/shown_once.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { Ago, ButtonLink, Card, CopyLine, Fact, Facts, FormActions, PostButton } from "../../ui/components.tsx";
import { VersionField } from "../../ui/conflict.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { CodeField, ProblemSummary } from "../../ui/fields.tsx";
import { addMailPages, MailSection } from "./mail.tsx";
import { addMailServerPage } from "./mail_server.tsx";
import { addDeletion, Deliveries, EventBoxes, Events, eventsIn, Last, PATH, TestButton } from "./parts.tsx";

/** Shows the secret of a webhook that was just added. */
const ADDED_PATH = `${PATH}/added`;
const LABELS = { url: "URL", events: "Events" };

interface Values {
  readonly url: string;
  readonly events: readonly string[];
}

/** A new webhook, as its page shows it. */
interface Added {
  readonly id: WebhookId;
  readonly secret: SecretValue;
}

const pathOf = (id: WebhookId): string => `${PATH}/${id}`;

export function addAnnouncements(web: Web, deps: WebDeps): void {
  const { webhooks, deliveries, commit } = deps;
  const webhookOf = (c: Context<WebEnv>) => webhooks.get(idText<WebhookId>().parse(c.req.param("id")));
  const shown = new ShownOnce<Added>({
    shared: deps.shared,
    kind: "webhook",
    write: ({ id, secret }) => JSON.stringify({ id, secret: secret.reveal() }),
    read: (text) => {
      const { id, secret } = JSON.parse(text);
      return { id, secret: new SecretValue(secret) };
    },
  });
  const read = (typed: Parameters<typeof fieldText>[0]): Values => ({
    url: fieldText(typed, "url").trim(),
    events: eventsIn(typed),
  });

  web.get(PATH, (c) => listPage(c, deps));
  // Before the page of a webhook, whose path matches these, too.
  addMailServerPage(web, deps);
  addMailPages(web, deps);

  formRoute(web, {
    path: `${PATH}/new`,
    initial: (): Values => ({ url: "", events: TYPES }),
    read,
    schema: (values) => newWebhook.parse(values),
    act: ({ actor, input }) => commit(() => webhooks.create(actor, input)),
    page: (c, form) =>
      page(c, {
        title: "Add a webhook",
        children: <WebhookForm form={form} path={`${PATH}/new`} submit="Add" cancel={PATH} />,
      }, form.status),
    then: async ({ webhook: { id }, secret }, { c }) => ({
      to: `${ADDED_PATH}?${await shown.keep(c, { id, secret })}`,
      notice: "Added the webhook. Copy its secret.",
    }),
  });

  web.get(ADDED_PATH, async (c) => {
    const added = await shown.find(c);
    if (added) return addedPage(c, added);
    const advice = "If you lost the secret, delete the webhook and add another one.";
    return noLongerShown(c, { title: "Secret of the webhook", advice, back: PATH });
  });

  web.post(ADDED_PATH, async (c) => {
    const added = await shown.confirm(c);
    return redirect(c, added ? pathOf(added.id) : PATH);
  });

  formRoute(web, {
    path: `${PATH}/:id`,
    subject: webhookOf,
    initial: ({ url, events }): Values => ({ url, events }),
    read,
    schema: (values) => newWebhook.parse(values),
    act: ({ actor, subject: { id }, input, expected }) => commit(() => webhooks.update(actor, id, input, expected)),
    page: (c, form) => webhookPage(c, deps, form),
    then: ({ id }) => ({ to: pathOf(id), notice: "Changed the webhook." }),
  });

  web.post(`${PATH}/:id/test`, async (c) => {
    const { id } = webhookOf(c);
    const [row] = await deliveries.test({ channel: "webhook", receiverId: id });
    const problem = row?.problem ?? null;
    return redirect(c, pathOf(id), problem === null ? "The receiver took the test." : `The test failed: ${problem}`);
  });

  addDeletion(web, {
    path: `${PATH}/:id/delete`,
    subject: webhookOf,
    version: webhookVersion,
    title: ({ url }) => `Delete the webhook to ${hostOf(url)}?`,
    effect: "Its secret is deleted, and deliveries that wait for it are not sent.",
    submit: "Delete the webhook",
    back: ({ id }) => pathOf(id),
    act: (actor, { id }, expected) => commit(() => webhooks.delete(actor, id, expected)),
    notice: "Deleted the webhook.",
  });
}

function listPage(c: Context<WebEnv>, deps: WebDeps) {
  const { webhooks, now } = deps;
  const rows = webhooks.list();
  return page(c, {
    title: "Announcements",
    children: (
      <>
        <p class="quiet">
          What needs attention, such as secrets that are due, leaks and failing functions, is sent to webhooks and by
          mail.
        </p>
        <Card
          title="Webhooks"
          id="webhooks"
          actions={<ButtonLink href={`${PATH}/new`} kind="secondary" icon="plus">Add a webhook</ButtonLink>}
        >
          {rows.length === 0
            ? <p class="quiet">None yet. A webhook posts each announcement to a server of yours.</p>
            : (
              <DataTable
                label="Webhooks and their deliveries"
                isStacked
                rows={rows}
                columns={[
                  { label: "Host", isRowHeader: true, cell: ({ id, url }) => <a href={pathOf(id)}>{hostOf(url)}</a> },
                  { label: "Events", cell: ({ events }) => <Events events={events} /> },
                  { label: "Last delivery", cell: ({ id }) => <Last row={webhooks.deliveries(id)[0]} now={now()} /> },
                  {
                    label: "Actions",
                    isActions: true,
                    cell: ({ id, url }) => <TestButton path={pathOf(id)} to={hostOf(url)} />,
                  },
                ]}
              />
            )}
        </Card>
        <MailSection deps={deps} />
      </>
    ),
  });
}

function addedPage(c: Context<WebEnv>, { secret }: Added) {
  return page(c, {
    title: "Secret of the webhook",
    children: (
      <>
        <p>The receiver checks with it that what it gets comes from this server. It is not shown again.</p>
        <CopyLine id="secret" text={secret.reveal()} label="Copy the secret" />
        <Confirm c={c} action={ADDED_PATH} label="I have copied it" />
      </>
    ),
  });
}

function webhookPage(c: Context<WebEnv>, { webhooks, now }: WebDeps, form: FormState<Webhook, Values>) {
  const { id, url, createdAt } = form.subject;
  return page(c, {
    title: `Webhook to ${hostOf(url)}`,
    actions: (
      <>
        <ButtonLink href={`${pathOf(id)}/delete`} kind="danger-quiet">Delete</ButtonLink>
        <PostButton action={`${pathOf(id)}/test`} label="Send a test" />
      </>
    ),
    children: (
      <>
        <Facts>
          <Fact term="Added">
            <Ago ms={createdAt} now={now()} />
          </Fact>
        </Facts>
        <h2>Last deliveries</h2>
        <Deliveries rows={webhooks.deliveries(id)} now={now()} />
        <div class="cards">
          <Card title="Change it" id="change">
            <WebhookForm
              form={form}
              path={pathOf(id)}
              submit="Change"
              cancel={PATH}
              version={webhookVersion(form.subject)}
            />
          </Card>
        </div>
      </>
    ),
  }, form.status);
}

interface WebhookFormProps {
  form: Pick<FormState<unknown, Values>, "values" | "problems">;
  path: string;
  submit: string;
  cancel: string;
  version?: string;
}

function WebhookForm({ form: { values, problems }, path, submit, cancel, version }: WebhookFormProps) {
  return (
    <form method="post" action={path} class="narrow">
      <FormToken />
      {version !== undefined && <VersionField version={version} />}
      <ProblemSummary problems={problems} labels={LABELS} />
      <CodeField
        name="url"
        label={LABELS.url}
        value={values.url}
        problems={problems}
        hint="The https: address of your server that receives the messages."
        required
      />
      <EventBoxes events={values.events} problems={problems} />
      <FormActions submit={submit} cancel={cancel} />
    </form>
  );
}
