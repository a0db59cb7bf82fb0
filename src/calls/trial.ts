// Reports what narrower rights, which a function has on trial, would have refused to a call.

import { maySecretBeAsked, type Trial } from "../core/functions/permissions.ts";
import type { SecretName } from "../ids.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { type Call, type CallLog, logCall } from "./failures.ts";

/** Returns a function to be called with the name of each value that is disclosed to a call of a function on trial. */
export function onTrial(
  call: Call,
  trial: Trial,
  deps: CallLog & { readonly metrics: Pick<Metrics, "refusedOnTrial"> },
): (name: string) => void {
  const reported = new Set<string>();
  return (name) => {
    if (reported.has(name) || maySecretBeAsked(trial.secrets, name as SecretName)) return;
    reported.add(name);
    deps.metrics.refusedOnTrial(call.fn.id);
    logCall(deps, call, "warn", "error", `On trial: the secret ${name} would be refused. It was given.`);
  };
}
