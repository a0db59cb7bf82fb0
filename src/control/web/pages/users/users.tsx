// Implements /web/users: lists, invites, resets and removes the users who may sign in.

import type { Context } from "hono";
import { LINK_HOURS } from "../../../../core/admins/accounts.ts";
import type { AdminId } from "../../../../ids.ts";
import type { AdminRow } from "../../../../store/admins.ts";
import { conflict, invalid } from "../../../../errors.ts";
import { SecretValue } from "../../../../keyring/secret_value.ts";
import { idText } from "../../../inputs/fields.ts";
import { Altered, AlteredBadge } from "../../ui/altered.tsx";
import {
  Ago,
  Badge,
  Button,
  ButtonLink,
  Card,
  CopyLine,
  Fact,
  Facts,
  FormActions,
  StatusDot,
  Time,
} from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { fieldText, type Problems, readForm, redirect } from "../../shell/forms.ts";
import { formRoute, type FormState } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { Confirm, noLongerShown, ShownOnce } from "../../shell/shown_once.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { forgetSession } from "../../shell/session.ts";
import { newPerson } from "../../../inputs/sign_in_schemas.ts";

const PATH = "/web/users";
/** Shows a link that was just created. */
const LINK_PATH = `${PATH}/link`;
const LABELS = { name: "Name", email: "E-mail" };

interface Invitation {
  readonly title: string;
  readonly text: string;
  readonly link: SecretValue;
}

export function addUsers(web: Web, deps: WebDeps): void {
  const { admins: { accounts, secondFactor }, commit } = deps;
  const userOf = (c: Context<WebEnv>) => accounts.get(idText<AdminId>().parse(c.req.param("id")));
  const shown = new ShownOnce<Invitation>({
    shared: deps.shared,
    kind: "link",
    write: ({ link, ...invitation }) => JSON.stringify({ ...invitation, link: link.reveal() }),
    read: (text) => {
      const { link, ...invitation } = JSON.parse(text);
      return { ...invitation, link: new SecretValue(link) };
    },
  });
  const linkPath = async (c: Context<WebEnv>, invitation: Invitation) =>
    `${LINK_PATH}?${await shown.keep(c, invitation)}`;

  web.get(PATH, (c) => listPage(c, deps));
  web.get(`${PATH}/new`, (c) => newPage(c, { values: { name: "", email: "" } }));

  formRoute(web, {
    path: PATH,
    read: (typed): NewUser => ({ name: fieldText(typed, "name"), email: fieldText(typed, "email") }),
    schema: (values) => newPerson.parse(values),
    act: ({ actor, input }) => commit(() => accounts.invite(actor, input)),
    page: newPage,
    then: async (token, { c, input: { email } }) => {
      const title = `${email} is invited`;
      const text = `Give this link to ${email}, who chooses a password with it.`;
      return { to: await linkPath(c, { title, text, link: linkOf(c, token) }) };
    },
  });

  web.get(LINK_PATH, async (c) => {
    const invitation = await shown.find(c);
    if (invitation) return linkPage(c, invitation);
    const advice = "If the link was lost, make another one on the user's page.";
    return noLongerShown(c, { title: "Link", advice, back: PATH });
  });

  web.post(LINK_PATH, async (c) => {
    await shown.confirm(c);
    return redirect(c, PATH);
  });

  web.get(`${PATH}/:id`, (c) => userPage(c, deps, userOf(c)));

  web.post(`${PATH}/:id/reset`, async (c) => {
    const row = userOf(c);
    const typed = await readForm(c);
    const token = await commit(() => {
      const token = accounts.reset(c.get("actor"), row.id);
      if (fieldText(typed, "second-factor") === "remove" && row.totpNonce !== null) {
        secondFactor.disable(c.get("actor"), row);
      }
      return token;
    });
    // A user who was invited and never signed in has no password yet.
    const [title, text] = row.password === null
      ? [`A new invitation for ${row.email}`, `Give this link to ${row.email}, who chooses a password with it.`]
      : [
        `A new password for ${row.email}`,
        `Give this link to ${row.email}, who chooses a new password with it. Until then, the old one works.`,
      ];
    return redirect(c, await linkPath(c, { title, text, link: linkOf(c, token) }));
  });

  formRoute(web, {
    path: `${PATH}/:id/remove`,
    subject: userOf,
    read: (typed) => fieldText(typed, "email").trim().toLowerCase(),
    act: ({ actor, subject: { id, email }, values: typedEmail }) => {
      if (typedEmail !== email) throw invalid("email", `is not ${email}`);
      return commit(() => accounts.remove(actor, id));
    },
    page: (c, { subject, problems }) => userPage(c, deps, subject, problems),
    then: (_, { c, subject: { id, email } }) => {
      if (id !== c.get("admin").id) return { to: PATH, notice: `${email} was removed.` };
      forgetSession(c);
      return { to: "/web/sign-in", notice: "You have removed yourself." };
    },
  });
}

interface NewUser {
  readonly name: string;
  readonly email: string;
}

function listPage(c: Context<WebEnv>, { admins: { accounts }, now, isAltered }: WebDeps) {
  return page(c, {
    title: "Users",
    actions: <ButtonLink href={`${PATH}/new`} icon="user-plus">Invite a user</ButtonLink>,
    children: (
      <>
        <p class="quiet">Every user can see and change everything on these pages, including secrets.</p>
        <DataTable
          label="Users"
          isStacked
          rows={accounts.list()}
          columns={[
            {
              label: "Name",
              isRowHeader: true,
              cell: ({ id, name }) => (
                <>
                  <a href={`${PATH}/${id}`}>{name}</a> {id === c.get("admin").id && <Badge kind="plain">you</Badge>}
                </>
              ),
            },
            { label: "E-mail", cell: ({ email }) => email },
            {
              label: "Signs in with",
              cell: (row) => isAltered("admins", row.id) ? <AlteredBadge /> : <State row={row} />,
            },
            {
              label: "Last sign-in",
              cell: ({ lastSignInAt }) => lastSignInAt === null ? "never" : <Ago ms={lastSignInAt} now={now()} />,
            },
          ]}
        />
      </>
    ),
  });
}

function State({ row: { password, totpNonce } }: { row: AdminRow }) {
  if (password === null) return <StatusDot kind="off">nothing yet: invited</StatusDot>;
  return totpNonce === null
    ? <StatusDot kind="warn">password only</StatusDot>
    : <StatusDot kind="ok">password and second factor</StatusDot>;
}

function newPage(
  c: Context<WebEnv>,
  { values: { name, email }, problems }: Pick<FormState<undefined, NewUser>, "values" | "problems">,
) {
  return page(c, {
    title: "Invite a user",
    children: (
      <form method="post" action={PATH} class="narrow">
        <FormToken />
        <ProblemSummary problems={problems} labels={LABELS} />
        <TextField name="name" label={LABELS.name} value={name} problems={problems} required />
        <TextField
          name="email"
          label={LABELS.email}
          type="email"
          value={email}
          hint="Used to sign in. No e-mail is sent: you get a link to pass on."
          problems={problems}
          required
        />
        <FormActions submit="Invite" cancel={PATH} />
      </form>
    ),
  }, problems ? 400 : 200);
}

function userPage(c: Context<WebEnv>, { isAltered }: WebDeps, row: AdminRow, problems?: Problems) {
  const action = `${PATH}/${row.id}`;
  return page(c, {
    title: row.name,
    children: (
      <div class="cards">
        <Facts>
          <Fact term="E-mail">{row.email}</Fact>
          <Fact term="Signs in with">
            <State row={row} />
          </Fact>
          <Fact term="Created">
            <Time ms={row.createdAt} />
          </Fact>
        </Facts>
        {isAltered("admins", row.id)
          ? (
            <Altered
              what="user"
              effect="They can no longer sign in, and none of their sessions is valid."
              remove={{ href: "#remove", label: "Remove them" }}
            />
          )
          : (
            <Card title={row.password === null ? "New invitation" : "New password"} id="reset">
              <p>
                {row.password === null
                  ? `Creates a new link with which ${row.email} chooses a password. It replaces the earlier link.`
                  : `Creates a link with which ${row.email} chooses a new password. All their sessions end when it is used; until then nothing changes.`}
              </p>
              <form method="post" action={`${action}/reset`}>
                <FormToken />
                {row.totpNonce !== null && (
                  <label>
                    <input type="checkbox" name="second-factor" value="remove" />
                    Also remove their second factor now; the app and the recovery codes become invalid
                  </label>
                )}
                <Button kind="secondary">Create a link</Button>
              </form>
            </Card>
          )}
        <Card title="Remove" id="remove" kind="danger">
          <p>Ends all sessions of {row.email} at once. What they created is kept.</p>
          <ProblemSummary problems={problems} labels={{ email: "E-mail" }} />
          <form method="post" action={`${action}/remove`}>
            <FormToken />
            <TextField
              name="email"
              label="E-mail"
              hint={`Type ${row.email} to confirm.`}
              problems={problems}
              autocomplete="off"
              required
            />
            <Button kind="danger">Remove user</Button>
          </form>
        </Card>
      </div>
    ),
  }, problems ? 400 : 200);
}

/** Returns the address of a one-time link. */
function linkOf(c: Context<WebEnv>, token: string): SecretValue {
  // The origin that the browser uses, which may be a proxy's; it has been checked to be this server.
  const origin = c.req.header("origin");
  if (origin === undefined) throw conflict("This request must come from a page.");
  return new SecretValue(`${origin}/web/password?token=${token}`);
}

function linkPage(c: Context<WebEnv>, { title, text, link }: Invitation) {
  return page(c, {
    title,
    children: (
      <div class="narrow">
        <p>{text}</p>
        <CopyLine id="link" text={link.reveal()} label="Copy the link" />
        <p class="warning">
          It works once, for {LINK_HOURS}{" "}
          hours. Anyone who has it can sign in: send it through a channel that you trust.
        </p>
        <Confirm c={c} action={LINK_PATH} label="Done" />
      </div>
    ),
  });
}
