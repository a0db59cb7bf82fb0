// Implements a dropdown that may have thousands of entries: with many of them, typing a part of a name narrows it.

import { type Option, SelectField, type SelectFieldProps } from "./fields.tsx";

/** A dropdown with this many entries can be narrowed by typing. */
const NARROWED_FROM = 20;
/** In characters; no name is longer. */
const FIND_MAX_LENGTH = 255;

export interface ChoiceProps extends SelectFieldProps {
  /** How many entries `options` has at most; with that number, the field says that there are more. */
  max: number;
  empty: string;
  /** Address that answers with `Options` for the query's `find`; it gets the field's value, too. */
  narrow: string;
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
          aria-controls={id}
          data-narrow={narrow}
        />
      )}
    </>
  );
}

/** Returns what was typed to narrow a dropdown, without what no name can hold. */
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
