// A dropdown of what there may be thousands of: with many entries, typing a part of a name narrows it.

import { type Option, SelectField } from "./components.tsx";
import type { Problems } from "../shell/forms.ts";

/** From so many entries on, a dropdown can be narrowed by typing. */
const NARROWED_FROM = 20;
/** What is typed to narrow it; no name is longer. */
const FIND_MAX_LENGTH = 255;

interface ChoiceProps {
  /** Of the form field. */
  name: string;
  label: string;
  hint?: string;
  value: string;
  options: readonly Option[];
  /** How many entries `options` has at most; so many say that there are more. */
  max: number;
  /** What the entry says that stands for none. */
  empty: string;
  /** Answers with `Options` for the query's `find`; gets the field's value, too. */
  narrow: string;
  problems?: Problems | undefined;
  prefix?: string;
  // Further attributes of the select.
  // deno-lint-ignore no-explicit-any
  [attribute: string]: any;
}

export function ChoiceField({ name, label, options, max, narrow, prefix = "", ...rest }: ChoiceProps) {
  const id = `${prefix}${name}`;
  return (
    <>
      <SelectField name={name} label={label} options={options} prefix={prefix} {...rest} />
      {options.length >= NARROWED_FROM && (
        <input
          type="search"
          class="choice-find"
          name="find"
          form="nowhere"
          autocomplete="off"
          maxlength={FIND_MAX_LENGTH}
          placeholder={options.length >= max ? "There are more: type a part of the name" : "Narrow this list"}
          aria-label={`Narrow the list: ${label.toLowerCase()}`}
          hx-get={narrow}
          hx-trigger="input changed delay:200ms"
          hx-include={`#${id}`}
          hx-target={`#${id}`}
          hx-swap="innerHTML"
        />
      )}
    </>
  );
}

/** What was typed to narrow a dropdown. */
export function typedFind(find: string | undefined): string {
  return (find ?? "").slice(0, FIND_MAX_LENGTH);
}

/** The entries of a dropdown that is being narrowed. */
export function Options({ options, chosen, empty }: { options: readonly Option[]; chosen: string; empty: string }) {
  return (
    <>
      <option value="">{options.length === 0 ? "No matches" : empty}</option>
      {options.map(({ value, label }) => <option value={value} selected={value === chosen}>{label}</option>)}
    </>
  );
}
