// Assembles the admin pages (/web/*): access control, error pages and the routes of every section.

import { type Context, Hono, type MiddlewareHandler } from "hono";
import type { HtmlEscapedString } from "hono/utils/html";
import { AppError, secondFactorRequired } from "../../errors.ts";
import { errorResponse } from "../../http/errors.ts";
import { addAccount } from "./pages/account/account.tsx";
import { addAssets } from "./shell/assets.ts";
import { addAudit } from "./pages/audit/audit.tsx";
import type { SignedIn, Web, WebDeps, WebEnv } from "./shell/deps.ts";
import { firstSteps } from "./pages/home/first_steps.tsx";
import { takeNotice } from "./shell/forms.ts";
import { addFiles } from "./pages/files/files.tsx";
import { addFunction } from "./pages/function/function.tsx";
import { addFunctions } from "./pages/functions/functions.tsx";
import { addAnnouncements } from "./pages/announcements/announcements.tsx";
import { addComponents } from "./pages/components/components.tsx";
import { addCluster } from "./pages/cluster/cluster.tsx";
import { addDocuments } from "./pages/docs/docs.tsx";
import { Documents } from "./pages/docs/documents.ts";
import { addDeployments } from "./pages/deployments/deployments.tsx";
import { addHistory } from "./pages/history/history.tsx";
import { addHome } from "./pages/home/home.tsx";
import { addKeys } from "./pages/keys/keys.tsx";
import { barePage, page, type PageStatus } from "./shell/layout.tsx";
import { addLook, followUser } from "./shell/look.ts";
import { addLogs } from "./pages/logs/logs.tsx";
import { addMetrics } from "./pages/metrics/metrics.tsx";
import { addObserved } from "./pages/observed/observed.tsx";
import { resumeOf } from "./pages/sign_in/replay_after_sign_in.tsx";
import { addPackages } from "./pages/packages/packages.tsx";
import { addSearch, SearchForm } from "./pages/search/search.tsx";
import { addSecrets } from "./pages/secrets/secrets.ts";
import { addSettings } from "./pages/settings/settings.tsx";
import { compressPages, pageHeaders, sameOriginOnly } from "./shell/security.ts";
import { findSignedIn, SECOND_FACTOR_PATH } from "./shell/session.ts";
import { addSetup } from "./pages/sign_in/setup.tsx";
import { addSignIn, signInPage } from "./pages/sign_in/sign_in.tsx";
import { addTerminal } from "./pages/sign_in/terminal.tsx";
import { addPasswordLink } from "./pages/users/password_link.tsx";
import { submitOnce } from "./shell/submissions.tsx";
import { addUsers } from "./pages/users/users.tsx";

/** Creates the app that answers everything under /web. */
export function createWeb(deps: WebDeps): Web {
  const web: Web = new Hono<WebEnv>();
  web.onError((error, c) => failure(error, c, deps));
  web.notFound((c) => {
    const { pathname, search } = new URL(c.req.url);
    const isRead = c.req.method === "GET" || c.req.method === "HEAD";
    // No page's address ends with a slash; those that people type do.
    if (isRead && pathname.endsWith("/")) return c.redirect(pathname.replace(/\/+$/, "") + search, 302);
    return failure(new AppError("NotFound", 404, "This page does not exist."), c, deps);
  });
  web.use("*", async (c, next) => {
    c.set("requestId", deps.newRequestId());
    c.set("version", deps.version);
    c.set("noticeKey", deps.noticeKey);
    c.set("alterations", deps.alterations());
    await next();
    c.header("X-Request-Id", c.get("requestId"));
  });
  addAssets(web);
  web.use("*", compressPages, pageHeaders, sameOriginOnly);

  addSetup(web, deps);
  addSignIn(web, deps);
  addPasswordLink(web, deps);

  web.use("*", guard(deps));
  web.use("*", followUser);
  web.use("*", submitOnce(deps.shared));
  web.use("*", firstSteps(deps));
  addLook(web, deps);
  addHome(web, deps);
  addSecrets(web, deps);
  addKeys(web, deps);
  addLogs(web, deps);
  addMetrics(web, deps);
  addObserved(web, deps);
  addAnnouncements(web, deps);
  addCluster(web, deps);
  addAudit(web, deps);
  addAccount(web, deps);
  addTerminal(web, deps);
  addUsers(web, deps);
  addFunctions(web, deps);
  addFunction(web, deps);
  addFiles(web, deps);
  addHistory(web, deps);
  addDeployments(web, deps);
  addPackages(web, deps);
  addSettings(web, deps);
  if (deps.devPages) addComponents(web);
  const documents = new Documents();
  addDocuments(web, documents);
  addSearch(web, deps, documents);
  return web;
}

/** Lets signed-in users through. Others are sent to sign in, and continue with their request afterwards. */
function guard(deps: WebDeps): MiddlewareHandler<WebEnv> {
  return async (c, next) => {
    if (findSignedIn(c, deps)) {
      if (lacksSecondFactor(c, deps)) return sendToSetUp(c);
      c.set("notice", takeNotice(c));
      return await next();
    }
    if (!deps.admins.accounts.any()) return c.redirect("/web/setup", 303);
    if (c.req.header("hx-request") !== undefined) return sessionEnded(c);
    const resume = await resumeOf(c);
    if (resume.form) return signInPage(c, { resume }, 401);
    return c.redirect(resume.to === "/web" ? "/web/sign-in" : `/web/sign-in?to=${encodeURIComponent(resume.to)}`, 303);
  };
}

/** Whether the user must set up a second factor before anything else. */
function lacksSecondFactor(c: Context<WebEnv>, { settings }: WebDeps): boolean {
  return !c.get("admin").hasSecondFactor && settings.get("admin.require-second-factor") &&
    c.req.path !== SECOND_FACTOR_PATH;
}

/** @throws AppError SecondFactorRequired (403) for a request that would change something or is for a part of a page */
function sendToSetUp(c: Context<WebEnv>): Response {
  if (c.req.method !== "GET" || c.req.header("hx-request") !== undefined) throw secondFactorRequired();
  return c.redirect(SECOND_FACTOR_PATH, 303);
}

/** Answers a request for a part of a page, which keeps what is typed in it. */
function sessionEnded(c: Context<WebEnv>): Response | Promise<Response> {
  return noticed(
    c,
    <p class="warning" role="alert">
      Your session has ended. <a href="/web/sign-in" target="_blank" rel="noopener">Sign in in a new tab</a>{" "}
      and try again. What you typed here is kept.
    </p>,
    401,
  );
}

/** Shows `notice` where the page shows notices, whichever part of it was requested. */
function noticed(
  c: Context<WebEnv>,
  notice: HtmlEscapedString | Promise<HtmlEscapedString>,
  status: PageStatus,
): Response | Promise<Response> {
  c.header("HX-Retarget", "#notices");
  c.header("HX-Reswap", "innerHTML");
  return c.html(notice, status);
}

/** Shows an error as a page. As in the API, no internals of the server reach the browser. */
async function failure(error: unknown, c: Context<WebEnv>, { log }: WebDeps): Promise<Response> {
  const answer = errorResponse(error, c.get("requestId"), log);
  const { error: message } = await answer.json() as { error: string };
  const status = answer.status as PageStatus;
  const retryAfter = answer.headers.get("retry-after");
  if (retryAfter !== null) c.header("Retry-After", retryAfter);
  if (c.req.header("hx-request") !== undefined) {
    return noticed(c, <p class="warning" role="alert">{message}</p>, status);
  }
  // A user who is signed in keeps the sections. The types do not know that an error may come before the guard.
  c.set("firstSteps", () => undefined);
  const isSignedIn = (c.get("admin") as SignedIn | undefined) !== undefined;
  const show = isSignedIn ? page : barePage;
  return show(c, {
    title: status === 404 ? "Not found" : status === 500 ? "Something went wrong" : "Request failed",
    children: (
      <>
        <p>{message}</p>
        {isSignedIn && status === 404 && <SearchForm typed={lastPart(c.req.path)} />}
        <p>
          <a href="/web">{isSignedIn ? "To the overview" : "Back to the start"}</a>
        </p>
      </>
    ),
  }, status);
}

/** Returns what an address ends with as words to search for; nothing for an id. */
function lastPart(path: string): string {
  const part = path.split("/").at(-1)!;
  return /^[a-z][\w.-]*$/i.test(part) ? part : "";
}
