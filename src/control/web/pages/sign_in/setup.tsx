// Implements /web/setup, which creates the first admin. It needs the one-time link that the server prints, and is closed
// after that.

import { AppError } from "../../../../errors.ts";
import type { Context } from "hono";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { attempt, fieldText, type Problems, readForm, redirect } from "../../shell/forms.ts";
import { barePage, type PageStatus } from "../../shell/layout.tsx";
import { PasswordFields } from "../../ui/password_fields.tsx";
import { keepSession, visitorOf } from "../../shell/session.ts";
import { newPassword, newPerson } from "../../../inputs/sign_in_schemas.ts";

const LABELS = { name: "Name", email: "E-mail", password: "Password", again: "Password again" };

export function addSetup(web: Web, deps: WebDeps): void {
  const { accounts, signIn } = deps.admins;

  web.get("/web/setup", (c) => {
    if (accounts.any()) throw closed();
    const token = c.req.query("token") ?? "";
    return accounts.mayBeSetUp(token) ? setupPage(c, { token }) : whereTheLinkIs(c, token === "" ? 200 : 403);
  });

  web.post("/web/setup", async (c) => {
    if (accounts.any()) throw closed();
    const typed = await readForm(c);
    const token = fieldText(typed, "token");
    if (!accounts.mayBeSetUp(token)) return whereTheLinkIs(c, 403);
    const [name, email] = [fieldText(typed, "name"), fieldText(typed, "email")];
    const given = { name, email, password: typed["password"]?.[0] ?? "", again: typed["again"]?.[0] ?? "" };
    const checked = await attempt(() => checkedSetup(given));
    if ("problems" in checked) return setupPage(c, { token, name, email, problems: checked.problems }, 400);
    const { actor, userAgent } = visitorOf(c);
    const created = await accounts.setUp(actor, token, checked.done, { address: actor.address, userAgent });
    keepSession(c, deps, { token: created.token, device: signIn.newDevice(created.id) });
    return redirect(c, "/web", `Welcome, ${checked.done.name}. You are signed in.`);
  });
}

/** Parses the form; reports the problems of the person and of the password together. */
function checkedSetup(given: { name: string; email: string; password: string; again: string }) {
  const person = newPerson.safeParse(given);
  const password = newPassword(given.email.trim().toLowerCase()).safeParse(given);
  if (person.success && password.success) return { ...person.data, password: password.data };
  const error = person.error ?? password.error!;
  if (person.error && password.error) error.addIssues(password.error.issues);
  throw error;
}

function closed(): AppError {
  return new AppError("NotFound", 404, "This server is already set up. Sign in instead.");
}

function whereTheLinkIs(c: Context<WebEnv>, status: PageStatus) {
  return barePage(c, {
    title: "Not set up yet",
    children: (
      <>
        {status === 403 && <p class="problems" role="alert">This link is no longer valid.</p>}
        <p>
          This server has no users yet. To create the first one, open the link that the server printed on its terminal
          or in its log when it started. It begins with
        </p>
        <p>
          <code>http://{c.req.header("host")}/web/setup?token=</code>
        </p>
        <p>The link works once, until the server stops. Each start prints a new one.</p>
      </>
    ),
  }, status);
}

function setupPage(
  c: Context<WebEnv>,
  { token, name = "", email = "", problems }: { token: string; name?: string; email?: string; problems?: Problems },
  status: PageStatus = 200,
) {
  return barePage(c, {
    title: "Set up",
    children: (
      <>
        <p>Create the first user. You can invite others later.</p>
        <ProblemSummary problems={problems} labels={LABELS} />
        <form method="post" action="/web/setup">
          <input type="hidden" name="token" value={token} />
          <TextField name="name" label={LABELS.name} value={name} problems={problems} autocomplete="name" required />
          <TextField
            name="email"
            label={LABELS.email}
            type="email"
            value={email}
            hint="Used to sign in. No e-mail is sent to it."
            problems={problems}
            autocomplete="username"
            required
          />
          <PasswordFields problems={problems} />
          <button type="submit">Create user</button>
        </form>
      </>
    ),
  }, status);
}
