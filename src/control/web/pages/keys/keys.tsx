// Implements /web/keys: lists key groups and API keys. A key's value is shown only once, when it is created: a page with
// all values would give anyone at an unattended browser the identity of every caller.

import type { GroupWithKeys } from "../../../../core/access/listing.ts";
import { AlteredBadge } from "../../ui/altered.tsx";
import { Empty, Pager } from "../../ui/components.tsx";
import type { Web, WebDeps } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { count, parsePositiveInt } from "../../ui/format.ts";
import { addGroups } from "./groups.tsx";
import { addKey } from "./key.tsx";
import { addNewKey } from "./new_key.tsx";
import { GroupFacts, KEYS_PER_PAGE, KeyTable } from "./lists.tsx";

const GROUPS_PER_PAGE = 10;
/** How many of the newest keys of each group are listed; the group's page lists all. */
const KEYS_PER_GROUP = 5;
/** With more keys, the page has a search field. */
const SEARCH_FROM = 10;

export function addKeys(web: Web, deps: WebDeps): void {
  const { access } = deps;

  web.get("/web/keys", (c) => {
    const search = (c.req.query("q") ?? "").trim();
    const content = search === ""
      ? <Groups deps={deps} after={parsePositiveInt(c.req.query("after"))} />
      : <Found deps={deps} search={search} before={parsePositiveInt(c.req.query("before")) || undefined} />;
    return page(c, {
      title: "API Keys",
      actions: <Actions />,
      children: (
        <>
          <p class="quiet">
            A key identifies a caller and belongs to one group. Functions and the API admit callers by group.
          </p>
          {(search !== "" || access.keyCounts().total > SEARCH_FROM) && <Search search={search} />}
          {content}
        </>
      ),
    });
  });

  addNewKey(web, deps);
  addGroups(web, deps);
  addKey(web, deps);
}

function Actions() {
  return (
    <>
      <a class="button secondary" href="/web/keys/groups/new">Create group</a>
      <a class="button" href="/web/keys/new">Create key</a>
    </>
  );
}

function Search({ search }: { search: string }) {
  return (
    <search>
      <form method="get" action="/web/keys" class="search">
        <label for="q" class="visually-hidden">Find keys by name or description</label>
        <input type="search" id="q" name="q" value={search} placeholder="Search by name or description" />
        <button type="submit" class="secondary">Find</button>
      </form>
    </search>
  );
}

function Groups({ deps, after }: { deps: WebDeps; after: number }) {
  const { groups, next } = deps.access.groupPage(after, GROUPS_PER_PAGE, KEYS_PER_GROUP);
  return (
    <>
      {groups.map((group) => <Group deps={deps} group={group} />)}
      <Pager next={next && `/web/keys?after=${next}`} what="groups" />
    </>
  );
}

function Group({ deps, group }: { deps: WebDeps; group: GroupWithKeys }) {
  const { id, name, description, newest } = group;
  return (
    <section aria-labelledby={`group-${id}`} class="group">
      <h2 id={`group-${id}`}>
        <a href={`/web/keys/groups/${id}`}>{name}</a> {deps.isAltered("key_groups", id) && <AlteredBadge />}
      </h2>
      {description && <p>{description}</p>}
      <GroupFacts group={group} managing={deps.settings.get("api.access-groups").includes(name)} />
      {newest.length === 0
        ? (
          <Empty>
            <p>
              No key yet. <a href={`/web/keys/new?group=${id}`}>Create the first key of {name}</a>
            </p>
          </Empty>
        )
        : <KeyTable label={`Keys of ${name}`} keys={newest} deps={deps} />}
      {group.keys > newest.length && (
        <p>
          <a href={`/web/keys/groups/${id}`}>All {count(group.keys)} keys of {name}</a>
        </p>
      )}
    </section>
  );
}

function Found({ deps, search, before }: { deps: WebDeps; search: string; before: number | undefined }) {
  const { keys, next } = deps.access.keyPage({ search }, before, KEYS_PER_PAGE);
  if (keys.length === 0) {
    return (
      <Empty>
        <p>
          No key has “{search}” in its name or description. <a href="/web/keys">Show all</a>
        </p>
      </Empty>
    );
  }
  return (
    <>
      <KeyTable label="Keys" keys={keys} deps={deps} withGroup />
      <Pager next={next && `/web/keys?${new URLSearchParams({ q: search, before: String(next) })}`} what="keys" />
    </>
  );
}
