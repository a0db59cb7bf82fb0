// Which connections a sandbox process may make, as flags of Deno. Pure.

/**
 * Where no function may connect unless it names the host: this machine (RFC 1122 3.2.1.3, RFC 4291 2.5.3),
 * unspecified and link-local addresses, where clouds answer with credentials (RFC 3927), the last one over
 * IPv6. Deno takes ranges for IPv4 only. With each range, what a name in it looks like.
 */
const PRIVATE_NETS: readonly [range: string, named: RegExp][] = [
  ["127.0.0.0/8", /^(127\.|localhost(:|$))/i],
  ["0.0.0.0/8", /^0\./],
  ["169.254.0.0/16", /^169\.254\./],
  ["[::1]", /^(\[::1\]|localhost(:|$))/i],
  ["[::]", /^\[::\]/],
  ["[fd00:ec2::254]", /^\[fd00:ec2::254\]/i],
];

/** Long answers come by TCP (RFC 7766). */
const DNS_PORT = 53;

export interface NetRules {
  /** What the function may reach: anything, nothing, or the hosts that it names. */
  readonly net: boolean | readonly string[];
  /** `host:port` of this server: no function may ever connect to it. */
  readonly ownAddresses: readonly string[];
  /** Addresses of this machine: no function may listen on or connect to one that it does not name. */
  readonly machineHosts: readonly string[];
  /** What the operator closes to every function, whatever it names. */
  readonly denied: readonly string[];
}

/** The flags; `socket` is the path of the host's socket, which the process has to reach. */
export function netFlags({ net, ownAddresses, machineHosts, denied }: NetRules, socket: string): string[] {
  const named = typeof net === "boolean" ? [] : net;
  // Denying a range does not close an address of it in IPv6's clothes to whom the bare address is allowed.
  const allowed = named.filter((entry) => !denied.some((denial) => covers(denial, entry)));
  const ranges = PRIVATE_NETS.filter(([, inRange]) => !named.some((entry) => inRange.test(entry)))
    .map(([range]) => range);
  const hosts = machineHosts.filter((host) => !named.some((entry) => hostOf(entry) === host));
  return [
    net === true ? "--allow-net" : `--allow-net=${[`unix:${socket}`, ...allowed].join(",")}`,
    `--deny-net=${[...ranges, ...hosts, ...ownAddresses, ...denied].join(",")}`,
  ];
}

/** The TCP ports that `net` needs, DNS included; undefined if that may be any. */
export function tcpPorts(net: NetRules["net"]): number[] | undefined {
  if (net === true) return undefined;
  if (net === false) return [];
  const ports = net.map((entry) => /:(\d+)$/.exec(entry)?.[1]);
  return ports.includes(undefined) ? undefined : [...new Set([DNS_PORT, ...ports.map(Number)])];
}

/** Whether the operator's `denial` closes all that `entry` names. */
function covers(denial: string, entry: string): boolean {
  if (denial === entry || denial === hostOf(entry)) return true;
  const [, network, bits] = /^([\d.]+)\/(\d+)$/.exec(denial) ?? [];
  const address = ipv4(hostOf(entry));
  const base = network === undefined ? undefined : ipv4(network);
  if (address === undefined || base === undefined) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(address / size) === Math.floor(base / size);
}

/** `entry` without its port. */
function hostOf(entry: string): string {
  return entry.replace(/:\d+$/, "");
}

function ipv4(text: string): number | undefined {
  const parts = text.split(".").map(Number);
  const valid = parts.length === 4 && parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255);
  return valid ? parts.reduce((sum, part) => sum * 256 + part, 0) : undefined;
}
