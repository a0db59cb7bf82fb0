// Implements the links to the categories of the settings.

import { CATEGORIES } from "../../../../core/settings/kinds.ts";

/** The category with a page of its own, for the state of the keys. */
export const ENCRYPTION = "encryption";

/** The categories on the common page. */
export const COMMON = CATEGORIES.filter(({ id }) => id !== ENCRYPTION);

/** `current` is the id of the category with a page of its own; undefined on the common page. */
export function SettingsNav({ current }: { current: typeof ENCRYPTION | undefined }) {
  return (
    <nav aria-label="Settings" class="settings-nav">
      <ul>
        {CATEGORIES.map(({ id, title }) => (
          <li>
            {id === ENCRYPTION
              ? <a href={`/web/settings/${id}`} aria-current={id === current ? "page" : undefined}>{title}</a>
              : <a href={`${current === undefined ? "" : "/web/settings"}#${id}`}>{title}</a>}
          </li>
        ))}
      </ul>
    </nav>
  );
}
