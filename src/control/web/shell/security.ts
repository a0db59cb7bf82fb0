// Sets the security headers of the pages, compresses them, and refuses requests that another site's page caused. Does not decide who is
// signed in.

import type { Context, MiddlewareHandler } from "hono";
import { AppError } from "../../../errors.ts";
import { isFromOwnPage, isSafeMethod } from "../../../http/same_origin.ts";
import { compressedPage, mayCompress } from "../../../http/compression.ts";
import { ASSETS_PATH } from "../assets/addresses.ts";
import type { WebEnv } from "./deps.ts";

/**
 * Returns the policy of a page on `host`, the request's own. Scripts are allowed by path, so that a script which a
 * function serves cannot run here (CSP Level 3, 6.7.2.11). Nothing may be inline.
 */
function policy(host: string): string {
  const assets = host + ASSETS_PATH;
  // Without /run: a function could redirect a page's request to the API, which would accept the admin's cookie.
  const own = `${host}/web ${host}/web/ ${host}/api/`;
  return [
    "default-src 'none'",
    `script-src ${assets}`,
    `style-src ${assets}`,
    `font-src ${assets}`,
    `img-src ${assets} data:`,
    `connect-src ${own}`,
    `form-action ${own}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Sets the headers of every answer under /web. server.ts has checked that the host is a host name. */
export const pageHeaders: MiddlewareHandler<WebEnv> = async (c, next) => {
  await next();
  c.header("Content-Security-Policy", policy(c.req.header("host") ?? "localhost"));
  c.header("X-Content-Type-Options", "nosniff");
  c.header("X-Frame-Options", "DENY");
  c.header("Referrer-Policy", "same-origin");
  // Elsewhere browsers ignore it, and complain on each page.
  if (c.env.secure || isLoopback(c.req.header("host") ?? "")) c.header("Cross-Origin-Opener-Policy", "same-origin");
  c.header("Cross-Origin-Resource-Policy", "same-origin");
  // Pages show secrets, so no cache may keep them.
  if (!c.res.headers.has("Cache-Control")) c.header("Cache-Control", "no-store");
};

/** Browsers trust this machine without TLS. */
function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(host);
}

/** Refuses requests that another site's page makes a browser send with the admin's cookie. */
export const sameOriginOnly: MiddlewareHandler<WebEnv> = async (c, next) => {
  if (!isSafeMethod(c.req.method) && !isFromOwnPage(c.req.raw, c.env)) {
    throw new AppError("CrossSite", 403, "This request did not come from a page of this server.");
  }
  await next();
};

/** Compresses pages, where that gives nothing away. */
export const compressPages: MiddlewareHandler<WebEnv> = async (c, next) => {
  await next();
  if (!mayCompress(c.req.raw, c.env.secure)) return;
  const answer = await compressedPage(c.req.raw.headers, c.res);
  if (answer === c.res) return;
  // Otherwise Hono adds the headers of the answer before.
  c.res = undefined;
  c.res = answer;
};

/** Marks the answer as one that contains a secret: no one compresses it on the way, either. */
export function holdsSecret(c: Context<WebEnv>): void {
  c.header("Cache-Control", "no-store, no-transform");
}
