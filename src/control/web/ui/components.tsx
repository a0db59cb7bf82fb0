// The pieces that pages are put together from: fields with their labels and problems, notices, times, pagers.

import type { Child } from "hono/jsx";
import type { Problems } from "../shell/forms.ts";

interface FieldProps {
  /** Name in the form, and part of the element's id. */
  name: string;
  label: string;
  /** What the field means; read out with it. */
  hint?: Child;
  /** Of the whole form; the field picks its own. */
  problems?: Problems | undefined;
  /** Tells the fields of several forms on one page apart. */
  prefix?: string;
}

/** Ids and ARIA attributes of a field: its hint and its problem are read out with it. */
function described({ name, hint, problems, prefix = "" }: FieldProps) {
  const id = `${prefix}${name}`;
  const problem = problems?.[name];
  const descriptions = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(" ");
  return {
    id,
    problem,
    aria: { "aria-describedby": descriptions || undefined, "aria-invalid": problem ? "true" as const : undefined },
  };
}

function Around({ field, children }: { field: FieldProps; children: Child }) {
  const { id, problem } = described(field);
  return (
    <div class="field">
      <label for={id}>{field.label}</label>
      {children}
      {field.hint && <small id={`${id}-hint`} class="hint">{field.hint}</small>}
      {problem && <small id={`${id}-problem`} class="problem">{sentenceOf(field.label, problem)}</small>}
    </div>
  );
}

// deno-lint-ignore no-explicit-any
type Attributes = Record<string, any>;

/** One line of text. Further attributes (`required`, `type`, `pattern`, `hx-…`) go to the input. */
export function TextField({ name, label, hint, problems, prefix, value = "", ...rest }: FieldProps & Attributes) {
  const field = { name, label, hint, problems, prefix } as FieldProps;
  const { id, aria } = described(field);
  return (
    <Around field={field}>
      <input type="text" id={id} name={name} value={value} {...aria} {...rest} />
    </Around>
  );
}

/** Several lines of text. */
export function TextArea({ name, label, hint, problems, prefix, value = "", ...rest }: FieldProps & Attributes) {
  const field = { name, label, hint, problems, prefix } as FieldProps;
  const { id, aria } = described(field);
  return (
    <Around field={field}>
      {/* A parser drops the first line break of a textarea (HTML, 13.2.6.4.7), so one is given to it. */}
      <textarea id={id} name={name} {...aria} {...rest}>{"\n" + value}</textarea>
    </Around>
  );
}

export interface Option {
  readonly value: string;
  readonly label: string;
}

/** One of several. */
export function SelectField(
  { name, label, hint, problems, prefix, value = "", options, empty, ...rest }: FieldProps & Attributes & {
    options: readonly Option[];
    /** What the entry says that stands for none. */
    empty?: string;
  },
) {
  const field = { name, label, hint, problems, prefix } as FieldProps;
  const { id, aria } = described(field);
  return (
    <Around field={field}>
      <select id={id} name={name} {...aria} {...rest}>
        {empty !== undefined && <option value="" selected={value === ""}>{empty}</option>}
        {options.map((option) => <option value={option.value} selected={option.value === value}>{option.label}
        </option>)}
      </select>
    </Around>
  );
}

/** What is wrong with a form, before it: read out at once, with links to the fields. */
export function ProblemSummary({ problems, labels, prefix = "" }: {
  problems: Problems | undefined;
  /** Labels by field; others are told without a link. */
  labels: Readonly<Record<string, string>>;
  prefix?: string;
}) {
  const entries = Object.entries(problems ?? {});
  if (entries.length === 0) return null;
  return (
    <div class="problems" role="alert" tabindex={-1} data-focus>
      <p>{entries.length === 1 ? "Please fix this:" : `Please fix these ${entries.length} things:`}</p>
      <ul>
        {entries.map(([field, problem]) => (
          <li>
            {labels[field] === undefined
              ? sentenceOf(field, problem)
              : <a href={`#${prefix}${field}`}>{sentenceOf(labels[field], problem)}</a>}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Schemas' messages continue a sentence that the field's name begins; services' are whole ones. */
function sentenceOf(label: string, problem: string): string {
  const whole = /^[A-Z"]/.test(problem) || label === "";
  const text = whole ? problem : `${label} ${problem}`;
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** A point in time: as the machine's format for scripts, which show it in the reader's own. */
export function Time({ ms }: { ms: number }) {
  const iso = new Date(ms).toISOString();
  return <time datetime={iso}>{iso.slice(0, 16).replace("T", " ")} UTC</time>;
}

/** Units with their length, and from how long on they are used. */
const SPANS: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, ms: number, from: number])[] = [
  ["year", 365 * 86_400_000, 730 * 86_400_000],
  ["month", 30 * 86_400_000, 120 * 86_400_000],
  ["day", 86_400_000, 86_400_000],
  ["hour", 3_600_000, 3_600_000],
  ["minute", 60_000, 60_000],
];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "always" });

/** A point in time as people tell it, such as "3 days ago" or "in 2 hours"; the exact one is its title. */
export function Ago({ ms, now }: { ms: number; now: number }) {
  const iso = new Date(ms).toISOString();
  const [unit, span] = SPANS.find(([, , from]) => Math.abs(ms - now) >= from) ?? [undefined, 1];
  const text = unit === undefined ? "just now" : RELATIVE.format(Math.round((ms - now) / span), unit);
  return <time datetime={iso} title={`${iso.slice(0, 16).replace("T", " ")} UTC`} data-relative>{text}</time>;
}

/** Text to be taken over exactly, such as a command, with a button that copies it. */
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

/** Where a list has nothing to show: why, and what to do. */
export function Empty({ children }: { children: Child }) {
  return <div class="empty">{children}</div>;
}

/** Leads to the rest of a list. */
export function Pager({ next, what }: { next: string | undefined; what: string }) {
  if (next === undefined) return null;
  return (
    <nav class="pager" aria-label={`More ${what}`}>
      <a href={next} rel="next" role="button">More {what}</a>
    </nav>
  );
}

/** A button that posts `action` on its own. */
export function PostButton({ action, label, kind = "", fields = {}, describe }: {
  action: string;
  label: string;
  kind?: "" | "secondary" | "secondary outline" | "danger" | "link";
  fields?: Record<string, string>;
  /** What it acts upon, for those who do not see the row. */
  describe?: string;
}) {
  return (
    <form method="post" action={action} class="inline">
      {Object.entries(fields).map(([name, value]) => <input type="hidden" name={name} value={value} />)}
      <button type="submit" class={kind} aria-label={describe && `${label} ${describe}`}>{label}</button>
    </form>
  );
}
