// Who is at the other end: the address of the browser or program, and whether it speaks https. Behind a proxy that
// is trusted its headers say so; anybody else's are not believed.

import { isIP } from "node:net";

export interface Client {
  /** An IP address. */
  readonly address: string;
  /** Whether the client's own connection is known to be https. */
  readonly secure: boolean;
}

/** `peer` is the address at the other end of the connection. */
export function clientOf(headers: Headers, peer: string, trustedProxies: readonly string[]): Client {
  const direct = plain(peer);
  if (!trustedProxies.includes(direct)) return { address: direct, secure: false };
  return {
    address: forwardedFor(headers.get("x-forwarded-for") ?? "", trustedProxies) ?? direct,
    // Each proxy of a chain may have added its own; the first is the client's, if all of them are trusted.
    secure: /^\s*https\s*(?:,|$)/i.test(headers.get("x-forwarded-proto") ?? ""),
  };
}

/** The last address that no trusted proxy has; what stands before it, the client may have written. */
function forwardedFor(header: string, trustedProxies: readonly string[]): string | undefined {
  const hops = header.split(",").map((hop) => plain(hop.trim())).reverse();
  for (const hop of hops) {
    if (isIP(hop) === 0) return undefined;
    if (!trustedProxies.includes(hop)) return hop;
  }
  return undefined;
}

/** An address without its port, zone and brackets, and an IPv4 one as such. */
export function plain(address: string): string {
  const bare = address.replace(/^\[(.*)\](?::\d+)?$/, "$1").replace(/^(\d+(?:\.\d+){3}):\d+$/, "$1").replace(
    /%.*$/,
    "",
  );
  return bare.replace(/^::ffff:(\d+(?:\.\d+){3})$/i, "$1").toLowerCase();
}
