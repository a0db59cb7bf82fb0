// Who is at the other end: the address of the browser or program, and whether it speaks https. Behind a proxy that
// is trusted its headers say so; anybody else's are not believed.

import { type AddressRange, canonicalAddress } from "../addresses.ts";

export interface Client {
  /** An IP address. */
  readonly address: string;
  /** Whether the client's own connection is known to be https. */
  readonly secure: boolean;
}

/** `peer` is the address at the other end of the connection. */
export function clientOf(headers: Headers, peer: string, trustedProxies: readonly AddressRange[]): Client {
  const direct = plain(peer);
  if (!isTrusted(direct, trustedProxies)) return { address: direct, secure: false };
  return {
    address: forwardedFor(headers.get("x-forwarded-for") ?? "", trustedProxies) ?? direct,
    // Each proxy of a chain may have added its own; the first is the client's, if all of them are trusted.
    secure: /^\s*https\s*(?:,|$)/i.test(headers.get("x-forwarded-proto") ?? ""),
  };
}

/** The last address that no trusted proxy has; what stands before it, the client may have written. */
function forwardedFor(header: string, trustedProxies: readonly AddressRange[]): string | undefined {
  const hops = header.split(",").map((hop) => plain(hop.trim())).reverse();
  for (const hop of hops) {
    if (canonicalAddress(hop) === undefined) return undefined;
    if (!isTrusted(hop, trustedProxies)) return hop;
  }
  return undefined;
}

function isTrusted(address: string, trustedProxies: readonly AddressRange[]): boolean {
  return trustedProxies.some((range) => range.contains(address));
}

/** Returns an address without its port, zone and brackets, in its canonical form; what is none, as it is. */
export function plain(address: string): string {
  const bare = address.replace(/^\[(.*)\](?::\d+)?$/, "$1").replace(/^(\d+(?:\.\d+){3}):\d+$/, "$1").replace(
    /%.*$/,
    "",
  );
  return canonicalAddress(bare) ?? bare;
}
