// Reads what a request is for: whether its path belongs to the functions, and the host that it names (RFC 9110, 7.2) in
// the `Host` header, in the target of a request to a proxy, or in the `:authority` of HTTP/2.

export const RUN_PREFIX = "/run";
/** A host with an optional port. Deno copies the header into the URL unchecked: "a/b" would shift the path. */
const PLAIN_HOST = /^(?:[a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/;
/** The authority of a URL, without user information. */
const AUTHORITY = /^https?:\/\/(?:[^/?#@]*@)?([^/?#]*)/i;

/** Reports whether a path belongs to the functions. */
export function isRunPath(path: string): boolean {
  return path.startsWith(RUN_PREFIX) && (path.length === RUN_PREFIX.length || path[RUN_PREFIX.length] === "/");
}

/** Reports whether `host` is a host that a URL can have: ports up to 65,535, addresses and international names checked. */
export function isHost(host: string): boolean {
  return PLAIN_HOST.test(host) && URL.canParse(`http://${host}`);
}

/** Returns a host in lower case, without its port and a trailing dot, which names the same host. */
export function hostName(host: string): string {
  return host.replace(/:\d+$/, "").replace(/\.$/, "").toLowerCase();
}

/**
 * Returns the request with the host of its URL in the `Host` header, as the rest of the server expects; the same
 * request if it has it already. HTTP/2 has no such header, and the target of a request takes precedence over it
 * (RFC 9112, 3.2.2). Returns undefined if there is no host, or an invalid one.
 */
export function withHostHeader(request: Request): Request | undefined {
  const { url, headers } = request;
  const host = headers.get("host");
  if (host === "") return undefined;
  // The URL begins with "http://" (7 characters), the host and "/".
  if (host !== null && url.startsWith(host, 7) && url.charCodeAt(7 + host.length) === 0x2f) return request;
  const [start, authority] = AUTHORITY.exec(url) ?? [];
  if (start === undefined || authority === undefined || !isHost(authority)) return undefined;
  const named = new Headers(headers);
  named.set("host", authority);
  const { method, body, signal } = request;
  try {
    return new Request(`http://${authority}${url.slice(start.length)}`, { method, headers: named, body, signal });
  } catch {
    // For example CONNECT.
    return undefined;
  }
}
