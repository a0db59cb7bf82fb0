// Implements the tabs of the settings, one for each category.

import { CATEGORIES } from "../../../../core/settings/kinds.ts";

/** `current` is the id of the shown category; undefined on the overview. */
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
