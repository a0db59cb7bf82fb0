// Implements the sidebar: search, sections, documentation, and the menu of the account. On narrow screens it is a menu
// over the page, which the browser opens and closes without scripts.

import type { Child } from "hono/jsx";
import { LOCAL_ZONE } from "../../../core/admins/preferences.ts";
import { assetAddress } from "../assets/addresses.ts";
import { Icon, type IconName } from "../icons/icon.tsx";
import { type Look, LOOK_PATH } from "./look.ts";
import { GROUPS, type Place } from "./navigation.ts";

export const SEARCH_PATH = "/web/search";

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
          <img src={assetAddress("icon.svg")} alt="" width="20" height="20" />
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
            <Icon name="panel-left" />
          </button>
        </LookForm>
        <button type="button" class="icon-button menu-close" popovertarget="sidebar" popovertargetaction="hide">
          <Icon name="x" />
          <span class="visually-hidden">Close the menu</span>
        </button>
      </div>
      <SearchLink path={path} />
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
                    <Entry
                      icon={section.icon}
                      href={section.path}
                      isCurrent={isHere && parts === undefined}
                      isAround={isHere}
                    >
                      {section.name}
                    </Entry>
                    {parts && (
                      <ul class="parts">
                        {parts.map((part) => (
                          <li>
                            <Entry icon={part.icon} href={part.path} isCurrent={part === place?.part}>
                              {part.name}
                            </Entry>
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
        <a href="/web/docs">
          <Icon name="book-open" />
          <span class="label">Docs</span>
        </a>
        <a href="/api/docs">
          <Icon name="braces" />
          <span class="label">API</span>
        </a>
        <span>Crude Functions {version}</span>
      </footer>
    </nav>
  );
}

/** The bar above pages on narrow screens, whose button opens the sidebar. */
export function TopBar({ path }: { path: string }) {
  return (
    <header class="top-bar">
      <button type="button" class="icon-button" popovertarget="sidebar">
        <Icon name="menu" />
        <span class="visually-hidden">Menu</span>
      </button>
      <a class="brand" href="/web">Crude Functions</a>
      <SearchLink path={path} />
    </header>
  );
}

/** Opens the palette; without scripts, the page that searches. */
function SearchLink({ path }: { path: string }) {
  return (
    <a
      class="search-link"
      href={SEARCH_PATH}
      data-palette
      aria-keyshortcuts="Control+K Meta+K"
      aria-current={path === SEARCH_PATH ? "page" : undefined}
    >
      <Icon name="search" />
      <span class="label">Search</span>
      <kbd aria-hidden="true">Ctrl K</kbd>
    </a>
  );
}

/** `isAround` marks a section one of whose parts is the current one. */
function Entry({ icon, href, isCurrent, isAround = false, children }: {
  icon: IconName;
  href: string;
  isCurrent: boolean;
  isAround?: boolean;
  children: Child;
}) {
  return (
    <a href={href} class={isAround ? "around" : undefined} aria-current={isCurrent ? "page" : undefined}>
      <Icon name={icon} />
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
        <Icon name="chevrons-up-down" />
      </button>
      <div class="account-menu" id="account-menu" popover="auto">
        <a href="/web/account" aria-current={path === "/web/account" ? "page" : undefined}>
          <Icon name="user" />
          Your account
        </a>
        <LookForm returnTo={returnTo}>
          <Choice label="Theme" name="theme" chosen={look.theme}>
            {[["system", "System"], ["light", "Light"], ["dark", "Dark"]]}
          </Choice>
          <Choice label="Density" name="density" chosen={look.density}>
            {[["compact", "Compact"], ["comfortable", "Comfortable"]]}
          </Choice>
          <Choice label="Shortcuts" name="keys" chosen={look.keys}>
            {[["on", "On"], ["off", "Off"]]}
          </Choice>
          <Choice label="Zone" name="zone" chosen={look.zone}>
            {zonesOf(look)}
          </Choice>
        </LookForm>
        <a href="/web/docs/admin-pages#keyboard" data-keys-help>
          <Icon name="keyboard" />
          Keyboard shortcuts
        </a>
        <form method="post" action="/web/sign-out">
          <button type="submit" class="menu-item">
            <Icon name="log-out" />
            Sign out
          </button>
        </form>
      </div>
    </div>
  );
}

/** The zones to choose from: that of the browser, UTC, and the one that the user chose on the page of the account. */
function zonesOf({ zone }: Look): [value: string, text: string][] {
  const own: [string, string][] = zone === LOCAL_ZONE || zone === "UTC" ? [] : [[zone, cityOf(zone)]];
  return [[LOCAL_ZONE, "Local"], ["UTC", "UTC"], ...own];
}

/** The last part of a zone's name: "Buenos Aires" of `America/Argentina/Buenos_Aires`. */
function cityOf(zone: string): string {
  return zone.slice(zone.lastIndexOf("/") + 1).replaceAll("_", " ");
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
