// Implements the frame of every page: head, sidebar, heading, and the notice of the last action.

import type { Context } from "hono";
import type { Child } from "hono/jsx";
import type { WebEnv } from "./deps.ts";

/** Sidebar entries in order. A page belongs to the entry whose path its own begins with. */
const SECTIONS: readonly (readonly [path: string, name: string])[] = [
  ["/web/functions", "Functions"],
  ["/web/files", "Files"],
  ["/web/history", "History"],
  ["/web/deployments", "Deployments"],
  ["/web/packages", "Packages"],
  ["/web/secrets", "Secrets"],
  ["/web/keys", "API Keys"],
  ["/web/logs", "Logs"],
  ["/web/metrics", "Metrics"],
  ["/web/audit", "Audit"],
  ["/web/announcements", "Announcements"],
  ["/web/cluster", "Cluster"],
  ["/web/users", "Users"],
  ["/web/settings", "Settings"],
];

interface FrameProps {
  title: string;
  /** Names of scripts under /web/assets/ that this page loads in addition to the common ones. */
  scripts?: readonly string[];
  styles?: readonly string[];
  children?: Child;
}

function Document({ title, scripts = [], styles = [], children }: FrameProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="htmx-config" content='{"history":false}' />
        <title>{title} · Crude Functions</title>
        <link rel="icon" href="/web/assets/icon.svg" />
        {["pico.css", "app.css", "frame.css", ...styles].map((name) => (
          <link rel="stylesheet" href={`/web/assets/${name}`} />
        ))}
        {["htmx.js", "app.js"].map((name) => <script src={`/web/assets/${name}`} defer></script>)}
        {scripts.map((name) => <script type="module" src={`/web/assets/${name}`}></script>)}
      </head>
      <body>{children}</body>
    </html>
  );
}

export interface PageProps extends FrameProps {
  c: Context<WebEnv>;
  /** Links next to the heading that look like buttons and start an action. */
  actions?: Child;
}

function SignedInPage({ c, title, scripts, styles, actions, children }: PageProps) {
  const notice = c.get("notice");
  const steps = c.req.path === "/web" ? undefined : c.get("firstSteps")();
  return (
    <Document title={title} scripts={scripts ?? []} styles={styles ?? []}>
      <a class="skip" href="#main">Skip to content</a>
      <div class="frame">
        <header class="sidebar">
          <a class="brand" href="/web">Crude Functions</a>
          <details class="menu" open data-wide-open>
            <summary>Menu</summary>
            <nav aria-label="Sections">
              <ul>
                {SECTIONS.map(([path, name]) => (
                  <li>
                    <a href={path} aria-current={isIn(c.req.path, path) ? "page" : undefined}>{name}</a>
                  </li>
                ))}
              </ul>
            </nav>
            <form method="post" action="/web/sign-out" class="signed-in">
              <a href="/web/account">{c.get("admin").email}</a>
              <button type="submit" class="link">Sign out</button>
            </form>
            <button type="button" id="time-zone" class="link time-zone" hidden></button>
          </details>
        </header>
        <main id="main" tabindex={-1}>
          {steps && (
            <p class="back-to-steps">
              <a href="/web">First steps: {steps.done} of {steps.of} done</a>
            </p>
          )}
          <Alterations of={c.get("alterations")} />
          <div class="heading">
            <h1>{title}</h1>
            {actions && <div class="actions">{actions}</div>}
          </div>
          <div id="notices" role="status">{notice && <p class="notice">{notice}</p>}</div>
          {children}
        </main>
        <footer class="about">
          Crude Functions {c.get("version")} · <a href="/api/docs">API</a>
        </footer>
      </div>
    </Document>
  );
}

/** How many alterations a page lists. The log and the audit contain all of them. */
const ALTERATIONS_SHOWN = 5;

/** The warning that the database was altered, on every page until the server restarts. */
function Alterations({ of: alterations }: { of: readonly string[] }) {
  if (alterations.length === 0) return null;
  return (
    <div class="problems" role="alert">
      <p>
        <strong>Something other than this server changed the database.</strong>{" "}
        The altered rows are not used. Find out who can write to the file, and restore a backup.
      </p>
      <ul>
        {alterations.slice(0, ALTERATIONS_SHOWN).map((text) => <li>{text}</li>)}
        {alterations.length > ALTERATIONS_SHOWN && (
          <li>
            and more; see the <a href="/web/audit">audit</a>
          </li>
        )}
      </ul>
    </div>
  );
}

/** A page for a user who is not signed in: one column, no sidebar. */
export function BarePage({ title, scripts, styles, children }: FrameProps) {
  return (
    <Document title={title} scripts={scripts ?? []} styles={styles ?? []}>
      <main id="main" class="bare">
        <p class="brand">Crude Functions</p>
        <h1>{title}</h1>
        {children}
      </main>
    </Document>
  );
}

export type PageStatus = 200 | 400 | 401 | 403 | 404 | 409 | 410 | 412 | 413 | 422 | 429 | 500 | 503;

/** Answers with the page for a signed-in user. */
export function page(c: Context<WebEnv>, props: Omit<PageProps, "c">, status: PageStatus = 200) {
  return document(c, <SignedInPage c={c} {...props} />, status);
}

export function barePage(c: Context<WebEnv>, props: FrameProps, status: PageStatus = 200) {
  return document(c, <BarePage {...props} />, status);
}

function document(c: Context<WebEnv>, jsx: Child, status: PageStatus) {
  return c.html(`<!doctype html>${jsx}`, status);
}

function isIn(path: string, section: string): boolean {
  return path === section || path.startsWith(`${section}/`);
}
