// Implements the fields of forms: controls with their labels, hints and problems, and the summary of problems.

import type { Child } from "hono/jsx";
import type { Problems } from "../shell/forms.ts";

export interface FieldProps {
  /** Name in the form, and part of the element's id. */
  name: string;
  label: string;
  /** A second label, such as the name of a setting in the API. */
  rawName?: string | undefined;
  /** What the field means; read out with it. */
  hint?: Child;
  /** Of the whole form; the field picks its own. */
  problems?: Problems | undefined;
  /** Begins the element's id, where several forms of one page have fields of this name. */
  prefix?: string;
}

/** Attributes that scripts read: those of htmx, and of files in static/. */
type ScriptAttributes = { readonly [attribute: `hx-${string}` | `data-${string}`]: string | boolean | undefined };

interface ControlAttributes extends ScriptAttributes {
  readonly class?: string | undefined;
  readonly required?: boolean | undefined;
  readonly readonly?: boolean | undefined;
  readonly autofocus?: boolean | undefined;
  readonly autocomplete?: string | undefined;
  readonly placeholder?: string | undefined;
  readonly minlength?: number | undefined;
  readonly maxlength?: number | undefined;
  /** Whether browsers leave the text as it is typed: no spelling marks, no capital letters of their own. */
  readonly isVerbatim?: boolean | undefined;
}

interface InputAttributes extends ControlAttributes {
  readonly type?: "text" | "search" | "email" | "password" | "date" | "datetime-local" | undefined;
  /** Of times, in seconds. */
  readonly step?: number | undefined;
  readonly inputmode?: "numeric" | undefined;
  readonly pattern?: string | undefined;
}

interface TextAreaAttributes extends ControlAttributes {
  readonly rows: number;
}

/** What ties a control to its label, hint and problem. */
export interface ControlIds {
  readonly id: string;
  readonly name: string;
  readonly "aria-describedby": string | undefined;
  readonly "aria-invalid": "true" | undefined;
  /** Set if it has the form's only problem: it gets the focus. */
  readonly "data-focus": true | undefined;
}

/** A label, the control that `children` makes, its hint and its problem. */
export function Field({ children, ...field }: FieldProps & { children: (control: ControlIds) => Child }) {
  const { name, label, rawName, hint } = field;
  const { id, problem, describedBy, hasFocus } = describe(field);
  const control: ControlIds = {
    id,
    name,
    "aria-describedby": describedBy,
    "aria-invalid": problem === undefined ? undefined : "true",
    "data-focus": hasFocus,
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {rawName !== undefined && (
        <label for={id} class="raw-name">
          <code>{rawName}</code>
        </label>
      )}
      {children(control)}
      <Notes id={id} label={label} hint={hint} problem={problem} />
    </div>
  );
}

/** Several controls under one label, such as boxes to check. */
export function FieldSet({ children, ...field }: FieldProps & { children: Child }) {
  const { label, rawName, hint } = field;
  const { id, problem, describedBy, hasFocus } = describe(field);
  return (
    <fieldset id={id} class="checks" tabindex={-1} aria-describedby={describedBy} data-focus={hasFocus}>
      <legend>
        {label}
        {rawName !== undefined && (
          <>
            {" "}
            <code class="raw-name">{rawName}</code>
          </>
        )}
      </legend>
      {children}
      <Notes id={id} label={label} hint={hint} problem={problem} />
    </fieldset>
  );
}

function describe({ name, hint, problems, prefix = "" }: FieldProps) {
  const id = `${prefix}${name}`;
  const problem = problems?.[name];
  const describedBy = [hint && `${id}-hint`, problem && `${id}-problem`].filter(Boolean).join(" ") || undefined;
  const hasFocus = problem !== undefined && Object.keys(problems!).length === 1 ? true as const : undefined;
  return { id, problem, describedBy, hasFocus };
}

function Notes({ id, label, hint, problem }: { id: string; label: string; hint: Child; problem: string | undefined }) {
  return (
    <>
      {hint && <small id={`${id}-hint`} class="hint">{hint}</small>}
      {problem && <small id={`${id}-problem`} class="problem">{sentenceOf(label, problem)}</small>}
    </>
  );
}

/** Names of those fields whose values are texts. */
type TextName<Values> = {
  [Name in keyof Values]: Values[Name] extends string | undefined ? Name : never;
}[keyof Values];

/** Returns a function that returns what each field of one form has: its name, label, value and problem. */
export function fieldsOf<Labels extends Readonly<Record<string, string>>, Values>(
  labels: Labels,
  values: Values,
  problems: Problems | undefined,
) {
  return <Name extends keyof Labels & TextName<Values> & string>(name: Name) => ({
    name,
    label: labels[name]!,
    value: (values[name] ?? "") as string,
    problems,
  });
}

/** One line of text. */
export function TextField(
  { name, label, rawName, hint, problems, prefix, value = "", isVerbatim, ...rest }:
    & FieldProps
    & InputAttributes
    & { value?: string },
) {
  return (
    <Field {...{ name, label, rawName, hint, problems, prefix }}>
      {(control) => <input type="text" value={value} {...control} {...verbatim(isVerbatim)} {...rest} />}
    </Field>
  );
}

/** Several lines of text. */
export function TextArea(
  { name, label, rawName, hint, problems, prefix, value = "", isVerbatim, ...rest }:
    & FieldProps
    & TextAreaAttributes
    & { value?: string },
) {
  return (
    <Field {...{ name, label, rawName, hint, problems, prefix }}>
      {/* HTML parsers drop the first line break of a textarea (HTML, 13.2.6.4.7), so it gets an extra one. */}
      {(control) => <textarea {...control} {...verbatim(isVerbatim)} {...rest}>{"\n" + value}</textarea>}
    </Field>
  );
}

/** A text that a program reads, such as a path, a route or a list of hosts; with `rows`, of several lines. */
export function CodeField(
  { rows, ...rest }: FieldProps & Omit<InputAttributes, "class"> & { value?: string; rows?: number },
) {
  return rows === undefined
    ? <TextField {...rest} class="code" isVerbatim />
    : <TextArea {...rest} rows={rows} class="code" isVerbatim />;
}

/** Returns the attributes of a control whose text browsers leave as it is typed. */
export function verbatim(isVerbatim: boolean | undefined): Readonly<Record<string, string>> {
  return isVerbatim ? { spellcheck: "false", autocapitalize: "off" } : {};
}

export interface Option {
  readonly value: string;
  readonly label: string;
}

export interface SelectFieldProps extends FieldProps, ControlAttributes {
  value?: string;
  options: readonly Option[];
  /** Label of the entry that stands for no choice; without it, there is no such entry. */
  empty?: string;
}

/** One of several. */
export function SelectField(
  { name, label, rawName, hint, problems, prefix, value = "", options, empty, ...rest }: SelectFieldProps,
) {
  return (
    <Field {...{ name, label, rawName, hint, problems, prefix }}>
      {(control) => (
        <select {...control} {...rest}>
          {empty !== undefined && <option value="" selected={value === ""}>{empty}</option>}
          {options.map((option) => (
            <option value={option.value} selected={option.value === value}>{option.label}</option>
          ))}
        </select>
      )}
    </Field>
  );
}

/**
 * What is wrong with a form, before it: read out at once, with links to the fields. A single problem of a field is
 * seen at the field alone, which gets the focus.
 */
export function ProblemSummary({ problems, labels, prefix = "" }: {
  problems: Problems | undefined;
  /** Labels by field; a problem of any other field has no link. */
  labels: Readonly<Record<string, string>>;
  prefix?: string;
}) {
  const entries = Object.entries(problems ?? {});
  if (entries.length === 0) return null;
  const [[field, problem] = ["", ""]] = entries;
  if (entries.length === 1) {
    const isOfField = labels[field] !== undefined;
    return (
      <p class={isOfField ? "problems of-field" : "problems"} role="alert" tabindex={-1} data-focus>
        {sentenceOf(labels[field] ?? field, problem)}
      </p>
    );
  }
  return (
    <div class="problems" role="alert" tabindex={-1} data-focus>
      <p>There are {entries.length} problems:</p>
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

/** Messages of schemas continue a sentence that begins with the field's name; those of services are whole sentences. */
function sentenceOf(label: string, problem: string): string {
  const isWhole = /^[A-Z"]/.test(problem) || label === "";
  const text = isWhole ? problem : `${label} ${problem}`;
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
