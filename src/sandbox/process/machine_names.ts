// Finds the names by which this machine reaches itself, and its name servers.

const HOSTS_FILE = "/etc/hosts";

/**
 * Returns the addresses of each name of this machine, by name in lower case: `localhost`, the host name, and its names
 * in the hosts file. `addresses` are the machine's, IPv6 in brackets.
 */
export function machineNames(addresses: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, Set<string>>();
  const add = (name: string, of: readonly string[]): void => {
    const known = names.get(name.toLowerCase()) ?? new Set();
    for (const address of of) known.add(address);
    names.set(name.toLowerCase(), known);
  };
  add("localhost", ["127.0.0.1", "[::1]"]);
  add(Deno.hostname(), addresses);
  for (const line of textOf(HOSTS_FILE).split("\n")) {
    const [address, ...called] = line.replace(/#.*/, "").trim().split(/\s+/);
    const host = address?.includes(":") ? `[${address}]` : address ?? "";
    if (!/^127\.|^\[::1\]$/.test(host) && !addresses.includes(host)) continue;
    for (const name of called) add(name, [host]);
  }
  return new Map([...names].map(([name, of]) => [name, [...of]]));
}

/** Returns the name servers that this machine asks (resolv.conf(5)), with their port and IPv6 in brackets. */
export function nameServers(): string[] {
  const servers = [...textOf("/etc/resolv.conf").matchAll(/^nameserver\s+([0-9a-fA-F.:]+)/gm)];
  return servers.map(([, address]) => `${address!.includes(":") ? `[${address}]` : address}:53`);
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
