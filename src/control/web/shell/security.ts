// What every page of /web tells the browser, and which requests it may send. Decides nothing about who is
// signed in.

import type { MiddlewareHandler } from "hono";
import { AppError } from "../../../errors.ts";
import { isFromOwnPage, isSafeMethod } from "../../../http/same_origin.ts";
import type { WebEnv } from "./deps.ts";

/** Where scripts and styles come from: not from `/run`, although it has the same origin. */
export const ASSETS_PATH = "/web/assets/";

/**
 * The policy of a page on `host`, the request's own. Scripts are named by path, so that one that a function
 * serves cannot be made to run here (CSP Level 3, 6.7.2.11); nothing may be inline.
 */
function policy(host: string): string {
  const assets = host + ASSETS_PATH;
  // Not /run: a function could redirect what a page sends there to the API, as the admin.
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

/** Headers of every answer under /web. The host has been checked to be one (see server.ts). */
export const pageHeaders: MiddlewareHandler<WebEnv> = async (c, next) => {
  await next();
  c.header("Content-Security-Policy", policy(c.req.header("host") ?? "localhost"));
  c.header("X-Content-Type-Options", "nosniff");
  c.header("X-Frame-Options", "DENY");
  c.header("Referrer-Policy", "same-origin");
  c.header("Cross-Origin-Opener-Policy", "same-origin");
  c.header("Cross-Origin-Resource-Policy", "same-origin");
  // Pages show secrets: nothing of them stays behind in a cache.
  if (!c.res.headers.has("Cache-Control")) c.header("Cache-Control", "no-store");
};

/** Refuses what another site's page makes a browser send with the admin's cookie. */
export const sameOriginOnly: MiddlewareHandler<WebEnv> = async (c, next) => {
  if (!isSafeMethod(c.req.method) && !isFromOwnPage(c.req.raw, c.env)) {
    throw new AppError("CrossSite", 403, "This request did not come from a page of this server.");
  }
  await next();
};
