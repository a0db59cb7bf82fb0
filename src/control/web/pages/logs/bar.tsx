// Implements the bar between the histogram and the entries: their numbers, what follows them, and what saves them.

import { Icon } from "../../icons/icon.tsx";
import type { SilentNode } from "../../../../telemetry/cluster/node_logs.ts";
import { LEVELS, type LogHistogram } from "../../../../telemetry/logs.ts";
import { count, plural } from "../../ui/format.ts";
import { type Filter, logsPath, type LogsPlace } from "./filter.tsx";
import type { TimeRange } from "./time_range.ts";

const LEVEL_COUNTS = {
  error: (number: number) => plural(number, "error"),
  warn: (number: number) => plural(number, "warning"),
  info: (number: number) => `${count(number)} info`,
  debug: (number: number) => `${count(number)} debug`,
} as const;

/** How many entries there are, all together and by level. */
export function Counts({ histogram: { bars, isComplete }, place, filter }: {
  histogram: LogHistogram;
  place: LogsPlace;
  filter: Filter;
}) {
  const totals = LEVELS.map((_, level) => bars.reduce((sum, counts) => sum + counts[level]!, 0));
  const total = totals.reduce((sum, number) => sum + number, 0);
  return (
    <ul class="counts" aria-label="Numbers of entries">
      <li>
        {isComplete ? plural(total, "entry", "entries") : `More than ${plural(total, "entry", "entries")}`}
      </li>
      {LEVELS.toReversed().map((level) => {
        const number = totals[LEVELS.indexOf(level)]!;
        const text = <span class="level">{LEVEL_COUNTS[level](number)}</span>;
        if (number === 0) return null;
        return (
          <li class={level}>
            {level === "debug" || level === filter.level
              ? text
              : <a href={logsPath(place, { ...filter, level })}>{text}</a>}
          </li>
        );
      })}
    </ul>
  );
}

/** Links to the API, which sends the entries as files. */
export function Download({ query }: { query: URLSearchParams }) {
  const href = (format: string) => `/api/logs/export?${new URLSearchParams([...query, ["format", format]])}`;
  return (
    <p class="downloads">
      <Icon name="download" />
      <span class="visually-hidden">Download</span> <a href={href("jsonl")} download>JSON lines</a>{" "}
      <a href={href("text")} download>Text</a>
    </p>
  );
}

/** Says which nodes' entries are missing; the script keeps it up to date. */
export function Silent({ nodes }: { nodes: readonly SilentNode[] }) {
  return (
    <p id="silent" role="status" class="notice" hidden={nodes.length === 0}>
      {nodes.map(({ why }) => `Entries are missing. ${why}`).join(" ")}
    </p>
  );
}

/** Leads from a time to twice its length around it. */
export function ZoomOut({ place, filter, range: { bars: { from, widthMs, count }, until }, now }: {
  place: LogsPlace;
  filter: Filter;
  range: TimeRange;
  now: number;
}) {
  const length = widthMs * count;
  const end = (until ?? from + length) + length / 2;
  const href = logsPath(place, filter, {
    range: "custom",
    from: new Date(from - length / 2).toISOString(),
    to: new Date(Math.min(end, now)).toISOString(),
  });
  return <a href={href}>Zoom out</a>;
}

/** The controls for following the log; the script shows them. */
export function Following({ query, newest }: { query: URLSearchParams; newest: string }) {
  const since = new URLSearchParams([...query, ["since", newest]]);
  return (
    <div id="following" class="following" data-stream={`/api/logs/stream?${since}`} hidden>
      <span id="following-state" class="status" role="status"></span>
      <button type="button" class="secondary" id="pause">Pause</button>
    </div>
  );
}
