// Builds `curl` commands that call a function or the API.

import type { Context } from "hono";
import type { RegisteredFunction } from "../../../core/functions/registry.ts";
import type { WebDeps, WebEnv } from "../shell/deps.ts";

/** Returns the origin by which the browser reaches this server, such as `https://functions.example.org`. */
export function originOf(c: Context<WebEnv>): string {
  const here = new URL(c.req.url);
  // The origin of a form, which has been checked to be this host, is right even if a proxy is not trusted.
  const origin = c.req.header("origin");
  const seen = origin !== undefined && URL.canParse(origin) ? new URL(origin) : undefined;
  if (seen?.host === here.host) return seen.origin;
  return c.env.secure ? `https://${here.host}` : here.origin;
}

/** Returns the origin of functions: the setting `run.hosts` may give them a separate host name. */
export function functionsOriginOf(c: Context<WebEnv>, settings: WebDeps["settings"]): string {
  const origin = new URL(originOf(c));
  const [host] = settings.get("run.hosts");
  if (host !== undefined) origin.hostname = host;
  return origin.origin;
}

/** Returns the command for one call of a function, with `key` if it is given. */
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

/** Returns a path that matches a route. A parameter is its own name if its pattern allows that; optional ones are absent. */
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

/** Quotes a word for any POSIX shell. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
