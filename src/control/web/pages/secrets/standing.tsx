// Says how a value of a name and an owner stands to the other values of that name: which it would win over.

import type { Scope, SecretName } from "../../../../ids.ts";
import { SCOPES } from "../../../../ids.ts";
import { OWNER_FIELDS } from "../../../inputs/secret_schemas.ts";
import { secretName } from "../../../inputs/fields.ts";
import type { WebDeps } from "../../shell/deps.ts";
import { OwnerName } from "../../ui/owner_name.tsx";
import { parsePositiveInt } from "../../ui/format.ts";
import { namePath } from "./browse.tsx";
import { secretPath } from "./one_secret.ts";

/** Other values that are named. */
const OTHERS_MAX = 5;

interface StandingProps {
  /** Name, scope and owners, as they are typed. */
  fields: Readonly<Record<string, string>>;
  deps: WebDeps;
}

export function Standing({ fields, deps }: StandingProps) {
  const scope = SCOPES.find((known) => known === fields.scope);
  const name = secretName().safeParse((fields.name ?? "").trim());
  return (
    <>
      {scope && <p>{PRECEDENCE[scope]}</p>}
      {name.success && <Others name={name.data} scope={scope} fields={fields} deps={deps} />}
    </>
  );
}

/** What a value of each scope wins over, and what wins over it. */
const PRECEDENCE: Readonly<Record<Scope, string>> = {
  global: "Every function gets it, unless the function, or the group or key of the caller, has a value of its own.",
  function: "Calls of this function get it instead of the global value, unless the caller's group or key has its own.",
  group:
    "Calls with a key of this group get it instead of the values of functions and the global one, unless the key " +
    "has its own.",
  key: "Calls with this key get it instead of any other value.",
};

function Others({ name, scope, fields, deps }: StandingProps & { name: SecretName; scope: Scope | undefined }) {
  const { matrix } = deps;
  const { values, next } = matrix.values(name, {}, undefined, OTHERS_MAX);
  if (values.length === 0) return <p>Nothing else has this name.</p>;
  const ownerId = scope === undefined || scope === "global" ? 0 : parsePositiveInt(fields[OWNER_FIELDS[scope]] ?? "");
  const same = scope && ownerId !== undefined && matrix.values(name, { scope, ownerId }, undefined, 1).values[0];
  if (same) {
    return (
      <p class="problem">
        It has a value here already. <a href={`${secretPath(same.id)}/edit`}>Edit that one</a> instead.
      </p>
    );
  }
  return (
    <>
      <p>
        <a href={namePath(name)}>This name</a> is also set for:
      </p>
      <ul class="plain">
        {values.map((row) => (
          <li>
            <OwnerName {...row} />
          </li>
        ))}
        {next && <li>and others</li>}
      </ul>
    </>
  );
}
