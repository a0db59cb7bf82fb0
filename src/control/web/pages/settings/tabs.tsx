// What the pages of settings have in common: the tabs that lead from one category to the next.

import { CATEGORIES } from "../../../../core/settings/kinds.ts";

/** `current` is the id of the category shown; undefined on the overview of all. */
export function SettingsTabs({ current }: { current: string | undefined }) {
  return (
    <nav aria-label="Settings" class="tabs">
      <ul>
        <li>
          <a href="/web/settings" aria-current={current === undefined ? "page" : undefined}>All</a>
        </li>
        {CATEGORIES.map(({ id, title }) => (
          <li>
            <a href={`/web/settings/${id}`} aria-current={id === current ? "page" : undefined}>{title}</a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
