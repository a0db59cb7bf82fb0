// Checks whether the secrets that a function's code needs have values for everyone who may call the function.

import { maySecretBeAsked } from "../../core/functions/permissions.ts";
import type { RegisteredFunction } from "../../core/functions/registry.ts";
import type { SecretName } from "../../ids.ts";
import type { Store } from "../../store/store.ts";
import { askedSecrets } from "./asked_secrets.ts";
import type { DeploymentFindings, DeploymentProblem } from "./problems.ts";

export interface SourceFile {
  /** Path in the code folder. */
  readonly path: string;
  readonly text: string;
}

/** Checks the modules of a function; a new function has the id 0. */
export type SecretCheck = (entry: RegisteredFunction, modules: readonly SourceFile[]) => DeploymentFindings;

export function createSecretCheck({ functionSecrets, access }: Pick<Store, "functionSecrets" | "access">): SecretCheck {
  /** Returns for whom a name has no value, as a clause; undefined if all callers get one. */
  const lacking = ({ id, keys }: RegisteredFunction, name: SecretName): string | undefined => {
    if (functionSecrets.isSetForAll(id, name)) return undefined;
    if (keys.length === 0) return "callers of a public function: it is neither global nor the function's own";
    const without = keys.filter((group) => !functionSecrets.isSetForGroup(group, name));
    if (without.length === 0) return undefined;
    const groups = without.map((group) => `"${access.group(group)?.name ?? group}"`).join(", ");
    return `keys of the group${without.length === 1 ? "" : "s"} ${groups}`;
  };

  return (entry, modules) => {
    const [problems, warnings]: [DeploymentProblem[], DeploymentProblem[]] = [[], []];
    const seen = new Set<string>();
    for (const { path, text } of modules) {
      for (const { name, line, needed } of askedSecrets(path, text)) {
        const secret = name as SecretName;
        const why = !maySecretBeAsked(entry.secrets, secret)
          ? `The function may not ask for the secret "${name}": its \`secrets\` do not allow it.`
          : lacking(entry, secret);
        const key = `${name} ${needed}`;
        if (why === undefined || seen.has(key)) continue;
        seen.add(key);
        const message = why.endsWith(".") ? why : `The secret "${name}" has no value for ${why}.`;
        (needed ? problems : warnings).push({ kind: "secret", function: entry.name, file: path, line, message });
      }
    }
    return { problems, warnings: warnings.filter(({ message }) => !problems.some((one) => one.message === message)) };
  };
}
