// Implements what pages are built from: facts, times, texts to copy, pagers; and gives the rest from one place.

import type { Child } from "hono/jsx";
import { ButtonLink } from "./button.tsx";
import { Icon } from "../icons/icon.tsx";
import { type TimeForm, timeText } from "../format/times.ts";

export { Button, ButtonLink, FormActions, PostButton } from "./button.tsx";
export { Card, Empty, Skeleton, Stat, Stats } from "./card.tsx";
export { Icon } from "../icons/icon.tsx";
export { Menu, MenuLink, MenuPost, Popover } from "./menu.tsx";
export { Badge, Notice, StatusDot, Tooltip } from "./notice.tsx";
export { Segments, Tabs } from "./tabs.tsx";

/** A list of names and values, side by side or with `isLines` one a line; its children are `Fact`s. */
export function Facts({ isLines, children }: { isLines?: boolean; children: Child }) {
  return <dl class={isLines ? "facts lines" : "facts"}>{children}</dl>;
}

export function Fact({ term, children }: { term: string; children: Child }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** A point in time. The frame replaces the text by one in the reader's zone. */
export function Time({ ms }: { ms: number }) {
  return <time datetime={new Date(ms).toISOString()}>{timeText(ms, "UTC")}</time>;
}

/** A point in time in a few characters, such as on an axis, or to the millisecond. */
export function ShortTime({ ms, form }: { ms: number; form: Exclude<TimeForm, "whole"> }) {
  return <time datetime={new Date(ms).toISOString()} data-form={form}>{timeText(ms, "UTC", form)}</time>;
}

/** Units with their length, and the shortest time that they are used for. */
const SPANS: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, ms: number, from: number])[] = [
  ["year", 365 * 86_400_000, 730 * 86_400_000],
  ["month", 30 * 86_400_000, 120 * 86_400_000],
  ["day", 86_400_000, 86_400_000],
  ["hour", 3_600_000, 3_600_000],
  ["minute", 60_000, 60_000],
];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "always" });

/** A point in time relative to `now`, such as "3 days ago" or "in 2 hours"; its title is the exact time. */
export function Ago({ ms, now }: { ms: number; now: number }) {
  const iso = new Date(ms).toISOString();
  const [unit, span] = SPANS.find(([, , from]) => Math.abs(ms - now) >= from) ?? [undefined, 1];
  const text = unit === undefined ? "just now" : RELATIVE.format(Math.round((ms - now) / span), unit);
  return <time datetime={iso} title={timeText(ms, "UTC")} data-relative>{text}</time>;
}

/** A text to copy, such as a command, with a button that copies it. */
export function CopyLine({ id, text, label, isPrimary = false }: {
  id: string;
  text: string;
  label: string;
  /** Whether to copy it is what the page is for. */
  isPrimary?: boolean;
}) {
  return (
    <div class="copy-line">
      <pre id={id}><code>{text}</code></pre>
      <button type="button" class={isPrimary ? undefined : "secondary"} data-copy={id} aria-label={label}>
        <Icon name="copy" />
        Copy
      </button>
    </div>
  );
}

/** The link to the next page of a list. */
export function Pager({ next, what }: { next: string | undefined; what: string }) {
  if (next === undefined) return null;
  return (
    <nav class="pager" aria-label={`More ${what}`}>
      <ButtonLink href={next} rel="next" kind="secondary">More {what}</ButtonLink>
    </nav>
  );
}
