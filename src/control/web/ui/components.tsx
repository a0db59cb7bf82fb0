// Implements what pages are built from: buttons of forms, facts, times, badges, pagers.

import type { Child } from "hono/jsx";

/** The buttons below a form: the one that sends it, further ones as children, and a link that leaves it. */
export function FormActions({ submit, kind, autofocus, children, cancel, cancelLabel = "Cancel" }: {
  submit: string;
  kind?: "danger";
  autofocus?: boolean;
  children?: Child;
  /** Address of the page to leave to; without it, there is no link. */
  cancel?: string | undefined;
  cancelLabel?: string;
}) {
  return (
    <div class="actions">
      <button type="submit" class={kind} autofocus={autofocus}>{submit}</button>
      {children}
      {cancel !== undefined && <a href={cancel} role="button" class="secondary outline">{cancelLabel}</a>}
    </div>
  );
}

/** A list of names and values; its children are `Fact`s. */
export function Facts({ children }: { children: Child }) {
  return <dl class="facts">{children}</dl>;
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
export function CopyLine({ id, text, label }: { id: string; text: string; label: string }) {
  return (
    <div class="copy-line">
      <pre id={id}><code>{text}</code></pre>
      <button type="button" class="secondary" data-copy={id} aria-label={label}>Copy</button>
    </div>
  );
}

export function Badge({ kind, children }: { kind: "ok" | "off" | "warn" | "bad" | "plain"; children: Child }) {
  return <span class={`badge ${kind}`}>{children}</span>;
}

/** The content of an empty list: why it is empty, and what to do. */
export function Empty({ children }: { children: Child }) {
  return <div class="empty">{children}</div>;
}

/** The link to the next page of a list. */
export function Pager({ next, what }: { next: string | undefined; what: string }) {
  if (next === undefined) return null;
  return (
    <nav class="pager" aria-label={`More ${what}`}>
      <a href={next} rel="next" role="button">More {what}</a>
    </nav>
  );
}

/** A button that posts to `action`, with a form of its own. */
export function PostButton({ action, label, kind = "", fields = {}, describe }: {
  action: string;
  label: string;
  kind?: "" | "secondary" | "secondary outline" | "danger" | "link";
  fields?: Record<string, string>;
  /** The object of the action, for screen readers. */
  describe?: string;
}) {
  return (
    <form method="post" action={action} class="inline">
      {Object.entries(fields).map(([name, value]) => <input type="hidden" name={name} value={value} />)}
      <button type="submit" class={kind} aria-label={describe && `${label} ${describe}`}>{label}</button>
    </form>
  );
}
