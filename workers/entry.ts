// Calls handlers, whose default export may have several shapes.

import type { Context } from "npm:hono@4.13.19";
import type { HandlerContext } from "./context.ts";

/** A function that takes Hono's context. */
export type Handler = (c: Context, ctx: HandlerContext) => unknown;

/** An app's second argument, `env`; `c.env` in Hono. */
export interface AppEnv {
  readonly ctx: AppContext;
}

/** An app's third argument, `ctx` with a property for apps; `c.executionCtx` in Hono. */
export interface AppContext extends HandlerContext {
  /** The path before the app's own paths, such as `/run/shop`, without a slash at its end. */
  readonly basePath: string;
}

/** An object with a `fetch` method, as Cloudflare, Bun and Deno serve it: an app of Hono or Elysia, for example. */
export interface App {
  fetch(request: Request, env: AppEnv, ctx: AppContext): unknown;
}

/** The parts of a call, each created when it is requested. */
export interface Parts {
  /** The function's route, such as `/shop/*`. */
  readonly route: string;
  /** The whole URL of the request. */
  readonly url: string;
  context(ctx: HandlerContext): Context;
  handlerContext(): HandlerContext;
  /** Returns the request with another URL. */
  request(url: string): Request;
}

/** Calls the handler; the result should be a Response. */
export type Entry = (parts: Parts) => unknown;

/** Returns a function that calls the exported handler. @throws TypeError if it has none of the shapes */
export function entryOf(exported: unknown, route: string): Entry {
  if (isApp(exported)) {
    provideContext(exported);
    const segments = ownSegments(route);
    return (parts) => callApp(exported, parts, segments);
  }
  if (typeof exported === "function") {
    return (parts) => {
      const ctx = parts.handlerContext();
      return (exported as Handler)(parts.context(ctx), ctx);
    };
  }
  throw new TypeError(
    "The module has no default export that can answer calls. Export a function, " +
      "`export default async function (c, ctx) { … }`, or an object with a fetch method, such as a Hono app: " +
      "`export default app`.",
  );
}

function isApp(exported: unknown): exported is App {
  return (typeof exported === "object" || typeof exported === "function") && exported !== null &&
    typeof (exported as Partial<App>).fetch === "function";
}

function callApp(app: App, parts: Parts, segments: number | undefined): unknown {
  const { url, basePath } = mount(parts.url, segments);
  const ctx: AppContext = Object.assign(parts.handlerContext(), { basePath });
  return app.fetch(parts.request(url), { ctx }, ctx);
}

/** Returns the number of path segments before the app's own; undefined if the route has no `*`. */
function ownSegments(route: string): number | undefined {
  if (!/(?:^|\/)\*$/.test(route)) return undefined;
  // A slash in the pattern of a parameter does not separate segments.
  const before = route.slice(0, -1).replace(/\{(?:[^{}]|\{[^{}]*\})*\}/g, "");
  return before.split("/").filter((segment) => segment !== "").length;
}

/**
 * Returns the URL that an app sees: the path below its function's route, as if it were mounted there. With the route
 * `/shop/*`, `/run/shop/items` is `/items`. With a route without `*` at its end, the app sees `/`.
 */
function mount(url: string, segments: number | undefined): { url: string; basePath: string } {
  const pathStart = url.indexOf("/", url.indexOf("//") + 2);
  const pathEnd = pathStart + url.slice(pathStart).search(/[?#]|$/);
  let at = segments === undefined ? pathEnd : pathStart;
  // `/run` is one more segment.
  for (let left = segments ?? -1; left >= 0 && at < pathEnd; left--) {
    const next = url.indexOf("/", at + 1);
    at = next === -1 || next > pathEnd ? pathEnd : next;
  }
  const rest = url.slice(at);
  return {
    url: url.slice(0, pathStart) + (rest.startsWith("/") ? rest : `/${rest}`),
    basePath: url.slice(pathStart, at).replace(/\/$/, ""),
  };
}

/** The part of a Hono app that is used here. */
interface HonoApp extends App {
  router: Router;
}

interface Router {
  readonly name: string;
  add(method: string, path: string, handler: unknown): void;
  match(method: string, path: string): [handlers: unknown[], ...rest: unknown[]];
}

/**
 * Makes `c.get("ctx")` work in a Hono app. No middleware can be added before its routes once the module has run, but
 * each request looks up its handlers in the app's router.
 */
function provideContext(app: App): void {
  const { router, routes } = app as Partial<HonoApp> & { routes?: unknown };
  if (!Array.isArray(routes) || typeof router?.match !== "function" || typeof router.add !== "function") return;
  const handler = (c: Context, next: () => Promise<void>): Promise<void> => {
    c.set("ctx", (c.env as AppEnv | undefined)?.ctx);
    return next();
  };
  const provider = [[handler, { basePath: "/", handler, method: "ALL", path: "/*" }], {}];
  (app as HonoApp).router = {
    get name() {
      return router.name;
    },
    add: (method, path, added) => router.add(method, path, added),
    match(method, path) {
      const [handlers, ...rest] = router.match(method, path);
      return [[provider, ...handlers], ...rest];
    },
  };
}
