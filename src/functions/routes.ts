// Routes: what may be one, when two are the same, and which function answers a path. The patterns
// and the matching are Hono's.

import { TrieRouter } from "hono/router/trie-router";
import { invalid } from "../errors.ts";

export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
export const ROUTE_MAX_LENGTH = 500;

/** `:name`, perhaps with a pattern in braces, perhaps optional. */
const PARAMETER = /^:([a-zA-Z0-9_]+)(\{.+\})?(\?)?$/;

/**
 * Checks a route, such as `/orders/:id{[0-9]+}`.
 * @throws AppError InvalidInput (400)
 */
export function checkRoute(route: string): void {
  if (!route.startsWith("/")) throw invalid("route", 'must begin with "/"');
  if (route.length > ROUTE_MAX_LENGTH) throw invalid("route", `must have at most ${ROUTE_MAX_LENGTH} characters`);
  // deno-lint-ignore no-control-regex
  if (/[\s#\x00-\x1f\x7f]/.test(route) || !route.isWellFormed()) {
    throw invalid("route", 'must not contain white space, control characters or "#"');
  }
  if (route.includes("//")) throw invalid("route", 'must not contain "//"');
  const names = new Set<string>();
  let optionalBefore = false;
  for (const segment of segmentsOf(route)) {
    if (segment === "." || segment === "..") throw invalid("route", `must not contain "${segment}" as a segment`);
    // Hono takes "?" as "optional" at the end only; further in, it would be part of the parameter's name.
    if (optionalBefore && !segment.endsWith("?")) {
      throw invalid("route", "must have optional parameters at its end only");
    }
    if (!segment.startsWith(":")) {
      if (/[?{}\\]/.test(segment)) throw invalid("route", 'must not contain "?", "{", "}" or "\\" outside a parameter');
      continue;
    }
    const parameter = PARAMETER.exec(segment);
    if (!parameter) throw invalid("route", `has a segment "${segment}" that is no parameter such as ":id"`);
    const [, name, pattern, optional] = parameter;
    optionalBefore = optional !== undefined;
    if (names.has(name!)) throw invalid("route", `names the parameter "${name}" twice`);
    names.add(name!);
    if (pattern) checkPattern(pattern.slice(1, -1));
  }
  if (optionalBefore && route.endsWith("/")) {
    throw invalid("route", 'must not end with "/" after an optional parameter');
  }
  // To make a parameter optional, Hono drops the first "?" of its segment.
  if (optionalBefore && /\?[^/]*\}/.test(route)) {
    throw invalid("route", 'must not have "?" in a pattern beside an optional parameter');
  }
  try {
    const router = new TrieRouter<number>();
    router.add("GET", route, 0);
    router.match("GET", "/");
  } catch {
    throw invalid("route", "is not a pattern that can be matched");
  }
}

function checkPattern(pattern: string): void {
  try {
    new RegExp(`^${pattern}$`);
  } catch {
    throw invalid("route", `has a parameter whose pattern "${pattern}" is not a regular expression`);
  }
}

/** Segments between slashes; slashes in a parameter's pattern do not count. */
function segmentsOf(route: string): string[] {
  return route.slice(1).match(/(?::[a-zA-Z0-9_]+\{(?:[^{}]|\{[^{}]*\})*\}\??|[^/])+/g) ?? [];
}

function mapSegments(route: string, change: (segment: string) => string): string {
  return "/" + segmentsOf(route).map(change).join("/") + (route.length > 1 && route.endsWith("/") ? "/" : "");
}

/** The same text for routes that match the same paths: parameters lose their names. */
export function routeKey(route: string): string {
  return mapSegments(route, (segment) => segment.replace(/^:[a-zA-Z0-9_]+/, ":"));
}

/** Patterns with alternatives get a group, as the router's `^a|b$` would take whatever begins with a. */
function grouped(route: string): string {
  return mapSegments(route, (segment) => segment.replace(/^(:\w+)\{(.*\|.*)\}(\??)$/, "$1{($2)}$3"));
}

/** One digit a segment: what is narrower sorts first. */
function breadth(route: string): string {
  return segmentsOf(route).map((segment) => {
    if (segment === "*") return "4";
    if (!segment.startsWith(":")) return "0";
    // A pattern that takes slashes swallows further segments.
    if (/\{.*(\.[*+]|\/).*\}/.test(segment)) return "3";
    return segment.includes("{") ? "1" : "2";
  }).join("");
}

export interface Routed {
  readonly id: number;
  readonly route: string;
  readonly methods: readonly string[];
}

export type Match<F extends Routed> =
  | { found: F; params: Record<string, string> }
  /** The methods that the path would take; empty if there is no such path. */
  | { found: undefined; allowed: string[] };

export interface Router<F extends Routed> {
  /** `path` begins with "/" and is decoded as Hono's `getPath` does; the parameters are as in the path. */
  match(method: string, path: string): Match<F>;
}

/**
 * A router over `functions`. Of several that match, the narrowest wins: plain segments before parameters
 * before wildcards, from left to right; then the oldest. GET answers HEAD too, as in Hono.
 */
export function createRouter<F extends Routed>(functions: readonly F[]): Router<F> {
  const ordered = functions
    .map((entry) => ({ entry, breadth: breadth(entry.route) }))
    .sort((a, b) => a.breadth < b.breadth ? -1 : a.breadth > b.breadth ? 1 : a.entry.id - b.entry.id);
  const router = new TrieRouter<F>();
  for (const { entry } of ordered) router.add("ALL", grouped(entry.route), entry);

  return {
    match(method, path) {
      const [matches] = router.match("ALL", path) as [[F, Record<string, string>][]];
      for (const [found, params] of matches) {
        if (answers(found, method)) return { found, params };
      }
      const allowed = new Set(matches.flatMap(([entry]) => entry.methods));
      if (allowed.has("GET")) allowed.add("HEAD");
      return { found: undefined, allowed: [...allowed].sort() };
    },
  };
}

function answers(entry: Routed, method: string): boolean {
  return entry.methods.includes(method) || (method === "HEAD" && entry.methods.includes("GET"));
}
