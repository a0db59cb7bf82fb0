// Finds the names by which this machine reaches itself.

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
  for (const line of hostsFile().split("\n")) {
    const [address, ...called] = line.replace(/#.*/, "").trim().split(/\s+/);
    const host = address?.includes(":") ? `[${address}]` : address ?? "";
    if (!/^127\.|^\[::1\]$/.test(host) && !addresses.includes(host)) continue;
    for (const name of called) add(name, [host]);
  }
  return new Map([...names].map(([name, of]) => [name, [...of]]));
}

function hostsFile(): string {
  try {
    return Deno.readTextFileSync(HOSTS_FILE);
  } catch {
    return "";
  }
}
