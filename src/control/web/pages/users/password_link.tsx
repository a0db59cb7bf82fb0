// Implements /web/password, the page of an invitation's or reset's link: the holder of the link chooses a password.

import type { Context } from "hono";
import { ProblemSummary } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, fieldText, type Problems, readForm } from "../../shell/forms.ts";
import { barePage } from "../../shell/layout.tsx";
import { PasswordFields } from "../../ui/password_fields.tsx";
import { visitorOf } from "../../shell/session.ts";
import { enter } from "../sign_in/sign_in.tsx";
import { newPassword } from "../../../inputs/sign_in_schemas.ts";
import { passwordsIn } from "../account/account.tsx";

export function addPasswordLink(web: Web, deps: WebDeps): void {
  const { accounts, signIn } = deps.admins;
  web.get("/web/password", (c) => {
    const token = c.req.query("token") ?? "";
    return choosePage(c, { token, email: accounts.ofLink(token).email });
  });

  web.post("/web/password", async (c) => {
    const typed = await readForm(c);
    const token = fieldText(typed, "token");
    const { email } = accounts.ofLink(token);
    const visitor = visitorOf(c);
    const result = await attempt(() => newPassword(email).parse(passwordsIn(typed)));
    if ("problems" in result) return choosePage(c, { token, email, problems: result.problems });
    const row = await accounts.useLink(visitor.actor, token, result.done);
    // The link does not replace a second factor.
    return enter(c, deps, await signIn.afterPassword(visitor, row), { to: "/web", form: undefined });
  });
}

function choosePage(c: Context<WebEnv>, { token, email, problems }: {
  token: string;
  email: string;
  problems?: Problems;
}) {
  return barePage(c, {
    title: "Choose a password",
    children: (
      <>
        <p>
          For <strong>{email}</strong>. You will be signed in.
        </p>
        <ProblemSummary problems={problems} labels={{ password: "Password", again: "Password again" }} />
        <form method="post" action="/web/password">
          <input type="hidden" name="token" value={token} />
          <input type="hidden" name="username" value={email} autocomplete="username" />
          <PasswordFields problems={problems} />
          <button type="submit">Save password</button>
        </form>
      </>
    ),
  }, problems ? 400 : 200);
}
