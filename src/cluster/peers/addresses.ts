// Keeps the addresses of all nodes or of PostgreSQL, so that sandboxes can be kept from them: names are resolved again and again, as what
// they stand for may change.

import { MINUTE_MS } from "../../time.ts";
import type { Peer } from "./questions.ts";

type Addressed = Pick<Peer, "url">;

const REFRESH_MS = MINUTE_MS;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

export interface NodeAddressesOptions {
  /** What has the addresses, for messages. */
  readonly of: string;
  /** Returns the addresses of a host name; rejects if there are none. */
  readonly resolve: (name: string) => Promise<string[]>;
  /** Is called when a name cannot be resolved. */
  readonly warn: (message: string) => void;
}

/** Holds a timer: call `close` at the end. */
export class NodeAddresses {
  readonly #options: NodeAddressesOptions;
  /** By host name in lower case; the last known ones if it cannot be resolved now. */
  readonly #resolved = new Map<string, readonly string[]>();
  #nodes: readonly Addressed[] = [];
  #all: readonly string[] = [];
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(options: NodeAddressesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#refresh(), REFRESH_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Returns `host:port` for each name and each address of each node, sorted, without repetitions. */
  all(): readonly string[] {
    return this.#all;
  }

  /** Is to be called with all nodes, this one included, when they have changed. Settles when all names are resolved. */
  async follow(nodes: readonly Addressed[]): Promise<void> {
    const before = new Set(this.#nodes.map(({ url }) => url));
    this.#nodes = nodes;
    if (nodes.length !== before.size || nodes.some(({ url }) => !before.has(url))) await this.#refresh();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #refresh(): Promise<void> {
    this.#collect();
    await Promise.all(this.#nodes.map(({ url }) => this.#resolve(new URL(url).hostname.toLowerCase())));
    this.#collect();
  }

  async #resolve(name: string): Promise<void> {
    if (name.startsWith("[") || /^[\d.]+$/.test(name)) return;
    try {
      const found = await this.#options.resolve(name);
      this.#resolved.set(name, found.map((address) => address.includes(":") ? `[${address}]` : address));
    } catch {
      const known = this.#resolved.has(name) ? "Its last known addresses stay closed" : "Only its name is closed";
      this.#options.warn(`The host name ${name} of ${this.#options.of} cannot be resolved. ${known} to functions.`);
    }
  }

  #collect(): void {
    const entries = this.#nodes.flatMap(({ url }) => {
      const { hostname, port, protocol } = new URL(url);
      const hosts = [hostname, ...this.#resolved.get(hostname.toLowerCase()) ?? []];
      return hosts.map((host) => `${host}:${port || DEFAULT_PORTS[protocol]}`);
    });
    this.#all = [...new Set(entries)].sort();
  }
}
