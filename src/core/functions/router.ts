// Validates routes, compares them, and finds the function that answers a path. The patterns and the matching are Hono's.

import { TrieRouter } from "hono/router/trie-router";
import { invalid } from "../../errors.ts";
import { isLinear, mayContainSlash, unrolled, withOneRepetition } from "./route_patterns.ts";

export const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
export const ROUTE_MAX_LENGTH = 500;
/** Longer paths match no pattern, which bounds the time for one match. */
export const PATH_MAX_LENGTH = 4_096;
/** Length of a pattern after its repetitions are expanded. */
const PATTERN_MAX_LENGTH = 2_000;
/** Name of parameters in the trie that the route does not have. */
const HIDDEN = ".";

/** Matches `:name`, optionally with a pattern in braces and a question mark. */
const PARAMETER = /^:([a-zA-Z0-9_]+)(\{.+\})?(\?)?$/;

/**
 * Returns the route with percent-encoded characters of its plain segments decoded, as the paths that it is compared
 * with are (Hono's `getPath`): `/caf%C3%A9` is `/café`. What means something else when decoded, such as %2F, stays.
 */
export function decodedRoute(route: string): string {
  return mapSegments(route, (segment) => {
    if (segment.startsWith(":")) return segment;
    try {
      return decodeURI(segment.replaceAll("%25", "%2525"));
    } catch {
      return segment;
    }
  });
}

/**
 * Checks a route, such as `/orders/:id{[0-9]+}`, once it is decoded.
 * @throws AppError InvalidInput (400)
 */
export function checkRoute(route: string): void {
  if (route.startsWith("/") && !route.includes("//")) return checkDecoded(decodedRoute(route));
  checkDecoded(route);
}

function checkDecoded(route: string): void {
  if (!route.startsWith("/")) throw invalid("route", 'must begin with "/"');
  if (route.length > ROUTE_MAX_LENGTH) throw invalid("route", `must have at most ${ROUTE_MAX_LENGTH} characters`);
  // deno-lint-ignore no-control-regex
  if (/[#\x00-\x1f\x7f]|[^\S ]/.test(route) || !route.isWellFormed()) {
    throw invalid("route", 'must not contain white space other than " ", control characters or "#"');
  }
  if (route.includes("//")) throw invalid("route", 'must not contain "//"');
  const names = new Set<string>();
  let optionalBefore = false;
  const segments = segmentsOf(route);
  for (const [index, segment] of segments.entries()) {
    if (segment === "." || segment === "..") throw invalid("route", `must not contain "${segment}" as a segment`);
    // Hono accepts the optional mark only at the end; elsewhere it would be part of the parameter's name.
    if (optionalBefore && !segment.endsWith("?")) {
      throw invalid("route", "must have optional parameters only at its end");
    }
    if (!segment.startsWith(":")) {
      if (/[?{}\\]/.test(segment)) throw invalid("route", 'must not contain "?", "{", "}" or "\\" outside a parameter');
      continue;
    }
    const parameter = PARAMETER.exec(segment);
    if (!parameter) throw invalid("route", `has a segment "${segment}" that is not a valid parameter such as ":id"`);
    const [, name, pattern, optional] = parameter;
    optionalBefore = optional !== undefined;
    if (names.has(name!)) throw invalid("route", `names the parameter "${name}" twice`);
    names.add(name!);
    if (pattern) checkPattern(pattern.slice(1, -1), segments[index + 1]);
  }
  if (optionalBefore && route.endsWith("/")) {
    throw invalid("route", 'must not end with "/" after an optional parameter');
  }
  // To make a parameter optional, Hono drops the first "?" of its segment.
  if (optionalBefore && /\?[^/]*\}/.test(route)) {
    throw invalid("route", 'must not have "?" in a pattern if a parameter is optional');
  }
  try {
    const router = new TrieRouter<number>();
    router.add("GET", route, 0);
    router.match("GET", "/");
  } catch {
    throw invalid("route", "is not a valid pattern");
  }
}

/** `next` is the segment that follows. */
function checkPattern(pattern: string, next: string | undefined): void {
  try {
    new RegExp(`^${pattern}$`);
  } catch {
    throw invalid("route", `has a parameter whose pattern "${pattern}" is not a regular expression`);
  }
  const written = unrolled(pattern);
  if (written.length > PATTERN_MAX_LENGTH || !isLinear(written)) {
    throw invalid(
      "route",
      `has a parameter whose pattern "${pattern}" could take too long to match: use no back-references, no ` +
        "look-ahead, and no group that is repeated more than 16 times",
    );
  }
  if (next !== undefined && isLiteral(next) && mayContainSlash(pattern) && !withOneRepetition(pattern)) {
    throw invalid(
      "route",
      `has a parameter whose pattern "${pattern}" may match "/" before the segment "${next}": there, use one ` +
        'repetition and no group, such as ".+", or a pattern that does not match "/"',
    );
  }
}

/** Reports whether Hono's trie compares the segment literally. */
function isLiteral(segment: string): boolean {
  return !segment.startsWith(":") && !segment.startsWith("*");
}

/** Splits a route at slashes, except for slashes in a parameter's pattern. */
function segmentsOf(route: string): string[] {
  return route.slice(1).match(/(?::[a-zA-Z0-9_]+\{(?:[^{}]|\{[^{}]*\})*\}\??|[^/])+/g) ?? [];
}

function mapSegments(route: string, change: (segment: string) => string): string {
  return "/" + segmentsOf(route).map(change).join("/") + (route.length > 1 && route.endsWith("/") ? "/" : "");
}

/** Returns the same text for routes that match the same paths: parameters without their names. */
export function routeKey(route: string): string {
  return mapSegments(route, (segment) => segment.replace(/^:[a-zA-Z0-9_]+/, ":"));
}

/**
 * Returns the route as it is put into Hono's trie. Patterns with alternatives get a group, as the trie's `^a|b$` would
 * take whatever begins with a. Repetitions are written out so that V8 can match them in linear time. The trie adds the
 * literal after a pattern to it as a look-ahead, which V8 cannot do in linear time; so that literal becomes a pattern.
 */
export function trieRoute(route: string): string {
  let patternBefore: string | undefined;
  return mapSegments(route, (segment) => {
    const [, name, pattern, optional] = /^(:\w+)\{(.*)\}(\??)$/.exec(segment) ?? [];
    const hides = patternBefore !== undefined && isLiteral(segment) && !mayContainSlash(patternBefore);
    patternBefore = pattern ?? (hides ? "" : undefined);
    if (hides) return `:${HIDDEN}{${asPattern(segment)}}`;
    if (pattern === undefined) return segment;
    const written = unrolled(pattern);
    return `${name}{${pattern.includes("|") ? `(${written})` : written}}${optional}`;
  });
}

/** Returns a literal segment as a pattern. At the end, `a*` matches everything that begins with "a". */
function asPattern(segment: string): string {
  const escaped = segment.replace(/[.*+?^$()|[\]]/g, "\\$&");
  return segment.endsWith("*") ? escaped.replace(/\\\*$/, ".*") : escaped;
}

/** Returns one digit per segment, so that narrower routes sort first. */
export function breadth(route: string): string {
  return segmentsOf(route).map((segment, index, { length }) => {
    if (segment === "*") return "4";
    // At the end, Hono's "a*" matches everything that begins with "a", further segments included.
    if (!segment.startsWith(":")) return index === length - 1 && segment.endsWith("*") ? "3" : "0";
    // A pattern that matches slashes covers further segments.
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
  /** The methods that are allowed for the path; empty if there is no such path. */
  | { found: undefined; allowed: string[] };

export interface Router<F extends Routed> {
  /** Finds the entry for a path, which begins with "/" and is decoded as by Hono's `getPath`. */
  match(method: string, path: string): Match<F>;
  /** Returns the entry with this id, the same object until it is put again. */
  get(id: number): F | undefined;
  /** Adds `entry`, or replaces the one with its id. */
  put(entry: F): void;
  /** Removes the entry with this id, if there is one. */
  remove(id: number): void;
}

/** A route with a pattern and its entries, the oldest first. */
interface Place<F extends Routed> {
  readonly breadth: string;
  readonly entries: F[];
}

/** The trie is rebuilt only if more than this many of its routes are unused. */
const EMPTY_PLACES_MIN = 100;

/**
 * Creates a router over `functions`. Of several that match, the narrowest wins: plain segments before parameters
 * before wildcards, from left to right; then the oldest. GET answers HEAD too, as in Hono.
 * The cost of a look-up or a change does not depend on the number of functions.
 */
export function createRouter<F extends Routed>(functions: readonly F[]): Router<F> {
  const byId = new Map<number, F>();
  /** By route: routes that match only the identical path. */
  const plain = new Map<string, F[]>();
  /** By route: all others. Those without entries are still in the trie, from which nothing can be removed. */
  let places = new Map<string, Place<F>>();
  let trie = new TrieRouter<Place<F>>();
  let emptyPlaces = 0;

  const addPlace = (route: string, entries: F[]): Place<F> => {
    const place = { breadth: breadth(route), entries };
    places.set(route, place);
    trie.add("ALL", trieRoute(route), place);
    return place;
  };

  const dropEmptyPlaces = (): void => {
    const old = places;
    places = new Map();
    trie = new TrieRouter();
    emptyPlaces = 0;
    for (const [route, { entries }] of old) if (entries.length > 0) addPlace(route, entries);
  };

  /** Returns the list of entries with `route`, for adding another. */
  const entriesOf = (route: string): F[] => {
    if (isPlain(route)) {
      const entries = plain.get(route) ?? [];
      plain.set(route, entries);
      return entries;
    }
    const known = places.get(route);
    if (known?.entries.length === 0) emptyPlaces--;
    return (known ?? addPlace(route, [])).entries;
  };

  const remove = (id: number): void => {
    const entry = byId.get(id);
    if (!entry) return;
    byId.delete(id);
    const { route } = entry;
    const entries = (plain.get(route) ?? places.get(route)?.entries)!;
    entries.splice(entries.indexOf(entry), 1);
    if (entries.length > 0 || plain.delete(route)) return;
    emptyPlaces++;
    if (emptyPlaces > Math.max(EMPTY_PLACES_MIN, places.size / 2)) dropEmptyPlaces();
  };

  const put = (entry: F): void => {
    remove(entry.id);
    byId.set(entry.id, entry);
    const entries = entriesOf(entry.route);
    entries.push(entry);
    entries.sort((a, b) => a.id - b.id);
  };

  for (const entry of functions) put(entry);

  return {
    put,
    remove,
    get: (id) => byId.get(id),
    match(method, path) {
      // A literal route is narrower than any pattern.
      const same = plain.get(path);
      const exact = same?.find((entry) => answers(entry, method));
      if (exact) return { found: exact, params: {} };
      const found = path.length > PATH_MAX_LENGTH ? [] : trie.match("ALL", path)[0];
      const matches = inOrder(found as [Place<F>, Record<string, string>][]);
      for (const { entry, params } of matches) if (answers(entry, method)) return { found: entry, params };
      const allowed = new Set([...same ?? [], ...matches.map(({ entry }) => entry)].flatMap(({ methods }) => methods));
      if (allowed.has("GET")) allowed.add("HEAD");
      return { found: undefined, allowed: [...allowed].sort() };
    },
  };
}

/** Reports whether a route has no parameters or wildcards. A "*" that means nothing to Hono is left to the trie, too. */
function isPlain(route: string): boolean {
  return !/[:*]/.test(route);
}

/** Returns the entries of all matching places, the narrowest first, then the oldest. */
function inOrder<F extends Routed>(matches: [Place<F>, Record<string, string>][]) {
  for (const [, params] of matches) delete params[HIDDEN];
  return matches
    .flatMap(([{ breadth, entries }, params]) => entries.map((entry) => ({ entry, breadth, params })))
    .sort((a, b) => a.breadth < b.breadth ? -1 : a.breadth > b.breadth ? 1 : a.entry.id - b.entry.id);
}

function answers(entry: Routed, method: string): boolean {
  return entry.methods.includes(method) || (method === "HEAD" && entry.methods.includes("GET"));
}
