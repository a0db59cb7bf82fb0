// Implements /web/account: an admin's own name, password, second factor, preferences and sessions.

import type { Context } from "hono";
import { z } from "zod";
import type { SessionId } from "../../../../ids.ts";
import { HOUR_MS } from "../../../../time.ts";
import { idText } from "../../../inputs/fields.ts";
import { Button, ButtonLink, Card, StatusDot } from "../../ui/components.tsx";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { fieldText, type Problems, readForm, redirect, type Typed } from "../../shell/forms.ts";
import { formRoute } from "../../shell/form_route.ts";
import { page } from "../../shell/layout.tsx";
import { FormToken } from "../../shell/submissions.tsx";
import { PasswordFields } from "../../ui/password_fields.tsx";
import { forgetSession, visitorOf } from "../../shell/session.ts";
import { newPassword, personName } from "../../../inputs/sign_in_schemas.ts";
import { addSecondFactor } from "./second_factor.tsx";
import { addPreferences, PreferencesCard } from "./preferences.tsx";
import { SessionTable } from "./sessions.tsx";

/** Problems by form of the page. */
type Wrong = { name?: Problems; password?: Problems; preferences?: Problems; typedName?: string };

export function addAccount(web: Web, deps: WebDeps): void {
  const { admins: { accounts, sessions, signIn }, commit } = deps;
  web.get("/web/account", (c) => accountPage(c, deps));

  formRoute(web, {
    path: "/web/account/name",
    read: (typed) => ({ name: fieldText(typed, "name") }),
    schema: (values) => z.object({ name: personName() }).parse(values),
    act: ({ c, actor, input }) => commit(() => accounts.rename(actor, c.get("admin").id, input.name)),
    page: (c, { values, problems }) => accountPage(c, deps, { name: problems!, typedName: values.name }),
    then: () => ({ to: "/web/account", notice: "Your name was changed." }),
  });

  formRoute(web, {
    path: "/web/account/password",
    subject: (c) => accounts.get(c.get("admin").id),
    read: (typed) => ({ ...passwordsIn(typed), current: typed["current"]?.[0] ?? "" }),
    schema: ({ current, ...passwords }, { email }) => ({ current, password: newPassword(email).parse(passwords) }),
    act: async ({ c, actor, subject, input: { current, password } }) => {
      await signIn.verifyPassword(visitorOf(c), subject, current, "current");
      await accounts.changePassword(actor, subject, password, c.get("admin").sessionId);
    },
    page: (c, { problems }) => accountPage(c, deps, { password: problems! }),
    then: () => ({
      to: "/web/account",
      notice: "Your password was changed. All your other sessions have ended.",
    }),
  });

  web.post("/web/account/sessions/end", async (c) => {
    const id = idText<SessionId>().parse(fieldText(await readForm(c), "id"));
    await commit(() => sessions.end(c.get("actor"), id, accounts.get(c.get("admin").id)));
    return redirect(c, "/web/account", "The session was ended.");
  });

  web.post("/web/account/sessions/end-all", async (c) => {
    await commit(() => sessions.endAll(c.get("actor"), accounts.get(c.get("admin").id)));
    forgetSession(c);
    return redirect(c, "/web/sign-in", "You were signed out everywhere.");
  });

  addPreferences(web, deps, (c, preferences) => accountPage(c, deps, { preferences }));
  addSecondFactor(web, deps);
}

/** Returns the passwords of a form exactly as they were typed. */
export function passwordsIn(typed: Typed): { password: string; again: string } {
  return { password: typed["password"]?.[0] ?? "", again: typed["again"]?.[0] ?? "" };
}

function accountPage(c: Context<WebEnv>, { admins, settings, now }: WebDeps, wrong: Wrong = {}) {
  const { id, email, name, sessionId } = c.get("admin");
  const row = admins.accounts.get(id);
  return page(c, {
    title: "Your account",
    children: (
      <>
        <div class="card-columns">
          <div>
            <Card title="Name" id="who">
              <ProblemSummary problems={wrong.name} labels={{ name: "Name" }} />
              <form method="post" action="/web/account/name">
                <FormToken />
                <p>
                  You sign in as <strong>{email}</strong>.
                </p>
                <TextField
                  name="name"
                  label="Name"
                  value={wrong.typedName ?? name}
                  problems={wrong.name}
                  autocomplete="name"
                  required
                />
                <Button kind="secondary">Change name</Button>
              </form>
            </Card>
            <PreferencesCard c={c} problems={wrong.preferences} />
          </div>
          <div>
            <Card title="Password" id="secret">
              <ProblemSummary
                problems={wrong.password}
                labels={{ current: "Current password", password: "New password", again: "New password again" }}
              />
              <form method="post" action="/web/account/password">
                <FormToken />
                <input type="hidden" name="username" value={email} autocomplete="username" />
                <TextField
                  name="current"
                  label="Current password"
                  type="password"
                  problems={wrong.password}
                  autocomplete="current-password"
                  required
                />
                <PasswordFields problems={wrong.password} label="New password" />
                <Button kind="secondary">Change password</Button>
              </form>
            </Card>
            <Card title="Second factor" id="factor">
              <p>
                <StatusDot kind={row.totpNonce === null ? "warn" : "ok"}>
                  {row.totpNonce === null ? "off" : "on"}
                </StatusDot>
              </p>
              <p>
                {row.totpNonce === null
                  ? "Signing in asks only for your password. With an authenticator app, a stolen password is not enough."
                  : "Signing in also asks for a code of your authenticator app."}
              </p>
              <ButtonLink href="/web/account/second-factor" kind="secondary" icon="shield-check">
                {row.totpNonce === null ? "Set up a second factor" : "Manage the second factor"}
              </ButtonLink>
            </Card>
          </div>
        </div>
        <Card title="Where you are signed in" id="where">
          <SessionTable
            sessions={admins.sessions.list(id)}
            own={sessionId}
            now={now()}
            idleMs={settings.get("admin.session.idle-hours") * HOUR_MS}
            endPath="/web/account/sessions/end"
          />
          <form method="post" action="/web/account/sessions/end-all">
            <Button kind="secondary">Sign out everywhere</Button>
          </form>
        </Card>
      </>
    ),
  }, Object.keys(wrong).length > 0 ? 400 : 200);
}
