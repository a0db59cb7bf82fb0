// Defines where sealed values may be sent: hosts, and places in a request. Used by the server, by the process that sends
// the requests, and by the workers.

/** Where in a request a value may be put. */
export const SEND_PLACES = ["header", "query", "path", "body"] as const;
export type SendPlace = (typeof SEND_PLACES)[number];

/** A sealed value that was given to a call as a placeholder. */
export interface SealedEntry {
  readonly placeholder: string;
  readonly name: string;
  readonly value: string;
  /** Where the value is put in a request; nowhere if the request's host is not one of the value's. */
  readonly places: readonly SendPlace[];
  /** Whether it is reported when its placeholder leaves with a request. */
  readonly isWatched?: boolean;
}

/**
 * What became of a placeholder that left with a request: the value was put in; or it was not, as the host is not one of
 * the value's, or the place in the request is not.
 */
export const SEALED_USES = ["sent", "other host", "other place"] as const;
export type SealedUse = (typeof SEALED_USES)[number];

/** The port of `https:`, and of `http:`. */
const HTTPS_PORT = 443;
const HTTP_PORT = 80;
const ENTRY = /^(http:\/\/|https:\/\/)?(\*\.)?(\[[0-9a-f:.]+\]|[^\s/?#@\\:[\]*%]+)(?::(\d{1,5}))?$/i;
/** What URLs drop without a word. */
const CONTROL = /\p{Cc}/u;
/** Of a name in DNS, as text (RFC 1035 2.3.4). */
const NAME_MAX_LENGTH = 253;
const ADDRESS = /^(?:\d+\.\d+\.\d+\.\d+|\[.*\])$/;

/**
 * Returns an entry in its only form, such as `api.example.com`, `*.example.com:8443` or `http://127.0.0.1:8080`: in lower
 * case, with an internationalized name in its form in DNS, without a dot at its end and without the usual port; undefined
 * if it is none. Without a scheme, it means `https:`. A `*` stands for one or more labels, and is not for `http:`,
 * addresses or top-level names.
 */
export function parseHostPattern(entry: string): string | undefined {
  const [, scheme = "https://", wildcard = "", name, port] = ENTRY.exec(entry) ?? [];
  if (name === undefined || CONTROL.test(name)) return undefined;
  const isPlain = scheme.toLowerCase() === "http://";
  const url = `https://${name}`;
  if (!URL.canParse(url)) return undefined;
  const host = withoutDot(new URL(url).hostname);
  const usual = isPlain ? HTTP_PORT : HTTPS_PORT;
  const number = port === undefined ? usual : Number(port);
  if (!isName(host) || number < 1 || number > 65_535) return undefined;
  if (wildcard !== "" && (isPlain || ADDRESS.test(host) || !host.includes("."))) return undefined;
  return `${isPlain ? "http://" : ""}${wildcard}${host}${number === usual ? "" : `:${number}`}`;
}

/** The parts of a URL that decide which host it reaches. */
export interface Origin {
  readonly isPlain: boolean;
  /** In lower case, without a dot at its end; IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
}

/** Returns the origin of a URL; undefined unless it is an `http:` or `https:` URL. */
export function originOf({ protocol, hostname, port }: URL): Origin | undefined {
  if (protocol !== "https:" && protocol !== "http:") return undefined;
  const isPlain = protocol === "http:";
  const host = withoutDot(hostname);
  if (!isName(host)) return undefined;
  return {
    isPlain,
    host,
    port: port === "" ? isPlain ? HTTP_PORT : HTTPS_PORT : Number(port),
  };
}

/** Reports whether one of `patterns`, as `parseHostPattern` returned them, covers the origin. */
export function coversOrigin(patterns: readonly string[], { isPlain, host, port }: Origin): boolean {
  return patterns.some((pattern) => {
    const parts = partsOf(pattern);
    if (parts.isPlain !== isPlain || parts.port !== port) return false;
    if (!parts.host.startsWith("*.")) return parts.host === host;
    return host.length > parts.host.length - 1 && host.endsWith(parts.host.slice(1));
  });
}

/** Reports whether every origin that `pattern` covers is covered by one of `others`. */
export function isCoveredBy(pattern: string, others: readonly string[]): boolean {
  // `*` itself counts as a label that no exact name has.
  return others.includes(pattern) || coversOrigin(others, partsOf(pattern));
}

/** Returns the parts of a pattern; of one with `*`, the host begins with it. */
function partsOf(pattern: string): Origin {
  const isPlain = pattern.startsWith("http://");
  const rest = isPlain ? pattern.slice("http://".length) : pattern;
  const port = /:(\d+)$/.exec(rest)?.[1];
  return {
    isPlain,
    host: port === undefined ? rest : rest.slice(0, -port.length - 1),
    port: port === undefined ? isPlain ? HTTP_PORT : HTTPS_PORT : Number(port),
  };
}

/** IPv4-mapped IPv6 addresses are not allowed, as rules for the IPv4 address would not apply. */
function isName(host: string): boolean {
  return host !== "" && host.length <= NAME_MAX_LENGTH && !/^\.|\.\.|\.$|^\[::ffff:/.test(host);
}

function withoutDot(name: string): string {
  return name.replace(/\.$/, "");
}
