// Finds the address to connect to: a name is looked up once, every address is checked, and the connection goes to one of
// them, so that a name that changes its address meanwhile (DNS rebinding) gains nothing.

import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import type { Origin } from "../../sealed.ts";

/** How long the addresses of a name are used. */
const LOOKUP_MS = 10_000;
const LOOKUPS_MAX = 1_000;
/** Lists of closed addresses whose rules are kept. There is one for each set of permissions. */
const RULES_MAX = 100;

/** There is no address that may be connected to. The message is for the author of the handler; `code` is one of Node's. */
export class Unreachable extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** What must not be connected to. */
interface Rule {
  /** Undefined: any. */
  readonly port: number | undefined;
  readonly name: string;
  readonly addresses: BlockList;
}

/** Addresses that may be connected to, and when their name was looked up, by `performance.now()`. */
interface Allowed {
  readonly at: number;
  readonly addresses: readonly string[];
}

const ENTRY = /^(\[[^\]]+\](?:\/\d+)?|[^:]+(?:\/\d+)?)(?::(\d+))?$/;

/** Finds all addresses of a name. Rejects if there are none. */
export type Resolve = (name: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export class Addresses {
  readonly #resolve: Resolve;
  readonly #found = new Map<
    string,
    { readonly at: number; readonly addresses: Promise<readonly string[]> }
  >();
  readonly #rules = new Map<string, readonly Rule[]>();
  /** What was found for a list of closed addresses, by host and port. */
  readonly #allowed = new WeakMap<readonly string[], Map<string, Allowed>>();

  /** By default, names are looked up as every program of this machine does. */
  constructor(resolve: Resolve = (name) => lookup(name, { all: true })) {
    this.#resolve = resolve;
  }

  /** Returns the addresses of an origin, those of IPv4 first. @throws Unreachable */
  async of(origin: Origin, closed: readonly string[]): Promise<readonly string[]> {
    const key = `${origin.host} ${origin.port}`;
    const allowed = this.#allowed.get(closed) ?? new Map<string, Allowed>();
    const known = allowed.get(key);
    if (known && performance.now() - known.at <= LOOKUP_MS) return known.addresses;
    const found = await this.#find(origin, closed);
    if (allowed.size >= LOOKUPS_MAX) allowed.clear();
    allowed.set(key, found);
    this.#allowed.set(closed, allowed);
    return found.addresses;
  }

  async #find(origin: Origin, closed: readonly string[]): Promise<Allowed> {
    const rules = this.#rulesOf(closed);
    const name = origin.host.replace(/^\[(.*)\]$/, "$1");
    const refused = (): Unreachable =>
      new Unreachable(
        `This function may not connect to "${origin.host}:${origin.port}".`,
        "EACCES",
      );
    if (rules.some((rule) => rule.name === origin.host && isPort(rule, origin))) throw refused();
    const found = isIP(name) ? { at: performance.now(), addresses: [name] } : await this.#lookUp(name);
    const { addresses } = found;
    const isClosed = (address: string): boolean =>
      rules.some((rule) =>
        isPort(rule, origin) &&
        rule.addresses.check(address, isIP(address) === 6 ? "ipv6" : "ipv4")
      );
    if (addresses.some(isClosed)) throw refused();
    return found;
  }

  async #lookUp(name: string): Promise<Allowed> {
    const now = performance.now();
    let found = this.#found.get(name);
    if (!found || now - found.at > LOOKUP_MS) {
      if (this.#found.size >= LOOKUPS_MAX) this.#found.clear();
      const addresses = this.#resolve(name).then((all) =>
        all.toSorted((a, b) => a.family - b.family).map(({ address }) => withoutMapping(address))
      );
      found = { at: now, addresses };
      this.#found.set(name, found);
      addresses.catch(() => this.#found.delete(name));
    }
    const addresses = await found.addresses.catch((): readonly string[] => []);
    if (addresses.length === 0) {
      throw new Unreachable(`The name "${name}" has no address.`, "ENOTFOUND");
    }
    return { at: found.at, addresses };
  }

  #rulesOf(closed: readonly string[]): readonly Rule[] {
    const key = closed.join();
    let rules = this.#rules.get(key);
    if (!rules) {
      if (this.#rules.size >= RULES_MAX) this.#rules.clear();
      this.#rules.set(key, rules = closed.map(ruleOf));
    }
    return rules;
  }
}

function isPort(rule: Rule, { port }: Origin): boolean {
  return rule.port === undefined || rule.port === port;
}

/** Parses an entry such as `127.0.0.0/8`, `[::1]:8000` or `db.internal`. @throws Error if it has no such form */
function ruleOf(entry: string): Rule {
  const [, host, port] = ENTRY.exec(entry) ?? [];
  if (host === undefined) {
    throw new Error(`"${entry}" is no address, range or name`);
  }
  const [start, bits] = host.replace(/[[\]]/g, "").split("/") as [string, string?];
  const addresses = new BlockList();
  const family = isIP(start);
  const kind = family === 6 ? "ipv6" : "ipv4";
  if (family !== 0) {
    if (bits === undefined) addresses.addAddress(start, kind);
    else addresses.addSubnet(start, Number(bits), kind);
  }
  return { port: port === undefined ? undefined : Number(port), name: host.toLowerCase(), addresses };
}

/** Returns the IPv4 address of an IPv4-mapped IPv6 address, so that rules for IPv4 apply. */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}
