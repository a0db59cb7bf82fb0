// Implements what pages are built from: facts, times, texts to copy, pagers; and gives the rest from one place.

import type { Child } from "hono/jsx";
import { ButtonLink } from "./button.tsx";
import { Icon } from "../icons/icon.tsx";

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

/** A point in time. Scripts replace the text by one in the reader's format and time zone. */
export function Time({ ms }: { ms: number }) {
  const iso = new Date(ms).toISOString();
  return <time datetime={iso}>{iso.slice(0, 16).replace("T", " ")} UTC</time>;
}

/** How much of a time is shown where its day, or its length, is clear: the same as in static/app.js. */
export type TimeForm = "day" | "day-minute" | "minute" | "second";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A point in time in a few characters, such as on an axis. Scripts replace the text as that of `Time`. */
export function ShortTime({ ms, form }: { ms: number; form: TimeForm }) {
  const iso = new Date(ms).toISOString();
  const day = `${Number(iso.slice(8, 10))} ${MONTHS[Number(iso.slice(5, 7)) - 1]}`;
  const clock = iso.slice(11, form === "second" ? 19 : 16);
  return (
    <time datetime={iso} data-form={form}>
      {form === "day" ? day : form === "day-minute" ? `${day} ${clock}` : clock}
    </time>
  );
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
  return <time datetime={iso} title={`${iso.slice(0, 16).replace("T", " ")} UTC`} data-relative>{text}</time>;
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
