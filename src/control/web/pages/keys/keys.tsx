// Implements /web/keys: lists key groups and API keys. A key's value is shown only once, when it is created: a page with
// all values would give anyone at an unattended browser the identity of every caller.

import type { Context } from "hono";
import type { GroupWithKeys } from "../../../../core/access/listing.ts";
import { AlteredBadge } from "../../ui/altered.tsx";
import { Badge, ButtonLink, Empty, Pager, Segments } from "../../ui/components.tsx";
import type { Web, WebDeps, WebEnv } from "../../shell/deps.ts";
import { page } from "../../shell/layout.tsx";
import { count, parsePositiveInt, plural } from "../../ui/format.ts";
import { addCreated } from "./created.tsx";
import { addGroups } from "./groups.tsx";
import { addKey } from "./key.tsx";
import { addNewKey } from "./new_key.tsx";
import { KEYS_PER_PAGE, KeyTable, secretsOfGroup } from "./lists.tsx";
import { orderOf } from "./order.ts";
import { addRoll } from "./roll.tsx";
import { addSelection } from "./selection.tsx";

const GROUPS_PER_PAGE = 10;
/** How many of the newest keys of each group are listed; the group's page lists all. */
const KEYS_PER_GROUP = 5;
/** Up to as many groups are unfolded. */
const UNFOLDED_GROUPS = 5;
/** With more keys, the page has a search field. */
const SEARCH_FROM = 10;

export function addKeys(web: Web, deps: WebDeps): void {
  const { access } = deps;

  web.get("/web/keys", (c) => {
    const search = (c.req.query("q") ?? "").trim();
    const isFlat = search !== "" || c.req.query("view") === "all";
    const content = isFlat
      ? <Found c={c} deps={deps} search={search} />
      : <Groups deps={deps} after={parsePositiveInt(c.req.query("after"))} />;
    return page(c, {
      title: "API Keys",
      styles: ["keys.css"],
      actions: <Actions />,
      children: (
        <>
          <p class="quiet">
            A key identifies a caller and belongs to one group. Functions and the API admit callers by group.
          </p>
          {(isFlat || access.keyCounts().total > SEARCH_FROM) && (
            <>
              <Search search={search} sort={isFlat ? c.req.query("sort") : undefined} />
              <Segments
                label="View"
                tabs={[
                  { label: "Groups", href: "/web/keys", isCurrent: !isFlat },
                  { label: "All keys", href: "/web/keys?view=all", isCurrent: isFlat && search === "" },
                ]}
              />
            </>
          )}
          {content}
        </>
      ),
    });
  });

  const shown = addCreated(web, deps);
  addNewKey(web, deps, shown);
  addRoll(web, deps, shown);
  addSelection(web, deps);
  addGroups(web, deps);
  addKey(web, deps);
}

function Actions() {
  return (
    <>
      <ButtonLink href="/web/keys/groups/new" kind="secondary">Create group</ButtonLink>
      <ButtonLink href="/web/keys/new">Create key</ButtonLink>
    </>
  );
}

function Search({ search, sort }: { search: string; sort: string | undefined }) {
  return (
    <search>
      <form method="get" action="/web/keys" class="search">
        {sort !== undefined && <input type="hidden" name="sort" value={sort} />}
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
      {groups.map((group) => <Group deps={deps} group={group} isOpen={groups.length <= UNFOLDED_GROUPS} />)}
      <Pager next={next && `/web/keys?after=${next}`} what="groups" />
    </>
  );
}

/** A line with the group's numbers, which unfolds to its newest keys. */
function Group({ deps, group, isOpen }: { deps: WebDeps; group: GroupWithKeys; isOpen: boolean }) {
  const { id, name, description, newest, keys, functions, secrets } = group;
  const manages = deps.settings.get("api.access-groups").includes(name);
  return (
    <section aria-labelledby={`group-${id}`} class="group">
      <details open={isOpen}>
        <summary>
          <h2 id={`group-${id}`}>{name}</h2> {deps.isAltered("key_groups", id) && <AlteredBadge />}{" "}
          {manages && <Badge kind="warn">manages this server</Badge>}
          <span class="group-numbers">
            <span>{plural(keys, "key")}</span> <span>{plural(functions, "function")}</span>{" "}
            <span>{plural(secrets, "secret")}</span>
          </span>
        </summary>
        <p class="group-links">
          {description && <span class="quiet">{description}</span>}
          <a href={`/web/keys/groups/${id}`}>
            {keys > newest.length ? `All ${count(keys)} keys of ${name}` : `Group ${name}`}
          </a>
          {secrets > 0 && <a href={secretsOfGroup(id)}>Secrets of {name}</a>}
        </p>
        {newest.length === 0
          ? (
            <Empty>
              <p>
                No key yet. <a href={`/web/keys/new?group=${id}`}>Create the first key of {name}</a>
              </p>
            </Empty>
          )
          : <KeyTable label={`Keys of ${name}`} keys={newest} deps={deps} />}
      </details>
      <ButtonLink
        href={`/web/keys/new?group=${id}`}
        kind="quiet"
        icon="plus"
        isSmall
        label={`Create a key of ${name}`}
      />
    </section>
  );
}

/** The keys that have `search` in their names or descriptions, of all groups; with an empty one, all keys. */
function Found({ c, deps, search }: { c: Context<WebEnv>; deps: WebDeps; search: string }) {
  const listed = orderOf((name) => c.req.query(name), "/web/keys", search === "" ? { view: "all" } : { q: search });
  const filter = search === "" ? {} : { search };
  const { keys, next } = deps.access.orderedKeys(filter, listed.order, listed.skip, KEYS_PER_PAGE);
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
      <KeyTable label="Keys" keys={keys} deps={deps} sort={listed.heading} withGroup />
      <Pager next={listed.next(next)} what="keys" />
    </>
  );
}
