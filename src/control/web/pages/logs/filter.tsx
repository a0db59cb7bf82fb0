// Implements the filter of the logs' page: its fields, and the addresses of filtered pages.

import { LEVELS } from "../../../../telemetry/logs.ts";
import { SelectField, TextField } from "../../ui/fields.tsx";
import { OwnerField } from "../../ui/owner_name.tsx";
import type { WebDeps } from "../../shell/deps.ts";
import type { Problems } from "../../shell/forms.ts";
import { RANGES, type TimeRange } from "./time_range.ts";

/** Parameters of the page, in the order of its address. */
export const PARAMETERS = ["functionId", "level", "search", "requestId", "range", "from", "to"] as const;
export const LABELS = {
  functionId: "Function",
  level: "Level",
  search: "Search",
  requestId: "Request",
  range: "Time",
  from: "From",
  to: "Until",
};
export type Filter = Readonly<Record<(typeof PARAMETERS)[number], string>>;

const LEVEL_OPTIONS = [
  { value: "info", label: "Info and above" },
  { value: "warn", label: "Warnings and errors" },
  { value: "error", label: "Errors" },
] as const satisfies readonly { value: (typeof LEVELS)[number]; label: string }[];

/** Returns the address of the page with these parameters; an empty one is left out. */
export function logsPath(filter: Partial<Filter>, more: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams({ ...Object.fromEntries(definedOf(filter)), ...more });
  return query.size === 0 ? "/web/logs" : `/web/logs?${query}`;
}

/** Returns the query of the API for the same entries. */
export function apiQuery(
  { functionId, level, search, requestId }: Filter,
  { from, until }: Pick<TimeRange, "from" | "until">,
): URLSearchParams {
  return new URLSearchParams(definedOf({
    functionId,
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
  filter: Filter;
  range: TimeRange;
  problems: Problems | undefined;
  matrix: WebDeps["matrix"];
}

/** The row of fields. A script applies it when a field changes, and hides the button. */
export function FilterForm({ filter, range, problems, matrix }: FilterProps) {
  const isFiltered = PARAMETERS.some((name) => filter[name] !== "");
  const options = Object.entries(RANGES).map(([value, { label }]) => ({ value, label: label as string }));
  options.push({ value: "all", label: "Any time" });
  if (range.name === "custom") options.push({ value: "custom", label: "Custom time" });
  return (
    <form method="get" action="/web/logs" class="log-filter" data-apply>
      <SelectField name="range" label={LABELS.range} value={range.name} options={options} problems={problems} />
      <OwnerField
        matrix={matrix}
        scope="function"
        name="functionId"
        label={LABELS.functionId}
        value={filter.functionId}
        empty="All functions"
        problems={problems}
      />
      <SelectField
        name="level"
        label={LABELS.level}
        value={filter.level}
        empty="All levels"
        options={LEVEL_OPTIONS}
        problems={problems}
      />
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
      {isFiltered && <a href="/web/logs" class="reset">Show all</a>}
    </form>
  );
}

/** The fields of a custom time, in UTC as browsers send them without a zone. */
export function CustomTime({ filter, range, problems }: Omit<FilterProps, "matrix">) {
  const { from, until, bars } = range;
  return (
    <details class="custom-time" open={problems?.from !== undefined || problems?.to !== undefined}>
      <summary>Custom time</summary>
      <form method="get" action="/web/logs">
        <input type="hidden" name="range" value="custom" />
        <Kept filter={filter} names={["functionId", "level", "search", "requestId"]} />
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
