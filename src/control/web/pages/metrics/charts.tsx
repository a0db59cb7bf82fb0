// Implements what static/metrics.js draws: charts with their legends, the table that they are drawn from, and the changes
// that they mark.

import type { RegisteredFunction } from "../../../../core/functions/registry.ts";
import type { Resolution } from "../../../../store/metrics.ts";
import type { WebDeps } from "../../shell/deps.ts";
import { Time } from "../../ui/components.tsx";
import { type Column, DataTable } from "../../ui/data_table.tsx";
import { CHARTS, COLUMNS, drawnColumns, type Point, text } from "./figures.ts";

/** How many deployments and changes of functions are marked. */
const CHANGES_MAX = 20;
const MESSAGE_MAX_LENGTH = 60;

export function Charts({ rows, lengthMs }: { rows: readonly Point[]; lengthMs: number }) {
  return (
    <div class="charts">
      {CHARTS.map((chart) => {
        const columns = drawnColumns(chart, rows);
        if (columns.length === 0) return null;
        const { title, kind, unit } = chart;
        return (
          <figure
            data-chart={columns.map(({ id }) => id).join(" ")}
            data-kind={kind}
            data-unit={unit}
            data-length={lengthMs / 1_000}
            hidden
          >
            <figcaption>
              {title} <span class="at"></span>
            </figcaption>
            <ul class="legend">
              {columns.map(({ id, label }) => (
                <li>
                  <button
                    type="button"
                    class={`legend-item line-${chart.columns.indexOf(id) + 1}`}
                    data-column={id}
                    aria-pressed="true"
                    title={`Show or hide ${label}`}
                  >
                    <svg class="swatch" viewBox="0 0 16 8" aria-hidden="true">
                      {kind === "bars" ? <rect width="16" height="8" rx="1" /> : <line x1="0" y1="4" x2="16" y2="4" />}
                    </svg>
                    <span class="name">{label}</span> <span class="value"></span>
                  </button>
                </li>
              ))}
            </ul>
            <div class="plot" role="img" aria-label={`Chart: ${title}. The numbers are in the table below.`}></div>
          </figure>
        );
      })}
    </div>
  );
}

export function Numbers({ rows, resolution }: { rows: readonly Point[]; resolution: Resolution }) {
  return (
    <>
      <h2>Numbers</h2>
      <details id="all-numbers">
        <summary>Show the numbers by {resolution.slice(0, -1)}</summary>
        <DataTable
          label="The numbers that the charts show"
          id="numbers"
          rows={rows}
          rowData={({ at }) => ({ "data-at": at / 1_000 })}
          columns={[
            { label: "From", isRowHeader: true, cell: ({ at }) => <Time ms={at} /> },
            ...COLUMNS.map(({ id, label, unit, value }): Column<Point> => ({
              label: unit ? `${label} (${unit})` : label,
              data: { "data-column": id, "data-label": label },
              cell: ({ tally, summary }) => text(value(tally, summary)),
            })),
          ]}
        />
      </details>
    </>
  );
}

/** A deployment or a change of a function, which charts mark. */
interface Marked {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly href: string;
  readonly label: string;
}

/** Returns the newest deployments and changes of functions of a time; of one function if one is shown. */
export function changesOf(
  { audit, deployments }: WebDeps,
  shown: RegisteredFunction | undefined,
  from: number,
  to: number,
): Marked[] {
  const deployed = deployments.list(Number.MAX_SAFE_INTEGER, CHANGES_MAX).deployments
    .filter(({ at }) => at >= from && at < to)
    .map(({ id, at, message }) => ({
      at,
      href: `/web/deployments/${id}`,
      label: message === "" ? `Deployment ${id}` : `Deployment ${id}: ${message.slice(0, MESSAGE_MAX_LENGTH)}`,
    }));
  const subject = shown && { kind: "function", id: String(shown.id) };
  const changed = audit.list({ action: "function.updated", subject, from, to }, Number.MAX_SAFE_INTEGER, CHANGES_MAX)
    .entries.map(({ at, subjectId, subjectName }) => ({
      at,
      href: `/web/audit?${new URLSearchParams({
        subject: subjectId === null ? subjectName : `function:${subjectId}`,
      })}`,
      label: `${subjectName || "Functions"} changed`,
    }));
  return [...deployed, ...changed].sort((a, b) => b.at - a.at).slice(0, CHANGES_MAX);
}

/** The script draws a line for each into the charts. */
export function Changes({ changes }: { changes: readonly Marked[] }) {
  if (changes.length === 0) return null;
  return (
    <>
      <h2>Changes in this time</h2>
      <ul class="changes" id="changes">
        {changes.map(({ at, href, label }) => (
          <li data-at={at / 1_000}>
            <Time ms={at} /> <a href={href}>{label}</a>
          </li>
        ))}
      </ul>
    </>
  );
}
