// Implements /web/users: lists, invites, resets and removes the users who may sign in.

import type { Context } from "hono";
import { LINK_HOURS } from "../../../../core/admins/accounts.ts";
import type { AdminId, SessionId } from "../../../../ids.ts";
import { HOUR_MS } from "../../../../time.ts";
import type { AdminRow, SessionRow } from "../../../../store/admins.ts";
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
  Notice,
  PostButton,
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
import { count } from "../../ui/format.ts";
import { SessionTable } from "../account/sessions.tsx";

const PATH = "/web/users";
/** Shows a link that was just created. */
const LINK_PATH = `${PATH}/link`;
const LABELS = { name: "Name", email: "E-mail" };
const OWN_PASSWORD = "You change your own password and second factor on the page of your account, with your password.";

interface Invitation {
  readonly title: string;
  readonly text: string;
  readonly link: SecretValue;
}

export function addUsers(web: Web, deps: WebDeps): void {
  const { admins: { accounts, secondFactor, sessions }, commit } = deps;
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
    // A screen that was left unlocked must not be enough to change the user's own password or second factor.
    if (row.id === c.get("admin").id) throw conflict(OWN_PASSWORD);
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

  web.post(`${PATH}/:id/sessions/end`, async (c) => {
    const row = userOf(c);
    const id = idText<SessionId>().parse(fieldText(await readForm(c), "id"));
    await commit(() => sessions.end(c.get("actor"), id, row));
    return redirect(c, `${PATH}/${row.id}`, "The session was ended.");
  });

  web.post(`${PATH}/:id/sign-out`, async (c) => {
    const row = userOf(c);
    await commit(() => sessions.endAll(c.get("actor"), row));
    if (row.id !== c.get("admin").id) return redirect(c, `${PATH}/${row.id}`, `Signed ${row.email} out everywhere.`);
    forgetSession(c);
    return redirect(c, "/web/sign-in", "You were signed out everywhere.");
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

function listPage(c: Context<WebEnv>, deps: WebDeps) {
  const { admins: { accounts, sessions }, settings } = deps;
  const users = accounts.list().map((row): ListedUser => ({
    row,
    sessions: sessions.list(row.id),
    linkUntil: accounts.linkUntil(row.id),
  }));
  const lacking = users.filter(({ row }) => row.password !== null && row.totpNonce === null).length;
  return page(c, {
    title: "Users",
    actions: <ButtonLink href={`${PATH}/new`} icon="user-plus">Invite a user</ButtonLink>,
    children: (
      <>
        <p class="quiet">Every user can see and change everything on these pages, including secrets.</p>
        {lacking > 0 && <Lacking lacking={lacking} isRequired={settings.get("admin.require-second-factor")} />}
        <UserTable users={users} own={c.get("admin").id} deps={deps} />
      </>
    ),
  });
}

interface ListedUser {
  readonly row: AdminRow;
  /** Live ones, the one used last first. */
  readonly sessions: readonly SessionRow[];
  readonly linkUntil: number | undefined;
}

/** Says how many users sign in with a password only, and how to change that. */
function Lacking({ lacking, isRequired }: { lacking: number; isRequired: boolean }) {
  const who = lacking === 1 ? "1 user signs in" : `${lacking} users sign in`;
  return (
    <Notice
      kind={isRequired ? "info" : "warn"}
      actions={!isRequired && (
        <ButtonLink href="/web/settings#admin.require-second-factor" kind="secondary" isSmall>
          Require a second factor
        </ButtonLink>
      )}
    >
      <p>
        {who} with a password only. {isRequired && "A second factor is required: they can only set one up."}
      </p>
    </Notice>
  );
}

function UserTable({ users, own, deps: { now, isAltered } }: {
  users: readonly ListedUser[];
  own: AdminId;
  deps: WebDeps;
}) {
  return (
    <DataTable
      label="Users"
      isStacked
      rows={users}
      columns={[
        {
          label: "Name",
          isRowHeader: true,
          cell: ({ row: { id, name, email } }) => (
            <>
              <a href={`${PATH}/${id}`}>{name}</a> {id === own && <Badge kind="plain">you</Badge>}
              <small class="hint">{email}</small>
            </>
          ),
        },
        {
          label: "Second factor",
          cell: ({ row, linkUntil }) =>
            isAltered("admins", row.id) ? <AlteredBadge /> : <State row={row} linkUntil={linkUntil} now={now()} />,
        },
        { label: "Sessions", isFigure: true, cell: ({ sessions }) => count(sessions.length) },
        { label: "Last seen", cell: (user) => <LastSeen user={user} now={now()} /> },
        {
          label: "Actions",
          isActions: true,
          cell: ({ row: { id, name, password } }) =>
            password === null && !isAltered("admins", id) && (
              <PostButton
                action={`${PATH}/${id}/reset`}
                label="New link"
                kind="quiet"
                isSmall
                describe={`to invite ${name}`}
              />
            ),
        },
      ]}
    />
  );
}

function LastSeen({ user: { row, sessions: [latest] }, now }: { user: ListedUser; now: number }) {
  const at = Math.max(latest?.lastSeenAt ?? 0, row.lastSignInAt ?? 0);
  return at === 0 ? <span class="quiet">never</span> : <Ago ms={at} now={now} />;
}

function State({ row: { password, totpNonce }, linkUntil, now }: {
  row: AdminRow;
  linkUntil: number | undefined;
  now: number;
}) {
  if (password !== null) {
    return totpNonce === null ? <StatusDot kind="warn">off</StatusDot> : <StatusDot kind="ok">on</StatusDot>;
  }
  return (
    <>
      <StatusDot kind={linkUntil === undefined ? "bad" : "off"}>invited</StatusDot>{" "}
      <small class="hint">
        {linkUntil === undefined ? "the link has expired" : (
          <>
            the link expires <Ago ms={linkUntil} now={now} />
          </>
        )}
      </small>
    </>
  );
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

function userPage(c: Context<WebEnv>, deps: WebDeps, row: AdminRow, problems?: Problems) {
  const { isAltered, now, admins: { accounts, sessions }, settings } = deps;
  const action = `${PATH}/${row.id}`;
  const live = sessions.list(row.id);
  return page(c, {
    title: row.name,
    children: (
      <div class="cards">
        <Facts>
          <Fact term="E-mail">{row.email}</Fact>
          <Fact term="Second factor">
            <State row={row} linkUntil={accounts.linkUntil(row.id)} now={now()} />
          </Fact>
          <Fact term="Last sign-in">
            {row.lastSignInAt === null ? "never" : <Ago ms={row.lastSignInAt} now={now()} />}
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
          : row.id === c.get("admin").id
          ? (
            <Card title="Password" id="reset">
              <p>{OWN_PASSWORD}</p>
              <ButtonLink href="/web/account" kind="secondary">Your account</ButtonLink>
            </Card>
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
        {live.length > 0 && (
          <Card
            title="Where they are signed in"
            id="where"
            actions={<PostButton action={`${action}/sign-out`} label="Sign out everywhere" kind="secondary" />}
          >
            <SessionTable
              sessions={live}
              own={c.get("admin").sessionId}
              now={now()}
              idleMs={settings.get("admin.session.idle-hours") * HOUR_MS}
              endPath={`${action}/sessions/end`}
            />
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
        <CopyLine id="link" text={link.reveal()} label="Copy the link" isPrimary />
        <p class="warning">
          It works once, for {LINK_HOURS}{" "}
          hours. Anyone who has it can sign in: send it through a channel that you trust.
        </p>
        <Confirm c={c} action={LINK_PATH} label="Done" />
      </div>
    ),
  });
}
