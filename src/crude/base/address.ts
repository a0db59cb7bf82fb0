// Reads the address of a server, and decides where a credential may be sent.

import { wrongUsage } from "./errors.ts";

/** 127.0.0.0/8 (RFC 1122, 3.2.1.3), ::1 (RFC 4291, 2.5.3) and localhost (RFC 6761, 6.3). */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

export function isLoopback(url: URL): boolean {
  return LOOPBACK.test(url.hostname);
}

/**
 * Returns the origin of a server. Without a scheme, `https:` is meant, and `http:` on this machine.
 * @throws CrudeError (usage) naming `what`
 */
export function serverUrl(text: string, what: string): string {
  let url = parse(text.trim());
  if (!url || !/^https?:$/.test(url.protocol)) {
    const secure = parse(`https://${text.trim()}`);
    if (/^[a-z]+:\/\//i.test(text.trim()) || !secure) {
      throw wrongUsage(`${what} must be the address of a server, such as https://functions.example.com.`);
    }
    url = isLoopback(secure) ? new URL(`http://${text.trim()}`) : secure;
  }
  if (url.username !== "" || url.password !== "") throw wrongUsage(`${what} must not contain a user or password.`);
  return url.origin;
}

/** Node 20 has no `URL.parse` in its first versions. */
function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** @throws CrudeError (usage) if a credential could be read on its way to this server */
export function requireSecure(origin: string): void {
  const url = new URL(origin);
  if (url.protocol === "https:" || isLoopback(url)) return;
  throw wrongUsage(
    `${origin} is not encrypted: keys and sessions are only sent by https:, or by http: to this machine. ` +
      "Use the server's https: address, or a tunnel to a port of this machine.",
  );
}
