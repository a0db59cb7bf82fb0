// Reports what narrower rights, which a function has on trial, would have refused.

import { coversHost, maySecretBeAsked } from "../core/functions/permissions.ts";
import type { FunctionId, SecretName } from "../ids.ts";
import type { Target } from "../sandbox/host/pool.ts";
import { type CheckedHosts, OTHER_HOSTS } from "../sandbox/process/permission_audit.ts";
import type { Logs } from "../telemetry/logs.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { type Call, type CallLog, logCall } from "./failures.ts";

/**
 * Returns a function to be called with the name of each value that is disclosed to a call of a function on trial, whose
 * `secrets` would be `patterns`.
 */
export function onTrial(
  call: Call,
  patterns: readonly string[],
  deps: CallLog & { readonly metrics: Pick<Metrics, "refusedOnTrial"> },
): (name: string) => void {
  const reported = new Set<string>();
  return (name) => {
    if (reported.has(name) || maySecretBeAsked(patterns, name as SecretName)) return;
    reported.add(name);
    deps.metrics.refusedOnTrial(call.fn.id);
    logCall(deps, call, "warn", "error", `On trial: the secret ${name} would be refused. It was given.`);
  };
}

export interface HostTrialOptions {
  readonly logs: Pick<Logs, "write">;
  readonly metrics: Pick<Metrics, "refusedOnTrial">;
  /** Returns the name servers of this machine, with their port: with a list, a function needs none. */
  readonly nameServers: () => readonly string[];
  /** Reports whether a refusal is to be reported: a handler can cause the same one in a loop. */
  readonly isNews: (what: string) => boolean;
}

/** Returns a function to be called with hosts that a function may connect to and asked for. */
export function hostsOnTrial(
  { logs, metrics, nameServers, isNews }: HostTrialOptions,
): (target: Pick<Target, "functionId" | "trialNet">, hosts: CheckedHosts) => void {
  return ({ functionId, trialNet }, hosts) => {
    if (trialNet === undefined) return;
    for (const host of hosts.keys()) {
      if (coversHost(trialNet, host) || !isNews(`${functionId} ${host}`) || nameServers().includes(host)) continue;
      metrics.refusedOnTrial(functionId as FunctionId);
      const what = host === OTHER_HOSTS ? "a host that no list can have" : host;
      logs.write({
        functionId: functionId as FunctionId,
        requestId: null,
        level: "warn",
        event: "error",
        message: `On trial: a connection to ${what} would be refused. It was allowed.`,
      });
    }
  };
}
