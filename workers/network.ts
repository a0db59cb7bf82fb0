// Makes name look-ups and datagrams work with a list of hosts, for which Deno is not enough: its Node modules request
// permission for a look-up without the port of the list, and lose the error of a refused datagram. A name server may
// not be asked, as it would answer questions for any name, so the host looks up names that the list covers.

import type { Exports, Override } from "./builtins.ts";
import { codeOf, type HostLookups, recordsForNode, recordTypeOf } from "./host_lookups.ts";

// deno-lint-ignore no-explicit-any
type Method = (this: any, ...args: any[]) => any;
interface Address {
  readonly address: string;
}

/** The code that Deno 2.9.6 reports if it may not ask the name server. */
const NOT_ASKED = "UNKNOWN";
const REFUSED = "EREFUSED";
/** The address that Node's datagram sockets bind to before they send. */
const ANY_ADDRESS = "0.0.0.0:0";

/** `hosts` are the entries of the function's `permissions.net`, if it is a list. */
export function networkOverrides(hosts: readonly string[], lookups: HostLookups): readonly Override[] {
  const ports = portsByHost(hosts);
  let promising: Exports | undefined;
  /** Replaces the object that both modules share, once. */
  const promises = (dns: Exports): Exports => promising ??= promiseQueries(dns, ports, lookups);
  return [
    {
      module: "dns",
      replace(dns) {
        Object.assign(dns.promises, promises(dns.promises));
        return callbackQueries(dns, ports, lookups);
      },
    },
    { module: "dns/promises", replace: promises },
    {
      module: "dgram",
      replace({ Socket }) {
        Object.assign(Socket.prototype, refusedSocket(Socket.prototype));
        return {};
      },
    },
  ];
}

/** By host, `*.` included: a port with which it is listed. */
function portsByHost(hosts: readonly string[]): ReadonlyMap<string, number> {
  const listed = hosts.map((entry) => /^(.+):(\d+)$/.exec(entry)).filter((match) => match !== null);
  return new Map(listed.map(([, host, port]) => [host!.toLowerCase(), Number(port)]));
}

/** Returns a port with which a host is listed, by its own name or by `*.` and a name above it. */
function portOf(ports: ReadonlyMap<string, number>, hostname: unknown): number | undefined {
  const host = `${hostname}`.toLowerCase();
  const own = ports.get(host) ?? ports.get(`*.${host}`);
  if (own !== undefined || ports.size === 0) return own;
  for (let at = host.indexOf("."); at !== -1; at = host.indexOf(".", at + 1)) {
    const port = ports.get(`*${host.slice(at)}`);
    if (port !== undefined) return port;
  }
}

/** Adds a port that the host is listed with to the options of a look-up, as Deno checks both. */
function withPort(ports: ReadonlyMap<string, number>, hostname: unknown, options: unknown): unknown {
  const port = portOf(ports, hostname);
  if (port === undefined) return options;
  return typeof options === "object" ? { port, ...options } : { port, family: options ?? 0 };
}

function callbackQueries(dns: Exports, ports: ReadonlyMap<string, number>, lookups: HostLookups): Exports {
  const original: Method = dns.lookup;
  const lookup: Method = (hostname, options, callback) =>
    typeof options === "function"
      ? original(hostname, withPort(ports, hostname, {}), options)
      : original(hostname, withPort(ports, hostname, options), callback);
  const wrap = (name: string, query: Method): Method =>
    function (hostname, ...rest) {
      const callback = rest.pop();
      if (typeof callback !== "function") return query.call(this, hostname, ...rest, callback);
      const answered: Method = (error, ...values) => {
        if (error?.code !== NOT_ASKED) return callback(error, ...values);
        const family = familyOf(name, rest[0]);
        if (family === undefined) {
          recordsOf(lookups, name, hostname, rest[0], error).then(
            (records) => queueMicrotask(() => callback(null, records)),
            (failure) => queueMicrotask(() => callback(failure)),
          );
          return;
        }
        lookup(hostname, { family, all: true }, (failed: unknown, addresses: Address[]) =>
          failed ? callback(refused(error)) : callback(null, addressesOf(addresses, rest)));
      };
      return query.call(this, hostname, ...rest, answered);
    };
  Object.assign(dns.Resolver.prototype, queries(dns.Resolver.prototype, wrap), servers(dns.Resolver.prototype));
  return { ...queries(dns, wrap), lookup };
}

function promiseQueries(dns: Exports, ports: ReadonlyMap<string, number>, lookups: HostLookups): Exports {
  const original: Method = dns.lookup;
  // Only the function with a callback accepts a port.
  const lookup: Method = (hostname, options) =>
    portOf(ports, hostname) !== undefined
      ? new Promise((resolve, reject) => {
        const { lookup } = process.getBuiltinModule("dns") as Exports;
        lookup(hostname, options ?? {}, (error: unknown, address: unknown, family?: number) => {
          if (error) reject(error);
          else resolve(family === undefined ? address : { address, family });
        });
      })
      : original(hostname, options);
  const wrap = (name: string, query: Method): Method =>
    async function (hostname, ...rest) {
      try {
        return await query.call(this, hostname, ...rest);
      } catch (error) {
        if ((error as { code?: string }).code !== NOT_ASKED) throw error;
        const family = familyOf(name, rest[0]);
        if (family === undefined) return await recordsOf(lookups, name, hostname, rest[0], error as Error);
        const found = lookup(hostname, { family, all: true }) as Promise<Address[]>;
        return addressesOf(await found.catch(() => Promise.reject(refused(error as Error))), rest);
      }
    };
  Object.assign(dns.Resolver.prototype, queries(dns.Resolver.prototype, wrap), servers(dns.Resolver.prototype));
  return { ...queries(dns, wrap), lookup };
}

/** Returns the functions of `target` that ask a name server, wrapped. */
function queries(target: Exports, wrap: (name: string, query: Method) => Method): Exports {
  const names = namesOf(target).filter((name) => /^resolve|^reverse$/.test(name) && typeof target[name] === "function");
  return Object.fromEntries(names.map((name) => [name, wrap(name, target[name])]));
}

/** Returns the names of all properties, including those of the object's classes. */
function namesOf(target: Exports): string[] {
  const inherited = Object.getPrototypeOf(target);
  return [...Object.getOwnPropertyNames(target), ...(inherited === Object.prototype ? [] : namesOf(inherited))];
}

/** Hides the name servers that the machine uses. */
function servers({ setServers }: Exports): Exports {
  return {
    getServers: () => [],
    setServers(this: { _handle: Exports }, ...args: unknown[]) {
      this._handle.getServers = () => [];
      return setServers.apply(this, args);
    },
  };
}

/**
 * Returns what the host finds for the query `name` of `hostname`.
 * @throws `notAsked`, Deno's error, with the code that fits the outcome
 */
async function recordsOf(
  lookups: HostLookups,
  name: string,
  hostname: string,
  record: unknown,
  notAsked: Error,
): Promise<unknown> {
  const type = recordTypeOf(name, record);
  if (type === undefined) throw refused(notAsked);
  const { outcome, records } = await lookups.ask(type, hostname);
  if (outcome !== "ok") throw withCode(notAsked, codeOf(outcome));
  return recordsForNode(type, records);
}

/** Returns the family of the addresses that a query asks for; undefined if it asks for other records. */
function familyOf(name: string, record: unknown): 4 | 6 | undefined {
  if (name === "resolve4" || (name === "resolve" && (typeof record !== "string" || record === "A"))) return 4;
  return name === "resolve6" || (name === "resolve" && record === "AAAA") ? 6 : undefined;
}

function addressesOf(found: readonly Address[], options: readonly unknown[]): unknown[] {
  const withTtl = options.some((option) => (option as { ttl?: boolean } | undefined)?.ttl);
  return found.map(({ address }) => withTtl ? { address, ttl: 0 } : address);
}

function refused(error: Error): Error {
  return withCode(error, REFUSED);
}

function withCode(error: Error, code: string): Error {
  return Object.assign(error, { code, message: error.message.replace(NOT_ASKED, code) });
}

/** Makes `Deno.resolveDns` ask the host if the function may not ask the name server itself. */
export function lookUpByHost(lookups: HostLookups): void {
  const { resolveDns, errors: { NotCapable, NotFound, TimedOut } } = Deno;
  Object.assign(Deno, {
    async resolveDns(query: string, type: Deno.RecordType, options?: Deno.ResolveDnsOptions): Promise<unknown> {
      try {
        return await resolveDns(query, type, options);
      } catch (error) {
        if (!(error instanceof NotCapable) || options?.nameServer) throw error;
      }
      const { outcome, records } = await lookups.ask(type, query);
      options?.signal?.throwIfAborted();
      switch (outcome) {
        case "ok":
          return records;
        case "refused":
          throw new NotCapable(
            `This function may not look up "${query}"; permissions.net lists the hosts that it may`,
          );
        case "missing":
          throw new NotFound(`There are no ${type} records of "${query}"`);
        case "late":
          throw new TimedOut(`The name server did not answer in time for "${query}"`);
        case "busy":
          throw new Error(`The function looks up too many names at once or in a short time: "${query}"`);
        default:
          throw new Error(`"${query}" could not be looked up`);
      }
    },
  });
}

/** Makes each function for datagrams fail, as they are denied to handlers and Deno would never call back. */
function refusedSocket({ bind, connect, send }: Exports): Exports {
  const unless = (original: Method, syscall: string): Method =>
    function (...args) {
      if (Deno.permissions.querySync({ name: "net", host: ANY_ADDRESS }).state === "granted") {
        return original.apply(this, args);
      }
      const error = Object.assign(new Deno.errors.NotCapable("A handler cannot send datagrams"), {
        code: "EACCES",
        syscall,
      });
      const callback = args.at(-1);
      // Binding reports errors only by the event.
      if (typeof callback === "function" && syscall !== "bind") queueMicrotask(() => callback(error));
      else queueMicrotask(() => this.emit("error", error));
      return this;
    };
  return { bind: unless(bind, "bind"), connect: unless(connect, "connect"), send: unless(send, "send") };
}
