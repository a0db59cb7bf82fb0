// Determines the address of the client, and whether it uses https. Forwarding headers count only if a trusted proxy
// sent them.

import { type AddressRange, canonicalAddress } from "../addresses.ts";

export interface Client {
  /** An IP address. */
  readonly address: string;
  /** Whether the client's own connection is known to be https. */
  readonly secure: boolean;
}

/** Returns the client of a request. `peer` is the address at the other end of the connection. */
export function clientOf(headers: Headers, peer: string, trustedProxies: readonly AddressRange[]): Client {
  const direct = plain(peer);
  if (!isTrusted(direct, trustedProxies)) return { address: direct, secure: false };
  return {
    address: forwardedFor(headers.get("x-forwarded-for") ?? "", trustedProxies) ?? direct,
    // Each proxy of a chain may have added its own value. The first is the client's if all proxies are trusted.
    secure: /^\s*https\s*(?:,|$)/i.test(headers.get("x-forwarded-proto") ?? ""),
  };
}

/** Returns the last address that is no trusted proxy's. The client may have forged those before it. */
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

/** Returns an address without port, zone and brackets, in canonical form; text that is no address is only stripped. */
export function plain(address: string): string {
  const bare = address.replace(/^\[(.*)\](?::\d+)?$/, "$1").replace(/^(\d+(?:\.\d+){3}):\d+$/, "$1").replace(
    /%.*$/,
    "",
  );
  return canonicalAddress(bare) ?? bare;
}
