// Choosing who a secret belongs to: dropdowns that stay usable with thousands of owners.

import type { Scope } from "../../../ids.ts";
import type { Overview } from "../../../secrets/overview.ts";
import { type Option, SelectField } from "../components.tsx";
import type { Web, WebDeps } from "../deps.ts";
import type { Problems } from "../forms.ts";
import { address, SCOPE_LABELS, SECRETS } from "./words.ts";

export type OwnedScope = Exclude<Scope, "global">;
export const OWNED_SCOPES = ["function", "group", "key"] as const satisfies readonly OwnedScope[];

/** Entries of a dropdown; with more owners than that, part of the name has to be typed. */
const OPTIONS_MAX = 1_000;
/** From so many on, a dropdown can be narrowed by typing. */
const NARROWED_FROM = 20;

/** Owners to choose from, by name; the one with id `chosen` is always among them. */
function ownerOptions(overview: Overview, scope: OwnedScope, search: string, chosen: string): Option[] {
  const found = overview.owners(scope, search, OPTIONS_MAX);
  const options = found.map(({ id, name }) => ({ value: String(id), label: name }));
  if (chosen !== "" && !options.some(({ value }) => value === chosen)) {
    const name = overview.ownerName(scope, Number(chosen));
    if (name) options.unshift({ value: chosen, label: name });
  }
  return options;
}

interface OwnerFieldProps {
  overview: Overview;
  scope: OwnedScope;
  /** Of the form field. */
  name: string;
  label?: string;
  hint?: string;
  /** The id of the one that is chosen. */
  value: string;
  /** What the entry says that stands for none. */
  empty: string;
  problems?: Problems | undefined;
  // Further attributes of the select.
  // deno-lint-ignore no-explicit-any
  [attribute: string]: any;
}

export function OwnerField({ overview, scope, name, label, value, empty, hint, problems, ...rest }: OwnerFieldProps) {
  const options = ownerOptions(overview, scope, "", value);
  const shownLabel = label ?? SCOPE_LABELS[scope];
  return (
    <div class={`owner owner-${scope}`}>
      <SelectField
        name={name}
        label={shownLabel}
        hint={hint}
        value={value}
        empty={empty}
        options={options}
        problems={problems}
        {...rest}
      />
      {options.length >= NARROWED_FROM && (
        <input
          type="search"
          class="narrow"
          name="find"
          form="nowhere"
          autocomplete="off"
          placeholder={options.length >= OPTIONS_MAX ? "There are more: type a part of the name" : "Narrow this list"}
          aria-label={`Narrow the list: ${shownLabel.toLowerCase()}`}
          hx-get={address(`${SECRETS}/owners`, { scope, field: name, empty })}
          hx-trigger="input changed delay:200ms"
          hx-include={`#${name}`}
          hx-target={`#${name}`}
          hx-swap="innerHTML"
        />
      )}
    </div>
  );
}

/** The entries of a dropdown that is being narrowed. */
export function addOwners(web: Web, { overview }: WebDeps): void {
  web.get(`${SECRETS}/owners`, (c) => {
    const { scope, field = "", empty = "", find = "", ...fields } = c.req.query();
    const owned = OWNED_SCOPES.find((known) => known === scope);
    if (!owned) return c.notFound();
    const chosen = /^[1-9]\d{0,14}$/.exec(fields[field] ?? "")?.[0] ?? "";
    const options = ownerOptions(overview, owned, find.slice(0, 255), chosen);
    return c.html(
      <>
        <option value="">{options.length === 0 ? "None has such a name" : empty}</option>
        {options.map(({ value, label }) => <option value={value} selected={value === chosen}>{label}</option>)}
      </>,
    );
  });
}
