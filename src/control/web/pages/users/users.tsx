// Implements /web/users: lists, invites, resets and removes the users who may sign in.

import type { Context } from "hono";
import { LINK_HOURS } from "../../../../core/admins/accounts.ts";
import type { AdminId } from "../../../../ids.ts";
import type { AdminRow } from "../../../../store/admins.ts";
import { conflict, invalid } from "../../../../errors.ts";
import { SecretValue } from "../../../../keyring/secret_value.ts";
import { idText } from "../../../inputs/fields.ts";
import { Altered, AlteredBadge } from "../../ui/altered.tsx";
import { Ago, Badge, CopyLine, Fact, Facts, FormActions, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, fieldText, type Problems, readForm, redirect } from "../../shell/forms.ts";
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
  const { accounts, secondFactor } = deps.admins;
  const wanted = (c: Context<WebEnv>) => accounts.get(idText<AdminId>().parse(c.req.param("id")));
  const shown = new ShownOnce<Invitation>(deps.closing);
  const showLink = (c: Context<WebEnv>, invitation: Invitation) =>
    redirect(c, `${LINK_PATH}?${shown.keep(c, invitation)}`);

  web.get(PATH, (c) => listPage(c, deps));
  web.get(`${PATH}/new`, (c) => newPage(c, {}));

  web.post(PATH, async (c) => {
    const typed = await readForm(c);
    const given = { name: fieldText(typed, "name"), email: fieldText(typed, "email") };
    const result = await attempt(() => {
      const person = newPerson.parse(given);
      return { ...person, token: accounts.invite(c.get("actor"), person) };
    });
    if ("problems" in result) return newPage(c, { ...given, problems: result.problems });
    const { email, token } = result.done;
    return showLink(c, {
      title: `${email} is invited`,
      text: `Give this link to ${email}, who chooses a password with it.`,
      link: linkOf(c, token),
    });
  });

  web.get(LINK_PATH, (c) => {
    const invitation = shown.find(c);
    if (invitation) return linkPage(c, invitation);
    const advice = "If the link was lost, make another one on the user's page.";
    return noLongerShown(c, { title: "Link", advice, back: PATH });
  });

  web.post(LINK_PATH, async (c) => {
    await shown.confirm(c);
    return redirect(c, PATH);
  });

  web.get(`${PATH}/:id`, (c) => userPage(c, deps, wanted(c)));

  web.post(`${PATH}/:id/reset`, async (c) => {
    const row = wanted(c);
    const typed = await readForm(c);
    const token = accounts.reset(c.get("actor"), row.id);
    if (fieldText(typed, "second-factor") === "remove" && row.totpNonce !== null) {
      secondFactor.disable(c.get("actor"), row);
    }
    // A user who was invited and never signed in has no password yet.
    const [title, text] = row.password === null
      ? [`A new invitation for ${row.email}`, `Give this link to ${row.email}, who chooses a password with it.`]
      : [
        `A new password for ${row.email}`,
        `Give this link to ${row.email}, who chooses a new password with it. Until then, the old one works.`,
      ];
    return showLink(c, { title, text, link: linkOf(c, token) });
  });

  web.post(`${PATH}/:id/remove`, async (c) => {
    const row = wanted(c);
    const typed = fieldText(await readForm(c), "email").trim().toLowerCase();
    const result = await attempt(() => {
      if (typed !== row.email) throw invalid("email", `is not ${row.email}`);
      accounts.remove(c.get("actor"), row.id);
    });
    if ("problems" in result) return userPage(c, deps, row, result.problems);
    if (row.id !== c.get("admin").id) return redirect(c, PATH, `${row.email} is removed.`);
    forgetSession(c);
    return redirect(c, "/web/sign-in", "You have removed yourself.");
  });
}

function listPage(c: Context<WebEnv>, { admins: { accounts }, now, isAltered }: WebDeps) {
  return page(c, {
    title: "Users",
    actions: <a href={`${PATH}/new`} role="button">Invite a user</a>,
    children: (
      <>
        <p>Every user can see and change everything on these pages, including secrets.</p>
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
                  <a href={`${PATH}/${id}`}>{name}</a> {id === c.get("admin").id && "(you)"}
                </>
              ),
            },
            { label: "E-mail", cell: ({ email }) => email },
            { label: "State", cell: (row) => isAltered("admins", row.id) ? <AlteredBadge /> : <State row={row} /> },
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
  if (password === null) return <Badge kind="warn">invited</Badge>;
  return totpNonce === null ? <Badge kind="plain">password</Badge> : <Badge kind="ok">second factor</Badge>;
}

function newPage(
  c: Context<WebEnv>,
  { name = "", email = "", problems }: { name?: string; email?: string; problems?: Problems },
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
      <>
        <Facts>
          <Fact term="E-mail">{row.email}</Fact>
          <Fact term="State">
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
            <section class="narrow" aria-labelledby="reset">
              <h2 id="reset">{row.password === null ? "New invitation" : "New password"}</h2>
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
                    Remove their second factor now, too: the app and the recovery codes are lost
                  </label>
                )}
                <button type="submit" class="secondary">Make a link</button>
              </form>
            </section>
          )}
        <section class="narrow" aria-labelledby="remove">
          <h2 id="remove">Remove</h2>
          <p>Ends all sessions of {row.email} at once. What they made stays.</p>
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
            <button type="submit" class="danger">Remove user</button>
          </form>
        </section>
      </>
    ),
  }, problems ? 400 : 200);
}

/** Returns the address of a one-time link. */
function linkOf(c: Context<WebEnv>, token: string): SecretValue {
  // The origin that the browser uses, which may be a proxy's; it has been checked to be this server.
  const origin = c.req.header("origin");
  if (origin === undefined) throw conflict("This has to be done from a page.");
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
          It works once, for {LINK_HOURS} hours. Anybody who has it gets in: send it by a way that you trust.
        </p>
        <Confirm c={c} action={LINK_PATH} label="Done" />
      </div>
    ),
  });
}
