// Implements the search: results for the command palette, and a page of its own that needs no scripts.

import { Icon, type IconName } from "../../icons/icon.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { SEARCH_PATH } from "../../shell/sidebar.tsx";
import { Empty } from "../../ui/components.tsx";
import type { Documents } from "../docs/documents.ts";
import type { Entry, Kind } from "./entries.ts";
import { Finder, SEARCH_MAX_LENGTH } from "./find.ts";

export function addSearch(web: Web, deps: WebDeps, documents: Documents): void {
  const finder = new Finder(deps, documents);

  web.get(SEARCH_PATH, async (c) => {
    const typed = (c.req.query("q") ?? "").slice(0, SEARCH_MAX_LENGTH);
    const entries = await finder.find(typed);
    if (c.req.header("hx-request") !== undefined) return c.html(<Options entries={entries} />);
    return page(c, {
      title: "Search",
      children: (
        <>
          <SearchForm typed={typed} isFocused />
          {entries.length === 0 ? <Empty>Nothing fits “{typed}”.</Empty> : (
            <ul class="results" aria-label="Results">
              {entries.map((entry) => (
                <li>
                  <a href={entry.href}>
                    <Label entry={entry} />
                  </a>
                </li>
              ))}
            </ul>
          )}
        </>
      ),
    });
  });
}

/** The field that searches everything; the pages of errors have it, too. */
export function SearchForm({ typed, isFocused = false }: { typed: string; isFocused?: boolean }) {
  return (
    <search>
      <form method="get" action={SEARCH_PATH} class="search">
        <label for="search" class="visually-hidden">Search everything</label>
        <input
          type="search"
          id="search"
          name="q"
          value={typed}
          maxlength={SEARCH_MAX_LENGTH}
          placeholder="Name, page, setting or request id"
          autocomplete="off"
          autofocus={isFocused}
        />
        <button type="submit">Search</button>
      </form>
    </search>
  );
}

/** The options of the palette's list; its script gives them their ids. */
function Options({ entries }: { entries: readonly Entry[] }) {
  return (
    <>
      {entries.map((entry) => (
        <div role="option" data-href={entry.href}>
          <Label entry={entry} />
        </div>
      ))}
    </>
  );
}

const ICONS: Readonly<Record<Kind, IconName>> = {
  Action: "zap",
  Page: "file",
  Function: "square-function",
  Secret: "lock-keyhole",
  "API key": "key-round",
  "Key group": "users",
  Request: "scroll-text",
  Setting: "settings",
  Documentation: "book-open",
};

function Label({ entry: { kind, name, detail, icon = ICONS[kind] } }: { entry: Entry }) {
  return (
    <>
      <Icon name={icon} />
      <span class="result-name">{name}</span> {detail && <span class="result-detail">{detail}</span>}{" "}
      <span class="result-kind">{kind}</span>
    </>
  );
}
