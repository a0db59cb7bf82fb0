// Implements the sidebar: sections, documentation, and the menu of the account. On narrow screens it is a menu
// over the page, which the browser opens and closes without scripts.

import type { Child } from "hono/jsx";
import { type Look, LOOK_PATH } from "./look.ts";
import { GROUPS, type Place } from "./navigation.ts";

interface SidebarProps {
  readonly place: Place | undefined;
  readonly path: string;
  /** Where a form of the sidebar returns to. */
  readonly returnTo: string;
  readonly look: Look;
  readonly email: string;
  readonly version: string;
}

export function Sidebar({ place, path, returnTo, look, email, version }: SidebarProps) {
  const isNarrow = look.sidebar === "narrow";
  const label = isNarrow ? "Expand the sidebar" : "Collapse the sidebar";
  return (
    <nav class="sidebar" id="sidebar" aria-label="Sections" popover="auto">
      <div class="sidebar-head">
        <a class="brand" href="/web">
          <img src="/web/assets/icon.svg" alt="" width="20" height="20" />
          <span class="label">Crude Functions</span>
        </a>
        <LookForm returnTo={returnTo} class="collapse">
          <button
            type="submit"
            class="icon-button"
            name="sidebar"
            value={isNarrow ? "wide" : "narrow"}
            aria-label={label}
            title={label}
          >
            <span aria-hidden="true">{isNarrow ? "»" : "«"}</span>
          </button>
        </LookForm>
        <button type="button" class="icon-button menu-close" popovertarget="sidebar" popovertargetaction="hide">
          <span aria-hidden="true">×</span>
          <span class="visually-hidden">Close the menu</span>
        </button>
      </div>
      <div class="sections">
        {GROUPS.map(({ name, sections }) => (
          <div>
            <p id={`sections-${name}`}>{name}</p>
            <ul aria-labelledby={`sections-${name}`}>
              {sections.map((section) => {
                const isHere = section === place?.section;
                const parts = isHere ? section.parts : undefined;
                return (
                  <li>
                    <Entry href={section.path} isCurrent={isHere && parts === undefined} isAround={isHere}>
                      {section.name}
                    </Entry>
                    {parts && (
                      <ul class="parts">
                        {parts.map((part) => (
                          <li>
                            <Entry href={part.path} isCurrent={part === place?.part}>{part.name}</Entry>
                          </li>
                        ))}
                      </ul>
                    )}
                  </li>
                );
              })}
            </ul>
          </div>
        ))}
      </div>
      <AccountMenu path={path} returnTo={returnTo} look={look} email={email} />
      <footer class="about">
        <a href="/api/docs">API</a> <span>Crude Functions {version}</span>
      </footer>
    </nav>
  );
}

/** The bar above pages on narrow screens, whose button opens the sidebar. */
export function TopBar() {
  return (
    <header class="top-bar">
      <button type="button" class="icon-button" popovertarget="sidebar">
        <span aria-hidden="true">☰</span>
        <span class="visually-hidden">Menu</span>
      </button>
      <a class="brand" href="/web">Crude Functions</a>
    </header>
  );
}

/** `isAround` marks a section one of whose parts is the current one. */
function Entry({ href, isCurrent, isAround = false, children }: {
  href: string;
  isCurrent: boolean;
  isAround?: boolean;
  children: Child;
}) {
  return (
    <a href={href} class={isAround ? "around" : undefined} aria-current={isCurrent ? "page" : undefined}>
      <span class="label">{children}</span>
    </a>
  );
}

function AccountMenu({ path, returnTo, look, email }: {
  path: string;
  returnTo: string;
  look: Look;
  email: string;
}) {
  return (
    <div class="account">
      <button type="button" class="account-button" popovertarget="account-menu" title={email}>
        <span class="avatar" aria-hidden="true">{email.slice(0, 1).toUpperCase()}</span>
        <span class="visually-hidden">Account menu of</span> <span class="label">{email}</span>
      </button>
      <div class="account-menu" id="account-menu" popover="auto">
        <a href="/web/account" aria-current={path === "/web/account" ? "page" : undefined}>Your account</a>
        <LookForm returnTo={returnTo}>
          <Choice label="Theme" name="theme" chosen={look.theme}>
            {[["system", "System"], ["light", "Light"], ["dark", "Dark"]]}
          </Choice>
          <Choice label="Density" name="density" chosen={look.density}>
            {[["compact", "Compact"], ["comfortable", "Comfortable"]]}
          </Choice>
        </LookForm>
        <button type="button" id="time-zone" class="menu-item" hidden></button>
        <form method="post" action="/web/sign-out">
          <button type="submit" class="menu-item">Sign out</button>
        </form>
      </div>
    </div>
  );
}

/** A form whose buttons change the look at once. */
function LookForm({ returnTo, children, ...attributes }: { returnTo: string; class?: string; children: Child }) {
  return (
    <form method="post" action={LOOK_PATH} data-look {...attributes}>
      <input type="hidden" name="to" value={returnTo} />
      {children}
    </form>
  );
}

function Choice({ label, name, chosen, children }: {
  label: string;
  name: keyof Look;
  chosen: string;
  children: readonly (readonly string[])[];
}) {
  return (
    <div role="group" aria-label={label} class="choice">
      <span aria-hidden="true">{label}</span>
      <div>
        {children.map(([value, text]) => (
          <button type="submit" name={name} value={value} aria-pressed={value === chosen ? "true" : "false"}>
            {text}
          </button>
        ))}
      </div>
    </div>
  );
}
