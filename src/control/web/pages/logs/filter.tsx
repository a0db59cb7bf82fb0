// Implements the filter of the logs' page: its fields, and the addresses of filtered pages.

import { LEVELS } from "../../../../telemetry/logs.ts";
import type { FunctionId } from "../../../../ids.ts";
import { SelectField, TextField } from "../../ui/fields.tsx";
import { OwnerField } from "../../ui/owner_name.tsx";
import type { WebDeps } from "../../shell/deps.ts";
import type { Problems } from "../../shell/forms.ts";
import { RANGES, type TimeRange } from "./time_range.ts";

/** Parameters of the page, in the order of its address. */
export const PARAMETERS = ["functionId", "key", "level", "search", "requestId", "range", "from", "to"] as const;
export const LABELS = {
  functionId: "Function",
  key: "API key",
  level: "Level",
  search: "Search",
  requestId: "Request",
  range: "Time",
  from: "From",
  to: "Until",
};
export type Filter = Readonly<Record<(typeof PARAMETERS)[number], string>>;

/** Returns the filter of an address; `query` returns its parameters. */
export function filterOf(query: (name: string) => string | undefined): Filter {
  return Object.fromEntries(PARAMETERS.map((name) => [name, query(name)?.trim() ?? ""])) as Filter;
}

/** How many keys are offered at first, next to up to 1,000 functions: each is a part of every page of the log. */
const KEYS_OFFERED = 100;

const LEVEL_OPTIONS = [
  { value: "info", label: "Info and above" },
  { value: "warn", label: "Warnings and errors" },
  { value: "error", label: "Errors" },
] as const satisfies readonly { value: (typeof LEVELS)[number]; label: string }[];

/** Where entries are listed: on a page of all, or within the frame of the one function that they are of. */
export interface LogsPlace {
  readonly path: string;
  readonly functionId?: FunctionId;
}

export const ALL_LOGS: LogsPlace = { path: "/web/logs" };

/** Returns the address of a list with these parameters; an empty one is left out, and a function that the path names. */
export function logsPath(
  { path, functionId }: LogsPlace,
  filter: Partial<Filter>,
  more: Readonly<Record<string, string>> = {},
): string {
  const named = functionId === undefined ? filter : { ...filter, functionId: "" };
  const query = new URLSearchParams({ ...Object.fromEntries(definedOf(named)), ...more });
  return query.size === 0 ? path : `${path}?${query}`;
}

/** Whether a list is filtered by more than its place. */
export function isFiltered({ functionId }: LogsPlace, filter: Filter): boolean {
  return PARAMETERS.some((name) => filter[name] !== "" && !(name === "functionId" && functionId !== undefined));
}

/** Returns the query of the API for the same entries. */
export function apiQuery(
  { functionId, key, level, search, requestId }: Filter,
  { from, until }: Pick<TimeRange, "from" | "until">,
): URLSearchParams {
  return new URLSearchParams(definedOf({
    functionId,
    key,
    level,
    search,
    requestId,
    from: from === undefined ? "" : new Date(from).toISOString(),
    to: until === undefined ? "" : new Date(until).toISOString(),
  }));
}

function definedOf(filter: Partial<Filter>): [string, string][] {
  return PARAMETERS.flatMap((name) => filter[name] ? [[name, filter[name]]] : []);
}

interface FilterProps {
  place: LogsPlace;
  filter: Filter;
  range: TimeRange;
  problems: Problems | undefined;
  matrix: WebDeps["matrix"];
}

/** The row of fields. A script applies it when a field changes, and hides the button. */
export function FilterForm({ place, filter, range, problems, matrix }: FilterProps) {
  const options = Object.entries(RANGES).map(([value, { label }]) => ({ value, label: label as string }));
  options.push({ value: "all", label: "Any time" });
  if (range.name === "custom") options.push({ value: "custom", label: "Custom time" });
  return (
    <form method="get" action={place.path} class="log-filter" data-apply>
      <SelectField name="range" label={LABELS.range} value={range.name} options={options} problems={problems} />
      <SelectField
        name="level"
        label={LABELS.level}
        value={filter.level}
        empty="All levels"
        options={LEVEL_OPTIONS}
        problems={problems}
      />
      {place.functionId === undefined && (
        <OwnerField
          matrix={matrix}
          scope="function"
          name="functionId"
          label={LABELS.functionId}
          value={filter.functionId}
          empty="All functions"
          problems={problems}
        />
      )}
      <KeyField matrix={matrix} value={filter.key} problems={problems} />
      <TextField
        name="search"
        type="search"
        label={LABELS.search}
        value={filter.search}
        maxlength={200}
        placeholder="Search, or a request's id"
        problems={problems}
      />
      <Kept filter={filter} names={range.name === "custom" ? ["requestId", "from", "to"] : ["requestId"]} />
      <button type="submit" class="secondary">Apply</button>
      {isFiltered(place, filter) && <a href={place.path} class="reset">Show all</a>}
    </form>
  );
}

/** The choice of a key; one that was revoked, which cannot be chosen, stays until another one is. */
function KeyField({ matrix, value, problems }: Pick<FilterProps, "matrix" | "problems"> & { value: string }) {
  const isGone = value !== "" && matrix.ownerName("key", Number(value)) === undefined;
  if (isGone) {
    return (
      <>
        <input type="hidden" name="key" value={value} />
        <span>API key {value}</span>
      </>
    );
  }
  return (
    <OwnerField
      matrix={matrix}
      scope="key"
      name="key"
      label={LABELS.key}
      value={value}
      empty="All callers"
      max={KEYS_OFFERED}
      problems={problems}
    />
  );
}

/** The fields of a custom time, in UTC as browsers send them without a zone. */
export function CustomTime({ place, filter, range, problems }: Omit<FilterProps, "matrix">) {
  const { from, until, bars } = range;
  return (
    <details class="custom-time" open={problems?.from !== undefined || problems?.to !== undefined}>
      <summary>Custom time</summary>
      <form method="get" action={place.path}>
        <input type="hidden" name="range" value="custom" />
        {place.functionId === undefined && <Kept filter={filter} names={["functionId"]} />}
        <Kept filter={filter} names={["key", "level", "search", "requestId"]} />
        <TextField
          name="from"
          type="datetime-local"
          step={1}
          label="From (UTC)"
          value={localTime(from ?? bars.from)}
          problems={problems}
        />
        <TextField
          name="to"
          type="datetime-local"
          step={1}
          label="Until (UTC)"
          value={localTime(until)}
          problems={problems}
        />
        <button type="submit" class="secondary">Show</button>
      </form>
    </details>
  );
}

function Kept({ filter, names }: { filter: Filter; names: readonly (keyof Filter)[] }) {
  return (
    <>
      {names.map((name) => filter[name] !== "" && <input type="hidden" name={name} value={filter[name]} />)}
    </>
  );
}

/** A time as fields of browsers have it. */
function localTime(ms: number | undefined): string {
  return ms === undefined ? "" : new Date(ms).toISOString().slice(0, 19);
}
