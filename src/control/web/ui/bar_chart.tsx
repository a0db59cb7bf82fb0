// Implements a picture of numbers over time: bars of stacked parts over an axis, each with what it counts and a link.

import type { Child } from "hono/jsx";
import { DAY_MS, MINUTE_MS } from "../../../time.ts";
import { ShortTime } from "./components.tsx";
import type { TimeForm } from "../format/times.ts";
import { count } from "./format.ts";

/** In units of the picture, which is stretched to its place. */
const BAR_WIDTH = 10;
const GAP = 2;
const HEIGHT = 100;
/** Of a part that has anything, so that one error among thousands of calls is seen. */
const LEAST_HEIGHT = 6;
/** How many times the axis names. */
const TICKS_MAX = 6;

export interface Bar {
  /** From the bottom up; `kind` is a CSS class. */
  readonly parts: readonly { readonly kind: string; readonly value: number }[];
  /** What the parts are, such as "5 entries, 1 error". */
  readonly says: string;
  /** Where a bar that is not empty leads. */
  readonly href: string;
}

interface BarChartProps {
  /** Names the list of bars, which is read out. */
  label: string;
  /** Says what the picture shows. */
  summary: string;
  /** CSS class and attributes for scripts. */
  class?: string;
  data?: Readonly<Record<`data-${string}`, number>>;
  /** When the first bar begins, in milliseconds since 1970. */
  from: number;
  widthMs: number;
  bars: readonly Bar[];
}

export function BarChart({ label, summary, class: name, data = {}, from, widthMs, bars }: BarChartProps) {
  const totals = bars.map(totalOf);
  const most = Math.max(...totals, 0);
  return (
    <div class={name ? `bar-chart ${name}` : "bar-chart"} {...data}>
      {most > 0 && <p class="most" aria-hidden="true">{count(most)}</p>}
      <svg
        role="img"
        aria-label={summary}
        viewBox={`0 0 ${bars.length * BAR_WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        {bars.map(({ parts }, index) => stackOf(parts, index, Math.max(1, most)))}
      </svg>
      <ul class="bars" aria-label={label}>
        {bars.map(({ says, href }, index) => (
          <li class={index * 2 < bars.length ? undefined : "late"}>
            {totals[index]! > 0 && (
              <a href={href}>
                <span class="bar-tip">
                  <Span begin={from + index * widthMs} widthMs={widthMs} />: <strong>{says}</strong>
                </span>
              </a>
            )}
          </li>
        ))}
      </ul>
      <Axis from={from} widthMs={widthMs} bars={bars.length} />
    </div>
  );
}

function totalOf({ parts }: Bar): number {
  return parts.reduce((sum, { value }) => sum + value, 0);
}

function stackOf(parts: Bar["parts"], index: number, most: number): Child {
  let top = HEIGHT;
  return parts.map(({ kind, value }) => {
    if (value === 0) return null;
    const height = Math.max(LEAST_HEIGHT, Math.round(value / most * HEIGHT));
    top = Math.max(0, top - height);
    return <rect class={kind} x={index * BAR_WIDTH + GAP / 2} y={top} width={BAR_WIDTH - GAP} height={height} />;
  });
}

/** The time of a bar, such as "31 Jan 12:00 to 12:30". */
function Span({ begin, widthMs }: { begin: number; widthMs: number }) {
  if (widthMs === DAY_MS) return <ShortTime ms={begin} form="day" />;
  const isDaily = widthMs > DAY_MS;
  return (
    <>
      <ShortTime ms={begin} form={isDaily ? "day" : "day-minute"} />
      {" to "}
      <ShortTime ms={begin + widthMs} form={isDaily ? "day" : widthMs < MINUTE_MS ? "second" : "minute"} />
    </>
  );
}

/** Names the beginnings of some bars. */
function Axis({ from, widthMs, bars }: { from: number; widthMs: number; bars: number }) {
  const step = Math.ceil(bars / TICKS_MAX);
  const form = formOf(widthMs * step, widthMs * bars);
  return (
    <ul class="axis" aria-hidden="true">
      {Array.from({ length: bars }, (_, bar) => (
        <li class={bar % (2 * step) === step ? "minor" : undefined}>
          {bar % step === 0 && <ShortTime ms={from + bar * widthMs} form={form} />}
        </li>
      ))}
    </ul>
  );
}

function formOf(stepMs: number, lengthMs: number): Exclude<TimeForm, "whole"> {
  if (stepMs >= DAY_MS) return "day";
  if (lengthMs > DAY_MS) return "day-minute";
  return stepMs < MINUTE_MS ? "second" : "minute";
}
