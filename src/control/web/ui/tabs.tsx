// Implements tabs: links among the pages of one thing.

import type { Child } from "hono/jsx";

export interface Tab {
  readonly href: string;
  readonly label: Child;
  /** Whether it is the page that is shown. */
  readonly isCurrent?: boolean;
  /** A number next to the label, such as of open problems. */
  readonly count?: number | undefined;
}

/** `label` names the navigation, which is read out. */
export function Tabs({ label, tabs }: { label: string; tabs: readonly Tab[] }) {
  return (
    <nav class="tabs" aria-label={label}>
      <ul>
        {tabs.map(({ href, label, isCurrent, count }) => (
          <li>
            <a href={href} aria-current={isCurrent ? "page" : undefined}>
              {label}
              {count !== undefined && <span class="badge plain">{count}</span>}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** A few choices of which one is current, such as a range of time; links, so that each has an address. */
export function Segments({ label, tabs }: { label: string; tabs: readonly Tab[] }) {
  return (
    <nav class="segments" aria-label={label}>
      {tabs.map(({ href, label, isCurrent }) => (
        <a href={href} class="button" aria-current={isCurrent ? "true" : undefined}>{label}</a>
      ))}
    </nav>
  );
}
