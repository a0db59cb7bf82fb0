// Determines where the server can be reached, for its log and for the rules that keep sandboxes from it.

export interface Address {
  readonly hostname: string;
  readonly port: number;
}

/** The address of a server, known once it listens. */
export class Endpoint {
  #address: Address | undefined;
  #nodes: () => readonly string[] = () => [];
  #databases: () => readonly string[] = () => [];

  listensOn({ hostname, port }: Address): void {
    this.#address = { hostname, port };
  }

  /** The address that the server listens on, such as `http://0.0.0.0:8000`. */
  get url(): string {
    const { hostname, port } = this.#known();
    return `http://${inUrl(hostname)}:${port}`;
  }

  /** Both return `host:port` of each address: `nodes` of each node of the cluster, `databases` of its PostgreSQL. */
  isOneOf(nodes: () => readonly string[], databases: () => readonly string[]): void {
    this.#nodes = nodes;
    this.#databases = databases;
  }

  /** Returns `host:port` for each address of each node of the cluster; none if there is no cluster. */
  nodeAddresses(): readonly string[] {
    return this.#nodes();
  }

  /** Returns `host:port` for each address of the PostgreSQL of the cluster; none if there is no cluster. */
  databaseAddresses(): readonly string[] {
    return this.#databases();
  }

  /** Returns `host:port` of the server for every address of this machine. */
  addresses(): string[] {
    const { hostname, port } = this.#known();
    const all = [inUrl(hostname), "localhost", "127.0.0.0/8", "0.0.0.0/8", "[::1]", "[::]", ...machineHosts()];
    return [...new Set(all)].map((host) => `${host}:${port}`);
  }

  /** Throws before the server listens: a sandbox must not start without rules that keep it from the server. */
  #known(): Address {
    if (!this.#address) throw new Error("The server does not listen yet.");
    return this.#address;
  }
}

/** Returns the addresses of this machine, IPv6 in brackets. */
export function machineHosts(): string[] {
  return Deno.networkInterfaces().map(({ address }) => inUrl(address.replace(/%.*$/, "")));
}

/** Returns an address that can be opened: one that stands for all interfaces becomes `localhost`. */
export function openableUrl({ hostname, port }: Address): string {
  const host = hostname === "0.0.0.0" || hostname === "::" ? "localhost" : inUrl(hostname);
  return `http://${host}:${port}`;
}

function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
