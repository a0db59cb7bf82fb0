// Implements the links to the categories of the settings.

import { CATEGORIES } from "../../../../core/settings/kinds.ts";

/** The category with a page of its own, for the state of the keys. */
export const ENCRYPTION = "encryption";

/** The categories on the common page. */
export const COMMON = CATEGORIES.filter(({ id }) => id !== ENCRYPTION);

/**
 * `current` is the id of the category with a page of its own; undefined on the common page, whose settings scripts
 * filter.
 */
export function SettingsNav({ current }: { current: typeof ENCRYPTION | undefined }) {
  return (
    <div class="settings-nav">
      {current === undefined && (
        <search data-settings-filter hidden>
          <label for="settings-filter" class="visually-hidden">Filter the settings</label>
          <input type="search" id="settings-filter" placeholder="Filter" autocomplete="off" />
          <label>
            <input type="checkbox" /> Changed only
          </label>
        </search>
      )}
      <nav aria-label="Settings">
        <ul data-follow>
          {CATEGORIES.map(({ id, title }) => (
            <li>
              {id === ENCRYPTION
                ? <a href={`/web/settings/${id}`} aria-current={id === current ? "page" : undefined}>{title}</a>
                : <a href={`${current === undefined ? "" : "/web/settings"}#${id}`}>{title}</a>}
            </li>
          ))}
        </ul>
      </nav>
    </div>
  );
}
