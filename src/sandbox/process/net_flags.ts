// Builds Deno's flags for the connections that a sandbox process may make. Pure functions.

import { parseRange, parseRanges } from "../../addresses.ts";

/**
 * Hosts that a function may connect to only if it names them: this machine (RFC 1122 3.2.1.3, RFC 4291 2.5.3),
 * unspecified addresses, and link-local addresses, at which clouds serve credentials (RFC 3927), the last one over
 * IPv6. Deno supports ranges only for IPv4.
 */
const PRIVATE_NETS = ["127.0.0.0/8", "0.0.0.0/8", "169.254.0.0/16", "[::1]", "[::]", "[fd00:ec2::254]"];

/** Long answers are sent over TCP (RFC 7766). */
const DNS_PORT = 53;

export interface NetRules {
  /** What the function may reach: everything, nothing, or the hosts that it names. */
  readonly net: boolean | readonly string[];
  /** `host:port` of this server, and of the other nodes of its cluster, to which no function may connect. */
  readonly ownAddresses: readonly string[];
  /** `host:port` of the cluster's PostgreSQL, to which a function may connect only if it has a list that names it. */
  readonly databaseAddresses: readonly string[];
  /** Addresses of this machine. A function may listen on or connect to those that it names only. */
  readonly machineHosts: readonly string[];
  /** Names of this machine in lower case, and the addresses of each. */
  readonly machineNames: ReadonlyMap<string, readonly string[]>;
  /** What the operator denies to every function. */
  readonly denied: readonly string[];
}

/** Returns the flags. `socket` is the path of the host's socket, to which the process connects. */
export function netFlags(rules: NetRules, socket: string): string[] {
  // A denied range does not include IPv4-mapped IPv6 addresses if the bare address is allowed.
  const allowed = openEntries([...new Set(namedEntries(rules))], rules.denied);
  return [
    rules.net === true ? "--allow-net" : `--allow-net=${[`unix:${socket}`, ...allowed].join(",")}`,
    `--deny-net=${closedEntries(rules).join(",")}`,
  ];
}

/** Returns what the function may not connect to, whatever it may otherwise. */
export function closedEntries(rules: NetRules): string[] {
  const { net, ownAddresses, databaseAddresses, machineHosts, denied } = rules;
  const named = namedEntries(rules);
  const closed = [...PRIVATE_NETS, ...machineHosts].filter((host) => !named.some((entry) => contains(host, entry)));
  return [...closed, ...ownAddresses, ...(net === true ? databaseAddresses : []), ...denied];
}

/** Returns the entries of the function's list, and the addresses of this machine that they name. */
function namedEntries({ net, machineNames }: Pick<NetRules, "net" | "machineNames">): string[] {
  const entries = typeof net === "boolean" ? [] : net;
  // A name of this machine allows its addresses with the port of the entry.
  return entries.flatMap((entry) => {
    const addresses = machineNames.get(hostOf(entry).toLowerCase()) ?? [];
    return [entry, ...addresses.map((address) => address + entry.slice(hostOf(entry).length))];
  });
}

/**
 * Returns what reports whether a process may connect to a host, in lower case with its port, by its name alone; its
 * addresses may be denied. The rules are read once: a handler can ask for any number of hosts.
 */
export function reachable(rules: NetRules): (host: string) => boolean {
  const { net, machineNames } = rules;
  const named = namedEntries(rules);
  const closed = closedEntries(rules);
  const closedNames = new Set(closed.map((entry) => entry.toLowerCase()));
  const closedRanges = parseRanges(closed.map(withoutBrackets));
  return (host) => {
    const name = hostOf(host);
    if (closedNames.has(host) || closedNames.has(name) || closedRanges.contains(withoutBrackets(name))) return false;
    if (net === true) return !machineNames.has(name);
    return namesHost(named, name, Number(host.slice(name.length + 1)));
  };
}

/** Reports whether `net` names the host, IPv6 in brackets, with this port or any. */
export function namesHost(net: NetRules["net"], host: string, port: number): boolean {
  if (typeof net === "boolean") return net;
  return net.some((entry) => {
    const named = hostOf(entry);
    return isNamedBy(named.toLowerCase(), host) && (named === entry || entry === `${named}:${port}`);
  });
}

/** Reports whether an entry without its port, in lower case, names the host: itself, or by `*.` what is above it. */
export function isNamedBy(named: string, host: string): boolean {
  return named === host ||
    (named.startsWith("*.") && (host === named.slice(2) || host.endsWith(named.slice(1))));
}

/** Returns the TCP ports that `net` needs, including DNS; undefined if it may need any. */
export function tcpPorts(net: NetRules["net"]): number[] | undefined {
  if (net === true) return undefined;
  if (net === false) return [];
  const ports = net.map((entry) => /:(\d+)$/.exec(entry)?.[1]);
  return ports.includes(undefined) ? undefined : [...new Set([DNS_PORT, ...ports.map(Number)])];
}

/** Returns the entries that the operator's `denied` does not cover. */
export function openEntries(entries: readonly string[], denied: readonly string[]): string[] {
  return entries.filter((entry) => !denied.some((denial) => covers(denial, entry)));
}

/** Reports whether the operator's `denial` covers all of `entry`. */
function covers(denial: string, entry: string): boolean {
  return denial === entry || contains(denial, entry);
}

/** Reports whether `host`, an address, a range of IPv4 or a name, contains the host of `entry`. */
function contains(host: string, entry: string): boolean {
  const range = parseRange(withoutBrackets(host));
  if (!range) return host.toLowerCase() === hostOf(entry).toLowerCase();
  return range.contains(withoutBrackets(hostOf(entry)));
}

/** Returns `entry` without its port. */
export function hostOf(entry: string): string {
  return entry.replace(/:\d+$/, "");
}

/** Returns an IPv6 address without brackets; other hosts unchanged. */
function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}
