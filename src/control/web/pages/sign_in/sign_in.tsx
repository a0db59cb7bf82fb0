// Implements /web/sign-in with its second step, and signing out.

import type { Context } from "hono";
import type { PendingSecondFactor, SignedIn } from "../../../../core/admins/sign_in.ts";
import { AppError, SlowDown } from "../../../../errors.ts";
import { ProblemSummary, TextField } from "../../ui/fields.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { fieldText, type Problems, problemsOf, readForm, redirect, takeNotice } from "../../shell/forms.ts";
import { barePage, type PageStatus } from "../../shell/layout.tsx";
import { continueRequest, type Resume, ResumeFields, resumeIn } from "./replay_after_sign_in.tsx";
import { findSignedIn, forgetSession, keepSession, visitorOf } from "../../shell/session.ts";
import { email } from "../../../inputs/sign_in_schemas.ts";

export function addSignIn(web: Web, deps: WebDeps): void {
  const { accounts, sessions, signIn } = deps.admins;

  web.get("/web/sign-in", (c) => {
    if (!accounts.any()) return c.redirect("/web/setup", 303);
    const resume = resumeIn({ to: [c.req.query("to") ?? ""] });
    if (findSignedIn(c, deps)) return c.redirect(resume.to, 303);
    return signInPage(c, { resume, notice: takeNotice(c) });
  });

  web.post("/web/sign-in", async (c) => {
    const typed = await readForm(c);
    const resume = resumeIn(typed);
    // Passwords are not trimmed; they cannot contain line breaks.
    const [address, password] = [fieldText(typed, "email"), typed["password"]?.[0] ?? ""];
    try {
      const known = email().safeParse(address);
      const entered = await signIn.withPassword(visitorOf(c), known.success ? known.data : address, password);
      return enter(c, deps, entered, resume);
    } catch (error) {
      return signInPage(c, { resume, address, problems: problemsIn(error) }, refuse(c, error));
    }
  });

  web.post("/web/sign-in/code", async (c) => {
    const typed = await readForm(c);
    const [resume, pending] = [resumeIn(typed), fieldText(typed, "pending")];
    try {
      const entered = await signIn.withCode(visitorOf(c), pending, fieldText(typed, "code"));
      return enter(c, deps, entered, resume);
    } catch (error) {
      const status = refuse(c, error);
      if (error instanceof AppError && error.code === "Expired") {
        return signInPage(c, { resume, problems: problemsIn(error) }, status);
      }
      return codePage(c, { resume, pending, problems: problemsIn(error) }, status);
    }
  });

  web.post("/web/sign-out", async (c) => {
    if (findSignedIn(c, deps)) {
      const { id, sessionId } = c.get("admin");
      await deps.commit(() => sessions.end(c.get("actor"), sessionId, accounts.get(id)));
    }
    forgetSession(c);
    return redirect(c, "/web/sign-in", "You were signed out.");
  });
}

/** Starts the session, or shows the second step. */
export function enter(
  c: Context<WebEnv>,
  deps: Pick<WebDeps, "settings">,
  entered: SignedIn | PendingSecondFactor,
  resume: Resume,
): Response | Promise<Response> {
  if ("pending" in entered) return codePage(c, { resume, pending: entered.pending });
  keepSession(c, deps, entered);
  return continueRequest(c, resume);
}

/** Returns the status of a refused sign-in, and sets its headers. Rethrows other errors. */
function refuse(c: Context<WebEnv>, error: unknown): PageStatus {
  if (!(error instanceof AppError)) throw error;
  if (error instanceof SlowDown) c.header("Retry-After", String(error.retryAfterSeconds));
  return error.status as PageStatus;
}

function problemsIn(error: unknown): Problems {
  return problemsOf(error) ?? { "": (error as Error).message };
}

interface Step {
  resume: Resume;
  problems?: Problems;
}

export function signInPage(
  c: Context<WebEnv>,
  { resume, problems, address = "", notice }: Step & { address?: string; notice?: string | undefined },
  status: PageStatus = 200,
) {
  return barePage(c, {
    title: "Sign in",
    children: (
      <>
        {notice && <p class="notice" role="status">{notice}</p>}
        {resume.form && <p class="warning">Your session has ended. Sign in to continue; what you typed is kept.</p>}
        <ProblemSummary problems={problems} labels={{}} />
        <form method="post" action="/web/sign-in">
          <ResumeFields resume={resume} />
          <TextField
            name="email"
            label="E-mail"
            type="email"
            value={address}
            autocomplete="username"
            required
            autofocus={address === ""}
          />
          <TextField name="password" label="Password" type="password" autocomplete="current-password" required />
          <button type="submit">Sign in</button>
        </form>
      </>
    ),
  }, status);
}

function codePage(
  c: Context<WebEnv>,
  { resume, pending, problems }: Step & { pending: string },
  status: PageStatus = 200,
) {
  return barePage(c, {
    title: "Second factor",
    children: (
      <>
        <ProblemSummary problems={problems} labels={{ code: "Code" }} />
        <form method="post" action="/web/sign-in/code">
          <ResumeFields resume={resume} />
          <input type="hidden" name="pending" value={pending} />
          <TextField
            name="code"
            label="Code"
            hint="The current six digits of your authenticator app, or one of your recovery codes."
            problems={problems}
            autocomplete="one-time-code"
            isVerbatim
            required
            autofocus
          />
          <div class="actions">
            <button type="submit">Sign in</button>
            <a href="/web/sign-in">Start again</a>
          </div>
        </form>
      </>
    ),
  }, status);
}
