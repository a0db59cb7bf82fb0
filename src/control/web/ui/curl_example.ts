// A ready line for a terminal that calls a function or the API.

import type { Context } from "hono";
import type { RegisteredFunction } from "../../../core/functions/registry.ts";
import type { WebDeps, WebEnv } from "../shell/deps.ts";

/** Where this server is as the browser sees it, such as `https://functions.example.org`. */
export function originOf(c: Context<WebEnv>): string {
  const here = new URL(c.req.url);
  // A form's own origin, which has been checked to be this host, knows even of a proxy that is not trusted.
  const origin = c.req.header("origin");
  const seen = origin !== undefined && URL.canParse(origin) ? new URL(origin) : undefined;
  if (seen?.host === here.host) return seen.origin;
  return c.env.secure ? `https://${here.host}` : here.origin;
}

/** Where functions answer, likewise: the setting `run.hosts` may give them a host name of their own. */
export function functionsOriginOf(c: Context<WebEnv>, settings: WebDeps["settings"]): string {
  const origin = new URL(originOf(c));
  const [host] = settings.get("run.hosts");
  if (host !== undefined) origin.hostname = host;
  return origin.origin;
}

/** `curl` for one call of a function; `key` is sent along if it is given. */
export function curlOf(
  origin: string,
  { route, methods }: Pick<RegisteredFunction, "route" | "methods">,
  key?: string,
): string {
  const method = methods.includes("GET") ? "GET" : methods[0] ?? "GET";
  return curl(`${origin}/run${examplePath(route)}`, method, key);
}

export function curl(url: string, method: string, key?: string): string {
  const words = ["curl"];
  if (method === "HEAD") words.push("--head");
  else if (method !== "GET") words.push("-X", method);
  if (key !== undefined) words.push("-H", shellQuoted(`X-API-Key: ${key}`));
  return [...words, shellQuoted(url)].join(" ");
}

/** A path that a route answers: each parameter stands for itself where its pattern lets it, optional ones are left out. */
export function examplePath(route: string): string {
  const segments = route.split("/").filter((segment) => !/^:.*\?$/.test(segment)).map((segment) => {
    if (segment === "*") return "any";
    const [, name, pattern] = /^:(\w+)(?:\{(.+)\})?$/.exec(segment) ?? [];
    if (name === undefined) return encodeURI(segment);
    return [name, "1", "a"].find((word) => fits(word, pattern)) ?? name;
  });
  return segments.join("/") || "/";
}

function fits(word: string, pattern: string | undefined): boolean {
  return pattern === undefined || new RegExp(`^(?:${pattern})$`).test(word);
}

/** In single quotes, for any POSIX shell. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
