// Implements the frame of every page: head, sidebar, heading, and the notice of the last action.

import type { Context } from "hono";
import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import { assetAddress } from "../assets/addresses.ts";
import type { WebEnv } from "./deps.ts";
import { lookAttributes, lookOf, zoneOf } from "./look.ts";
import { type Place, placeOf } from "./navigation.ts";
import { Sidebar, TopBar } from "./sidebar.tsx";
import { inZone } from "../format/times.ts";

interface FrameProps {
  title: string;
  /** Names of scripts under /web/assets/ that this page loads in addition to the common ones. */
  scripts?: readonly string[];
  styles?: readonly string[];
  children?: Child;
}

function Document({ c, title, scripts = [], styles = [], children }: FrameProps & { c: Context<WebEnv> }) {
  const look = lookOf(c);
  const body = inZone((<body>{children}</body>).toString(), zoneOf(look));
  // A third of what a first visit loads; most pages do without.
  const usesHtmx = body.includes(" hx-");
  const hasPassword = body.includes('type="password"');
  return (
    <html lang="en" {...lookAttributes(look)}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        {usesHtmx && <meta name="htmx-config" content='{"history":false}' />}
        <title>{title} · Crude Functions</title>
        <link rel="icon" href={assetAddress("icon.svg")} />
        {["tokens.css", "app.css", "frame.css", "pages.css", ...styles].map((name) => (
          <link rel="stylesheet" href={assetAddress(name)} />
        ))}
        {[...(usesHtmx ? ["htmx.js"] : []), "frame.js", "app.js", ...hasPassword ? ["password.js"] : []].map((name) => (
          <script src={assetAddress(name)} defer></script>
        ))}
        {scripts.map((name) => <script type="module" src={assetAddress(name)}></script>)}
      </head>
      {raw(body)}
    </html>
  );
}

export interface PageProps extends FrameProps {
  c: Context<WebEnv>;
  /** Links next to the heading that look like buttons and start an action. */
  actions?: Child;
  /** Pages between the section and this one, such as the function of a page of settings. */
  trail?: readonly (readonly [path: string, name: string])[];
  /** What the breadcrumb calls this page, if the title repeats what is before it. */
  crumb?: string;
}

function SignedInPage({ c, title, scripts = [], styles = [], actions, trail = [], crumb, children }: PageProps) {
  const notice = c.get("notice");
  const { path } = c.req;
  const place = placeOf(path);
  // An error may come before the steps are known.
  const steps = path === "/web" ? undefined : c.get("firstSteps")?.();
  return (
    <Document
      c={c}
      title={title}
      scripts={["palette.js", "shortcuts.js", ...scripts]}
      styles={["search.css", ...styles]}
    >
      <a class="skip" href="#main">Skip to content</a>
      <div class="frame">
        <TopBar path={path} />
        <Sidebar
          place={place}
          path={path}
          returnTo={returnPath(c)}
          look={lookOf(c)}
          email={c.get("admin").email}
          version={c.get("version")}
        />
        <div class="content">
          <Breadcrumb place={place} path={path} trail={trail} here={crumb ?? title} />
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
        </div>
      </div>
    </Document>
  );
}

/** The way to a nested page: the pages above it, and its own name. */
function Breadcrumb({ place, path, trail, here }: {
  place: Place | undefined;
  path: string;
  trail: readonly (readonly [path: string, name: string])[];
  here: string;
}) {
  const above = place?.part ?? place?.section;
  const links = above && above.path !== path ? [[above.path, above.name] as const, ...trail] : trail;
  if (links.length === 0) return null;
  return (
    <nav class="breadcrumb" aria-label="Breadcrumb">
      <ol>
        {links.map(([href, name]) => (
          <li>
            <a href={href}>{name}</a>
          </li>
        ))}
        <li>
          <span aria-current="page">{here}</span>
        </li>
      </ol>
    </nav>
  );
}

/** The address to return to after a form of the frame: this page, unless it is the answer to a form. */
function returnPath(c: Context<WebEnv>): string {
  if (c.req.method !== "GET") return "/web";
  const { pathname, search } = new URL(c.req.url);
  return pathname + search;
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
function BarePage({ c, title, scripts = [], styles = [], children }: FrameProps & { c: Context<WebEnv> }) {
  return (
    <Document c={c} title={title} scripts={scripts} styles={styles}>
      <main id="main" class="bare">
        <p class="brand">
          <img src={assetAddress("icon.svg")} alt="" width="20" height="20" /> Crude Functions
        </p>
        <div class="card">
          <h1>{title}</h1>
          {children}
        </div>
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
  return document(c, <BarePage c={c} {...props} />, status);
}

function document(c: Context<WebEnv>, jsx: Child, status: PageStatus) {
  return c.html(`<!doctype html>${jsx}`, status);
}
