// Implements the tables of the busiest functions and API keys, sorted by the column that the address names.

import type { Child } from "hono/jsx";
import { z } from "zod";
import type { FunctionId, KeyId } from "../../../../ids.ts";
import type { Busiest } from "../../../../telemetry/metrics.ts";
import type { Summary } from "../../../../telemetry/tally.ts";
import type { WebDeps } from "../../shell/deps.ts";
import { DataTable } from "../../ui/data_table.tsx";
import { type Range, text } from "./figures.ts";

/** How many functions, and how many keys, are listed. */
export const LISTED_MAX = 20;

const FIGURES = [
  { id: "calls", label: "Calls", value: ({ calls }: Summary) => calls },
  { id: "errors", label: "Errors", value: ({ errors }: Summary) => errors },
  { id: "timeouts", label: "Timeouts", value: ({ timeouts }: Summary) => timeouts },
  { id: "mean", label: "Mean (ms)", value: ({ meanMs }: Summary) => meanMs },
  { id: "p50", label: "p50 (ms)", value: ({ p50Ms }: Summary) => p50Ms },
  { id: "p95", label: "p95 (ms)", value: ({ p95Ms }: Summary) => p95Ms },
  { id: "p99", label: "p99 (ms)", value: ({ p99Ms }: Summary) => p99Ms },
  { id: "max", label: "Longest (ms)", value: ({ maxMs }: Summary) => maxMs },
] as const;

/** The parameters of an address that say how the tables are sorted. */
export const sorting = {
  sort: z.enum(["name", ...FIGURES.map(({ id }) => id)]).catch("calls"),
  order: z.enum(["asc", "desc"]).optional().catch(undefined),
};

export interface Sorting {
  readonly sort: "name" | (typeof FIGURES)[number]["id"];
  readonly order?: "asc" | "desc" | undefined;
}

interface TableProps {
  deps: WebDeps;
  range: Range;
  sorting: Sorting;
}

export function ByFunction({ listed, more, deps: { matrix }, ...rest }: Busiest<FunctionId> & TableProps) {
  const rows = listed.map(([id, summary]) => {
    const name = matrix.ownerName("function", id) ?? "a deleted function";
    return { name, summary, link: <a href={`/web/functions/${id}/metrics?range=${rest.range}`}>{name}</a> };
  });
  return <Summaries id="by-function" title="By function" first="Function" rows={rows} isCut={more} {...rest} />;
}

export function ByKey({ listed, more, deps: { names }, ...rest }: Busiest<KeyId> & TableProps) {
  const rows = listed.map(([id, summary]) => {
    const name = names.ofKey(id);
    const link = name === null ? "a revoked key" : <a href={`/web/metrics?key=${id}&range=${rest.range}`}>{name}</a>;
    return { name: name ?? "", summary, link };
  });
  return <Summaries id="by-key" title="By API key" first="API key" rows={rows} isCut={more} {...rest} />;
}

interface Row {
  readonly name: string;
  readonly summary: Summary;
  readonly link: Child;
}

interface SummariesProps {
  id: string;
  title: string;
  first: string;
  rows: readonly Row[];
  /** Whether there are more than are listed. */
  isCut: boolean;
  range: Range;
  sorting: Sorting;
}

function Summaries({ id, title, first, rows, isCut, range, sorting }: SummariesProps) {
  if (rows.length === 0) return null;
  const isAscending = isAscendingBy(sorting);
  const sorted = sortedBy(sorting, rows);
  const sort = (column: Sorting["sort"]) => ({
    href: `/web/metrics?${new URLSearchParams({
      range,
      sort: column,
      order: (column === sorting.sort ? isAscending : column !== "name") ? "desc" : "asc",
    })}#${id}`,
    direction: column !== sorting.sort ? undefined : isAscending ? "ascending" as const : "descending" as const,
  });
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <DataTable
        label={`Calls ${title.replace("By", "by")}`}
        rows={sorted}
        columns={[
          { label: first, isRowHeader: true, sort: sort("name"), cell: ({ link }) => link },
          ...FIGURES.map(({ id, label, value }) => ({
            label,
            isFigure: true,
            sort: sort(id),
            cell: ({ summary }: Row) => text(value(summary)),
          })),
        ]}
      />
      {isCut && (
        <p class="quiet">
          These are the {LISTED_MAX} with the most calls. Choose any other above.
        </p>
      )}
    </section>
  );
}

/** Names begin with the first, numbers with the largest. */
function isAscendingBy({ sort, order }: Sorting): boolean {
  return order === undefined ? sort === "name" : order === "asc";
}

function sortedBy(sorting: Sorting, rows: readonly Row[]): Row[] {
  const figure = FIGURES.find(({ id }) => id === sorting.sort);
  const sign = isAscendingBy(sorting) ? 1 : -1;
  return rows.toSorted((a, b) =>
    sign * (figure ? (figure.value(a.summary) ?? -1) - (figure.value(b.summary) ?? -1) : a.name.localeCompare(b.name))
  );
}
