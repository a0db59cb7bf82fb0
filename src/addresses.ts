// Parses IP addresses and ranges, and normalizes addresses.

import ipaddr from "ipaddr.js";

/** An address, or a network such as 10.0.0.0/8. */
export interface AddressRange {
  /** Reports whether the range contains `address`, which `canonicalAddress` returned. */
  contains(address: string): boolean;
}

/** Matches IPv4 in four decimal parts, or any IPv6: ipaddr.js also accepts forms such as 0x7f.1. */
function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (!ipaddr.IPv6.isValid(text)) return undefined;
  // An IPv4 client of a listener for both has a mapped address.
  return ipaddr.process(text);
}

/** Returns the address in canonical form (RFC 5952), IPv4 also for IPv4-mapped IPv6; undefined if it is not one. */
export function canonicalAddress(text: string): string | undefined {
  const address = parse(text);
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String().replace(/%.*$/, "") : address?.toString();
}

/** Parses an address or a network with its length in bits; undefined if it is neither. */
export function parseRange(text: string): AddressRange | undefined {
  const range = partsOf(text);
  return range && rangeOf([range]);
}

/** Parses texts, of which those that are neither are left out, as one range: it parses an address once. */
export function parseRanges(texts: readonly string[]): AddressRange {
  return rangeOf(texts.map(partsOf).filter((range) => range !== undefined));
}

interface Range {
  readonly network: ipaddr.IPv4 | ipaddr.IPv6;
  readonly prefix: number;
}

function partsOf(text: string): Range | undefined {
  const [start, bits, ...more] = text.split("/");
  const network = parse(start!);
  if (!network || more.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return undefined;
  const isMapped = network.kind() === "ipv4" && start!.includes(":");
  const length = network.toByteArray().length * 8;
  const prefix = bits === undefined ? length : Number(bits) - (isMapped ? 96 : 0);
  return prefix < 0 || prefix > length ? undefined : { network, prefix };
}

function rangeOf(ranges: readonly Range[]): AddressRange {
  return {
    contains(address) {
      const other = parse(address);
      return other !== undefined &&
        ranges.some(({ network, prefix }) =>
          other.kind() === network.kind() && other.match(network as ipaddr.IPv4 & ipaddr.IPv6, prefix)
        );
    },
  };
}

/** Returns the network with this prefix length that contains an IPv6 `address`; others unchanged. */
export function networkOf(address: string, ipv6Bits: number): string {
  const parsed = parse(address);
  if (!(parsed instanceof ipaddr.IPv6)) return address;
  return `${
    ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toNormalizedString()}/${ipv6Bits}`).toRFC5952String()
  }/${ipv6Bits}`;
}
