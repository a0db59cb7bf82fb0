// Implements the list of functions, with their state and their recent calls.

import type { Condition } from "../../../../code/checks/condition.ts";
import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { FunctionId, GroupId } from "../../../../ids.ts";
import { Badge, ButtonLink, Empty, Pager, PostButton, Time } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";
import { count, plural } from "../../ui/format.ts";

export const LIST_PATH = "/web/functions";

/** Counts of the last hour. */
export interface Calls {
  readonly calls: number;
  readonly errors: number;
}

export interface ListProps {
  functions: readonly RegisteredFunction[];
  total: number;
  search: string;
  next: string | undefined;
  groupNames: ReadonlyMap<GroupId, string>;
  conditionOf: (entry: RegisteredFunction) => Condition;
  calls: (id: FunctionId) => Calls;
}

export function pathOf(id: FunctionId): string {
  return `${LIST_PATH}/${id}`;
}

export function SearchForm({ search }: { search: string }) {
  return (
    <search>
      <form
        method="get"
        action={LIST_PATH}
        class="search"
        hx-get={LIST_PATH}
        hx-trigger="input delay:200ms, submit"
        hx-target="#functions"
        hx-swap="outerHTML"
        hx-sync="this:replace"
      >
        <label for="search" class="visually-hidden">Search functions</label>
        <input
          type="search"
          id="search"
          name="search"
          value={search}
          placeholder="Search by name, route or file"
          autocomplete="off"
        />
        <noscript>
          <button type="submit">Search</button>
        </noscript>
      </form>
    </search>
  );
}

export function FunctionList({ functions, total, search, next, groupNames, conditionOf, calls }: ListProps) {
  const more = next && `${LIST_PATH}?${new URLSearchParams({ ...(search && { search }), after: next })}`;
  return (
    <section id="functions" aria-label="Functions">
      <p class="quiet" role="status">
        {search ? `${plural(total, "function")} with “${search}”` : plural(total, "function")}
      </p>
      {functions.length === 0 ? <Nothing search={search} /> : (
        <DataTable
          label="List of functions"
          class="functions"
          isStacked
          rows={functions.map((entry) => ({ entry, condition: conditionOf(entry), calls: calls(entry.id) }))}
          rowId={({ entry }) => `function-${entry.id}`}
          columns={[
            { label: "Name", isRowHeader: true, cell: ({ entry }) => <Name entry={entry} /> },
            { label: "State", cell: ({ condition }) => <State condition={condition} /> },
            { label: "Route", cell: ({ entry }) => <code>{entry.route}</code> },
            { label: "Methods", cell: ({ entry }) => entry.methods.join(", ") },
            {
              label: "Who may call it",
              cell: ({ entry: { keys } }) =>
                keys.length === 0
                  ? <Badge kind="plain">public</Badge>
                  : keys.map((id) => groupNames.get(id) ?? String(id)).join(", "),
            },
            {
              label: (
                <>
                  Calls <small>last hour</small>
                </>
              ),
              narrowLabel: "Calls in the last hour",
              isFigure: true,
              cell: ({ calls }) => count(calls.calls),
            },
            {
              label: "Errors",
              isFigure: true,
              cell: ({ calls }) => calls.errors > 0 ? <Badge kind="bad">{count(calls.errors)}</Badge> : "0",
            },
            { label: "Change", narrowLabel: null, cell: (row) => <Change {...row} /> },
          ]}
        />
      )}
      <Pager next={more} what="functions" />
    </section>
  );
}

function Name({ entry: { id, name, description } }: { entry: RegisteredFunction }) {
  return (
    <>
      <a href={pathOf(id)}>{name}</a>
      {description && <small class="quiet description">{description}</small>}
    </>
  );
}

function Change({ entry: { id, name, enabled }, condition }: { entry: RegisteredFunction; condition: Condition }) {
  if (!condition.isAltered && enabled) {
    return (
      <ButtonLink href={`${pathOf(id)}/disable?back=list`} kind="quiet" label={`Disable ${name}`}>Disable …</ButtonLink>
    );
  }
  if (!condition.isAltered) {
    return (
      <PostButton
        action={`${pathOf(id)}/enable`}
        label="Enable"
        kind="secondary"
        describe={name}
        fields={{ back: "list" }}
      />
    );
  }
  return (
    <a href={`${pathOf(id)}/delete`}>
      Delete <span class="visually-hidden">{name}</span>
    </a>
  );
}

const STATE_BADGES = { enabled: "ok", disabled: "off", suspended: "warn", broken: "bad" } as const;

export function StateBadge({ condition: { state } }: { condition: Condition }) {
  return <Badge kind={STATE_BADGES[state]}>{state}</Badge>;
}

function State({ condition }: { condition: Condition }) {
  const { state, reason, until } = condition;
  return (
    <>
      <StateBadge condition={condition} />
      {state === "broken" && <small class="description reason">{reason}</small>}
      {state === "suspended" && (
        <small class="description reason">
          until <Time ms={until!} /> because its processes kept ending. {reason}
        </small>
      )}
    </>
  );
}

function Nothing({ search }: { search: string }) {
  if (search) return <Empty>No function has “{search}” in its name, route or file. Try a shorter text.</Empty>;
  return (
    <Empty>
      <p>No functions yet. A function runs your code at a URL you choose.</p>
      <a href={`${LIST_PATH}/new`} class="button">Create your first function</a>
    </Empty>
  );
}
