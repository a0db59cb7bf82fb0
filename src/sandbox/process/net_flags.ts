// Which connections a sandbox process may make, as flags of Deno. Pure.

import { parseRange } from "../../addresses.ts";

/**
 * Where no function may connect unless it names the host: this machine (RFC 1122 3.2.1.3, RFC 4291 2.5.3),
 * unspecified and link-local addresses, where clouds answer with credentials (RFC 3927), the last one over
 * IPv6. Deno takes ranges for IPv4 only.
 */
const PRIVATE_NETS = ["127.0.0.0/8", "0.0.0.0/8", "169.254.0.0/16", "[::1]", "[::]", "[fd00:ec2::254]"];

/** Long answers come by TCP (RFC 7766). */
const DNS_PORT = 53;

export interface NetRules {
  /** What the function may reach: anything, nothing, or the hosts that it names. */
  readonly net: boolean | readonly string[];
  /** `host:port` of this server: no function may ever connect to it. */
  readonly ownAddresses: readonly string[];
  /** Addresses of this machine: no function may listen on or connect to one that it does not name. */
  readonly machineHosts: readonly string[];
  /** Names of this machine, in lower case, and the addresses that each leads to. */
  readonly machineNames: ReadonlyMap<string, readonly string[]>;
  /** What the operator closes to every function, whatever it names. */
  readonly denied: readonly string[];
}

/** Returns the flags; `socket` is the path of the host's socket, which the process has to reach. */
export function netFlags(rules: NetRules, socket: string): string[] {
  const { net, ownAddresses, machineHosts, machineNames, denied } = rules;
  const entries = typeof net === "boolean" ? [] : net;
  // A name of this machine opens its addresses, with the port that the entry has.
  const named = entries.flatMap((entry) => {
    const addresses = machineNames.get(hostOf(entry).toLowerCase()) ?? [];
    return [entry, ...addresses.map((address) => address + entry.slice(hostOf(entry).length))];
  });
  // Denying a range does not close an IPv4-mapped IPv6 address of it where the bare address is allowed.
  const allowed = openEntries([...new Set(named)], denied);
  const closed = [...PRIVATE_NETS, ...machineHosts].filter((host) => !named.some((entry) => contains(host, entry)));
  return [
    net === true ? "--allow-net" : `--allow-net=${[`unix:${socket}`, ...allowed].join(",")}`,
    `--deny-net=${[...closed, ...ownAddresses, ...denied].join(",")}`,
  ];
}

/** The TCP ports that `net` needs, DNS included; undefined if that may be any. */
export function tcpPorts(net: NetRules["net"]): number[] | undefined {
  if (net === true) return undefined;
  if (net === false) return [];
  const ports = net.map((entry) => /:(\d+)$/.exec(entry)?.[1]);
  return ports.includes(undefined) ? undefined : [...new Set([DNS_PORT, ...ports.map(Number)])];
}

/** Returns the entries that the operator's `denied` leaves open. */
export function openEntries(entries: readonly string[], denied: readonly string[]): string[] {
  return entries.filter((entry) => !denied.some((denial) => covers(denial, entry)));
}

/** Reports whether the operator's `denial` closes all that `entry` names. */
function covers(denial: string, entry: string): boolean {
  return denial === entry || contains(denial, entry);
}

/** Reports whether `host`, an address, a range of IPv4 or a name, contains the host of `entry`. */
function contains(host: string, entry: string): boolean {
  const range = parseRange(withoutBrackets(host));
  if (!range) return host.toLowerCase() === hostOf(entry).toLowerCase();
  return range.contains(withoutBrackets(hostOf(entry)));
}

/** `entry` without its port. */
export function hostOf(entry: string): string {
  return entry.replace(/:\d+$/, "");
}

/** An address of IPv6 as such; others as they are. */
function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}
