// Proposes what a function needs of what it may do, from what its calls used: names of secrets, hosts, memory and time. A
// proposal never allows more than the function has, and keeps what was not observed.

import { type Confinement, coversHost, maySecretBeAsked, type Permissions } from "../core/functions/permissions.ts";
import type { RegisteredFunction, Registry } from "../core/functions/registry.ts";
import type { Settings } from "../core/settings/settings.ts";
import type { FunctionId, SecretId, SecretName } from "../ids.ts";
import { type ConnectedHost, OTHER_HOSTS } from "../store/connected_hosts.ts";
import type { SecretReadStore } from "../store/secret_reads.ts";
import type { Store } from "../store/store.ts";
import type { ConnectedHosts } from "../telemetry/connected_hosts.ts";
import { countAbove, percentiles } from "../telemetry/histogram.ts";
import type { MemoryPeaks } from "../telemetry/memory_peaks.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { addTally, newTally, type Tally } from "../telemetry/tally.ts";
import { DAY_MS } from "../time.ts";
import { LIST_MAX } from "./inputs/function_schemas.ts";

export interface Suggestion extends Pick<Confinement, "secrets" | "permissions" | "memoryMb" | "timeoutMs"> {
  /** Calls that took longer than the proposed limit, and did not time out. */
  readonly wouldHaveFailed: number;
  /** The hosts that it connected to; undefined if this is not known. */
  readonly connections: readonly Connection[] | undefined;
  /** The calls that it is made from. */
  readonly calls: number;
  /** Since when they are known, in milliseconds since 1970 UTC. */
  readonly since: number;
}

/** A host that a function connected to. */
export interface Connection extends ConnectedHost {
  /** Whether it is covered by the proposal. */
  readonly proposed: boolean;
}

export interface Suggestions {
  /** @throws AppError NotFound (404) */
  of(id: FunctionId, days: number): Suggestion;
}

export interface SuggestionsOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly settings: Settings;
  readonly metrics: Metrics;
  readonly memoryPeaks: MemoryPeaks;
  readonly connectedHosts: ConnectedHosts;
  /** Returns the name servers of this machine, with their port. */
  readonly nameServers: () => readonly string[];
  readonly reads: Pick<SecretReadStore, "exposed">;
  /** Since when reads are counted. */
  readonly countedSince: () => number;
  /** Stores what was counted so far. */
  readonly flush: () => void;
  readonly now: () => number;
}

/** The share of the calls from which a time is proposed, and how much longer it is than any of these took. */
const TIMELY_SHARE = 0.999;
const TIME_FACTOR = 2;
const TIMEOUT_MIN_MS = 1_000;
/** Memory is sampled, so that a peak between two samples is not seen. */
const MEMORY_FACTOR = 1.5;
const MEMORY_MIN_MB = 32;
const MEMORY_STEP_MB = 16;

export function createSuggestions(options: SuggestionsOptions): Suggestions {
  const { registry, settings, metrics, memoryPeaks, connectedHosts, reads, countedSince, flush, now } = options;

  return {
    of(id, days) {
      const entry = registry.get(id);
      flush();
      // Of a day before that, calls are known whose reads are not.
      const from = beginningOfDay(Math.max(now() - (days - 1) * DAY_MS, countedSince()));
      const tally = newTally();
      for (const point of metrics.points("days", id, from, Infinity)) addTally(tally, point.tally);
      const { permissions, timeoutMs, memoryMb } = entry;
      const since = Math.max(from, countedSince(), entry.createdAt);
      const seen = { calls: tally.calls, since };
      if (tally.calls === 0) {
        const connections = undefined;
        return { secrets: entry.secrets, permissions, memoryMb, timeoutMs, wouldHaveFailed: 0, connections, ...seen };
      }
      const limitMs = timeoutMs ?? settings.get("sandbox.timeout-ms");
      const proposedMs = timeFor(tally, limitMs);
      return {
        secrets: secretsFor(entry, from),
        ...connectionsOf(entry, from),
        memoryMb: memoryFor(memoryPeaks.since(id, from), memoryMb ?? settings.get("sandbox.memory-mb")) ?? memoryMb,
        timeoutMs: proposedMs ?? timeoutMs,
        wouldHaveFailed: proposedMs === undefined ? 0 : slower(tally, proposedMs),
        ...seen,
      };
    },
  };

  /** Returns the names that the function was given, those of deleted secrets, too; what it has if they are too many. */
  function secretsFor({ id, secrets }: RegisteredFunction, from: number): readonly string[] {
    const given = reads.exposed({ functionId: id, from, to: now() + 1 }).map(({ secretId }) => nameOf(secretId));
    const names = new Set(
      given.filter((name) => name !== undefined && maySecretBeAsked(secrets, name)) as SecretName[],
    );
    return names.size > LIST_MAX ? secrets : [...names].sort();
  }

  /** Returns the hosts of a function, and as `permissions` those that it needs; what it has if these are not known. */
  function connectionsOf(entry: RegisteredFunction, from: number): Pick<Suggestion, "permissions" | "connections"> {
    const { id, permissions } = entry;
    const { begin } = connectedHosts;
    // Of earlier days, calls are known whose hosts are not.
    const since = beginningOfDay(Math.max(from, begin ?? Infinity));
    const calls = begin === undefined || begin > now() ? 0 : callsSince(id, since);
    if (calls === 0) return { permissions, connections: undefined };
    const found = connectedHosts.since(id, since);
    const net = netFor(permissions.net, found.map(({ host }) => host), options.nameServers());
    const isProposed = (host: string) => host === OTHER_HOSTS ? net === true : coversHost(net, host);
    return {
      permissions: { net },
      connections: found.map((connected) => ({ ...connected, proposed: isProposed(connected.host) })),
    };
  }

  function callsSince(id: FunctionId, since: number): number {
    return metrics.points("days", id, since, Infinity).reduce((sum, { tally }) => sum + tally.calls, 0);
  }

  function nameOf(id: SecretId): SecretName | undefined {
    const { store } = options;
    return (store.secrets.find(id) ?? store.deletedSecrets.find(id))?.name as SecretName | undefined;
  }
}

/**
 * Returns the hosts that are needed of those that `net` allows. A name server is not: with a list, names are looked up by
 * the server, for hosts of the list alone.
 */
function netFor(
  net: Permissions["net"],
  hosts: readonly string[],
  nameServers: readonly string[],
): Permissions["net"] {
  const needed = hosts.filter((host) => host !== OTHER_HOSTS && !nameServers.includes(host) && coversHost(net, host));
  // The function may have been allowed others when it connected to these.
  const isUnknown = hosts.includes(OTHER_HOSTS) || needed.length > LIST_MAX;
  return isUnknown ? net : needed.length > 0 ? needed : false;
}

function beginningOfDay(at: number): number {
  return at - at % DAY_MS;
}

/**
 * Returns a time below `limitMs`; undefined if there is none. Calls that timed out might have needed any time, and of work
 * in the background only the sum is known.
 */
function timeFor({ histogram, timeouts, backgroundCalls }: Tally, limitMs: number): number | undefined {
  const [us] = percentiles(histogram, [TIMELY_SHARE]) ?? [];
  if (us === undefined || timeouts > 0 || backgroundCalls > 0) return undefined;
  const proposed = Math.max(TIMEOUT_MIN_MS, Math.ceil(us * TIME_FACTOR / 1_000_000) * 1_000);
  return proposed < limitMs ? proposed : undefined;
}

function slower({ histogram, calls }: Tally, ms: number): number {
  return Math.min(calls, countAbove(histogram, ms * 1_000));
}

/** Returns a limit below `limitMb`; undefined if there is none. The peak includes what Deno itself needs. */
function memoryFor(peakMb: number | undefined, limitMb: number): number | undefined {
  if (peakMb === undefined) return undefined;
  const proposed = Math.max(MEMORY_MIN_MB, Math.ceil(peakMb * MEMORY_FACTOR / MEMORY_STEP_MB) * MEMORY_STEP_MB);
  return proposed < limitMb ? proposed : undefined;
}
