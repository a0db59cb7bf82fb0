// What a function may do beyond computing: today, which hosts it may connect to.

/** `true`: any host but this machine's and link-local ones. A list: these hosts alone, wherever they are. */
export interface Permissions {
  readonly net: boolean | readonly string[];
}

export const DEFAULT_PERMISSIONS: Permissions = { net: true };

/** `host`, `host:port`, an IPv4 address or `[IPv6]`, the last two with a port if need be. */
export const NET_ENTRY_PATTERN = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/;
