// Implements how pages name the owner of a secret, and the dropdowns that choose one, which stay usable with thousands of
// owners.

import type { FunctionId, GroupId, Owner, Scope } from "../../../ids.ts";
import type { RegisteredFunction } from "../../../core/functions/registry.ts";
import type { SecretMatrix } from "../../../core/secrets/matrix.ts";
import { idText } from "../../inputs/fields.ts";
import { ChoiceField, Options, typedFind } from "./searchable_select.tsx";
import type { Option, SelectFieldProps } from "./fields.tsx";
import type { Web, WebDeps } from "../shell/deps.ts";
import { Badge } from "./notice.tsx";
import { ownerAddress, SCOPE_LABELS, SECRETS, urlWithQuery } from "./secret_labels.ts";

export type OwnedScope = Exclude<Scope, "global">;
export const OWNED_SCOPES = ["function", "group", "key"] as const satisfies readonly OwnedScope[];

/** The owner of a secret, with a link to its page unless it may be gone. */
export function OwnerName({ owner, ownerName, isGone }: { owner: Owner; ownerName: string | null; isGone?: boolean }) {
  return <ScopedName scope={owner.scope} name={ownerName} href={isGone ? undefined : ownerAddress(owner)} />;
}

/** A scope, and the name of an owner in it; null for global. */
export function ScopedName({ scope, name, href }: { scope: Scope; name: string | null; href?: string | undefined }) {
  const text = name ?? "every function";
  return (
    <span class={name === null ? "owner-name everyone" : "owner-name"}>
      <Badge kind="plain">{SCOPE_LABELS[scope]}</Badge> {href === undefined ? text : <a href={href}>{text}</a>}
    </span>
  );
}

/** How many entries a dropdown has at most. To find other owners, the user types a part of the name. */
const OPTIONS_MAX = 1_000;

interface Offered {
  readonly scope: OwnedScope;
  /** The groups whose keys are offered; undefined for those of all groups. */
  readonly groups: readonly GroupId[] | undefined;
}

/** Returns the owners to choose from, by name; always includes the one with id `chosen`. */
function ownerOptions(
  matrix: SecretMatrix,
  { scope, groups }: Offered,
  search: string,
  chosen: string,
  max: number,
): Option[] {
  const found = groups === undefined ? matrix.owners(scope, search, max) : matrix.keysOf(groups, search, max);
  const options = found.map(({ id, name }) => ({ value: String(id), label: name }));
  if (chosen !== "" && !options.some(({ value }) => value === chosen)) {
    const name = matrix.ownerName(scope, Number(chosen));
    // With a search, it may be one of these keys.
    const why = groups === undefined || search !== "" ? "" : groups.length === 0 ? ", ignored" : ", cannot call it";
    if (name) options.unshift({ value: chosen, label: name + why });
  }
  return options;
}

interface OwnerFieldProps extends Omit<SelectFieldProps, "label" | "options"> {
  matrix: SecretMatrix;
  scope: OwnedScope;
  label?: string;
  /** The id of the owner that is chosen; "" for none. */
  value: string;
  empty: string;
  /** Offers only keys that can call this function. */
  callable?: RegisteredFunction | undefined;
  /** How many are offered before a part of a name is typed. */
  max?: number;
}

export function OwnerField(
  { matrix, scope, name, label, value, empty, callable, max = OPTIONS_MAX, ...rest }: OwnerFieldProps,
) {
  return (
    <div class={`owner owner-${scope}`}>
      <ChoiceField
        name={name}
        label={label ?? SCOPE_LABELS[scope]}
        value={value}
        options={ownerOptions(matrix, { scope, groups: callable?.keys }, "", value, max)}
        max={max}
        empty={empty}
        narrow={urlWithQuery(`${SECRETS}/owners`, { scope, field: name, empty, callable: callable?.id })}
        {...rest}
      />
    </div>
  );
}

/** Adds the route that narrows a dropdown. */
export function addOwners(web: Web, { matrix, registry }: WebDeps): void {
  web.get(`${SECRETS}/owners`, (c) => {
    const { scope, field = "", empty = "", find, callable, ...fields } = c.req.query();
    const owned = OWNED_SCOPES.find((known) => known === scope);
    if (!owned) return c.notFound();
    const chosen = /^[1-9]\d{0,14}$/.exec(fields[field] ?? "")?.[0] ?? "";
    const groups = callable === undefined ? undefined : registry.get(idText<FunctionId>().parse(callable)).keys;
    const options = ownerOptions(matrix, { scope: owned, groups }, typedFind(find), chosen, OPTIONS_MAX);
    return c.html(<Options options={options} chosen={chosen} empty={empty} />);
  });
}
