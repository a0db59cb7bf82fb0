// What may be a route, when two are the same, and which function answers a path.

import assert from "node:assert/strict";
import fc from "fast-check";
import { TrieRouter } from "hono/router/trie-router";
import { AppError } from "../../src/errors.ts";
import {
  breadth,
  checkRoute,
  createRouter,
  decodedRoute,
  type Match,
  ROUTE_MAX_LENGTH,
  type Routed,
  routeKey,
  trieRoute,
} from "../../src/core/functions/router.ts";

const routed = (id: number, route: string, methods: readonly string[] = ["GET"]): Routed => ({ id, route, methods });

/** The parameters with which `route` answers each path; undefined: not at all. */
function assertMatches(route: string, paths: Record<string, Record<string, string> | undefined>): void {
  checkRoute(route);
  const router = createRouter([routed(1, route)]);
  for (const [path, params] of Object.entries(paths)) {
    const match = router.match("GET", path);
    assert.deepEqual(match.found && { ...match.params }, params, `${route} on ${path}`);
  }
}

Deno.test("what can be a route is accepted", () => {
  const routes = [
    "/",
    "/a",
    "/a/",
    "/a/b-c_d.e~f",
    "/A/%20/ü/🔑",
    "/a b",
    "/a%2Fb",
    "/%25",
    "/100%",
    "/:id",
    "/:id?",
    "/a/:x/b/:y",
    "/a/:x?/:y?",
    "/:id{[0-9]+}",
    "/:id{[0-9]{2}}",
    "/:id{[0-9]+}?",
    "/:name{.+\\.png}",
    "/:path{.*}",
    "/:lang{en|de}/:rest{[a-z/]+}",
    "/*",
    "/a/*",
    "/a/*/b",
    "/" + "a".repeat(ROUTE_MAX_LENGTH - 1),
  ];
  for (const route of routes) assert.doesNotThrow(() => checkRoute(route), route);
});

Deno.test("what can be no route is refused as the field route", () => {
  const routes = [
    "",
    "a",
    "*",
    ":id",
    " /a",
    "/a\t",
    "/a\n",
    "/a\0",
    "/a#b",
    "/a\u00a0b",
    "/a%00b",
    "/a%0Ab",
    "/a%5Cb",
    "/%7Ba%7D",
    "/%2E%2E/a",
    "/a\\b",
    "/a?",
    "/a?b=1",
    "/a{b}",
    "//",
    "//a",
    "/a//b",
    "/a//",
    "/.",
    "/..",
    "/a/./b",
    "/a/../b",
    "/\ud800",
    "/:",
    "/:a-:b",
    "/:a:b",
    "/:a.b",
    "/:id??",
    "/:id{}",
    "/:id{(}",
    "/:id{[}",
    "/:id{a}b",
    "/:id{a",
    "/:id/:id",
    "/:id/a/:id{b}",
    "/:id?/a",
    "/a/:id?/*",
    "/:id?/:other",
    "/:id?/",
    "/:id{a?}?",
    "/:id{a?}/:x?",
    "/:id{(?:a|b)}?",
    "/" + "a".repeat(ROUTE_MAX_LENGTH),
  ];
  for (const route of routes) {
    assert.throws(() => checkRoute(route), (error: Error) => {
      assert.ok(error instanceof AppError && error.status === 400 && error.details?.route, `${route}: ${error}`);
      return true;
    }, JSON.stringify(route));
  }
});

Deno.test("any text is either a route that can be served or refused as one", () => {
  const part = fc.oneof(
    fc.constantFrom("/", ":a", ":b", "?", "*", "{", "}", "[0-9]+", ".+", "a|b", "..", "\\d", "x", "#"),
    fc.string({ unit: "binary", maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.webPath(), (parts, path) => {
      const route = "/" + parts.join("");
      try {
        checkRoute(route);
      } catch (error) {
        assert.ok(error instanceof AppError, String(error));
        return;
      }
      createRouter([routed(1, route)]).match("GET", path || "/");
      assert.equal(routeKey(routeKey(route)), routeKey(route));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("Hono's patterns match as Hono's documentation says", () => {
  assertMatches("/", { "/": {}, "/a": undefined });
  assertMatches("/a", { "/a": {}, "/a/": undefined, "/A": undefined, "/ab": undefined, "/": undefined });
  assertMatches("/a/", { "/a/": {}, "/a": undefined });
  assertMatches("/orders/:id", {
    "/orders/7": { id: "7" },
    "/orders/a%2Fb": { id: "a%2Fb" },
    "/orders": undefined,
    "/orders/": undefined,
    "/orders/7/8": undefined,
  });
  assertMatches("/:a/x/:b", { "/1/x/2": { a: "1", b: "2" }, "/1/y/2": undefined });
  assertMatches("/animal/:type?", {
    "/animal": {},
    "/animal/cat": { type: "cat" },
    "/animal/cat/1": undefined,
  });
  assertMatches("/a/:x?/:y?", { "/a": {}, "/a/1": { x: "1" }, "/a/1/2": { x: "1", y: "2" }, "/a/1/2/3": undefined });
  assertMatches("/:id{[0-9]+}", { "/12": { id: "12" }, "/a": undefined, "/12a": undefined, "/a12": undefined });
  assertMatches("/:id{\\d{2}}", { "/12": { id: "12" }, "/1": undefined, "/123": undefined });
  assertMatches("/:id{[0-9]+}?", { "/": {}, "/12": { id: "12" }, "/a": undefined });
  assertMatches("/:lang{en|de}", {
    "/en": { lang: "en" },
    "/de": { lang: "de" },
    "/england": undefined,
    "/ende": undefined,
    "/made": undefined,
  });
  assertMatches("/:file{.+\\.png}", { "/a/b.png": { file: "a/b.png" }, "/a.jpg": undefined, "/axpng": undefined });
  assertMatches("/f/:path{.*}", { "/f/a/b": { path: "a/b" }, "/f/": { path: "" } });
  assertMatches("/f/*", { "/f": {}, "/f/": {}, "/f/a/b": {}, "/fa": undefined });
  assertMatches("/f/*/z", { "/f/a/z": {}, "/f/z": undefined, "/f/a/b/z": undefined });
  assertMatches("/*", { "/": {}, "/a/b": {} });
});

Deno.test("plain segments are compared decoded, as paths are", () => {
  const cases: Record<string, string> = {
    "/caf%C3%A9": "/café",
    "/a%20b/:id": "/a b/:id",
    "/a%2Fb": "/a%2Fb",
    "/a%3fb": "/a%3fb",
    "/100%25": "/100%25",
    "/100%": "/100%",
    "/%E9": "/%E9",
    "/:x{[%41]+}/%41": "/:x{[%41]+}/A",
    "/": "/",
  };
  for (const [route, decoded] of Object.entries(cases)) {
    assert.equal(decodedRoute(route), decoded);
    assert.equal(decodedRoute(decoded), decoded);
  }
});

Deno.test("routes that match the same paths have one key, and others have another", () => {
  const same = [
    ["/a/:x", "/a/:y"],
    ["/:x{[0-9]+}/b", "/:other_1{[0-9]+}/b"],
    ["/a/:x?", "/a/:y?"],
    ["/a/*", "/a/*"],
  ];
  for (const [one, other] of same) assert.equal(routeKey(one!), routeKey(other!));
  const different = [
    "/a/:x",
    "/a/:x?",
    "/a/:x{[0-9]+}",
    "/a/:x{[a-z]+}",
    "/a/x",
    "/a/*",
    "/a",
    "/a/",
    "/A",
    "/",
    "/*",
    "/:x/a",
  ];
  assert.equal(new Set(different.map(routeKey)).size, different.length);
});

Deno.test("the narrowest route wins: plain, then pattern, then parameter, then wildcard, from left to right", () => {
  const ranked = ["/a/b", "/a/:x{[a-z]+}", "/a/:x", "/a/:x{.+}", "/a/*", "/:x/b", "/:x/:y", "/*"];
  for (let from = 0; from < ranked.length; from++) {
    const functions = ranked.slice(from).map((route, index) => routed(100 - index, route));
    const { found } = createRouter(functions).match("GET", "/a/b");
    assert.equal(found?.route, ranked[from]);
  }
});

Deno.test("a path itself wins over an older route that takes whatever begins like it", () => {
  const router = createRouter([routed(1, "/a*"), routed(2, "/ab")]);
  assert.equal(router.match("GET", "/ab").found?.id, 2);
  assert.equal(router.match("GET", "/ac").found?.id, 1);
  assert.equal(router.match("GET", "/ac/d").found?.id, 1);
});

Deno.test("of two equally narrow routes, the oldest function wins", () => {
  const functions = [routed(5, "/:x{[a-z]+}"), routed(3, "/:y{[a-b]+}"), routed(4, "/:z{a}")];
  assert.equal(createRouter(functions).match("GET", "/a").found?.id, 3);
});

Deno.test("a method is looked for in every route that matches, the narrowest first", () => {
  const router = createRouter([
    routed(1, "/orders/:id", ["GET", "PUT"]),
    routed(2, "/orders/new", ["POST"]),
    routed(3, "/orders/*", ["DELETE", "POST"]),
  ]);
  const answers = { GET: 1, PUT: 1, POST: 2, DELETE: 3 };
  for (const [method, id] of Object.entries(answers)) assert.equal(router.match(method, "/orders/new").found?.id, id);
});

Deno.test("a path that takes other methods says which, and a path of no function says none", () => {
  const router = createRouter([
    routed(1, "/a", ["GET"]),
    routed(2, "/a", ["POST"]),
    routed(3, "/:x", ["PUT"]),
    routed(4, "/b", ["POST"]),
  ]);
  assert.deepEqual(router.match("DELETE", "/a"), { found: undefined, allowed: ["GET", "HEAD", "POST", "PUT"] });
  assert.deepEqual(router.match("GET", "/b"), { found: undefined, allowed: ["POST", "PUT"] });
  assert.deepEqual(router.match("HEAD", "/b"), { found: undefined, allowed: ["POST", "PUT"] });
  assert.deepEqual(router.match("GET", "/c"), { found: undefined, allowed: ["PUT"] });
  assert.deepEqual(router.match("GET", "/a/b/c"), { found: undefined, allowed: [] });
  assert.deepEqual(createRouter([]).match("GET", "/"), { found: undefined, allowed: [] });
});

Deno.test("GET answers HEAD, and a function of HEAD alone does not answer GET", () => {
  const router = createRouter([routed(1, "/get", ["GET"]), routed(2, "/head", ["HEAD"]), routed(3, "/post", ["POST"])]);
  assert.equal(router.match("HEAD", "/get").found?.id, 1);
  assert.equal(router.match("HEAD", "/head").found?.id, 2);
  assert.equal(router.match("GET", "/head").found, undefined);
  assert.equal(router.match("HEAD", "/post").found, undefined);
});

const SEGMENTS = ["a", "b", "c", ":x", "*"];

/** Any route over a small alphabet, so that routes overlap much; the place tells a parameter's name. */
const anyRoute = fc.array(fc.constantFrom(...SEGMENTS), { maxLength: 4 }).map((segments) =>
  "/" + segments.map((segment, index) => segment === ":x" ? `:x${index}` : segment).join("/")
).filter((route) => !route.endsWith("/*/*")); // There Hono's last wildcard takes one segment or more.

const anyFunctions = fc.uniqueArray(
  fc.record({
    route: anyRoute,
    methods: fc.subarray(["GET", "POST", "HEAD"], { minLength: 1 }),
  }),
  { maxLength: 12, selector: ({ route }) => routeKey(route) },
).map((wanted) => wanted.map(({ route, methods }, index) => routed(index + 1, route, methods)));

const anyPath = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 5 }).map((parts) => "/" + parts.join("/"));

/** The rule over segments: `*` takes one segment, at the end any number; `:x` takes one. */
function takes(route: string, path: string): boolean {
  const [pattern, parts] = [route, path].map((text) => text.slice(1).split("/").filter(Boolean)) as [
    string[],
    string[],
  ];
  const open = pattern.at(-1) === "*";
  const fixed = open ? pattern.slice(0, -1) : pattern;
  if (open ? parts.length < fixed.length : parts.length !== fixed.length) return false;
  return fixed.every((segment, index) => segment === "*" || segment.startsWith(":") || segment === parts[index]);
}

/** Whether `one` goes before `other` where both match. */
function narrower(one: Routed, other: Routed): boolean {
  const rank = (segment: string | undefined) =>
    segment === undefined || segment === "" ? -1 : segment === "*" ? 2 : segment.startsWith(":") ? 1 : 0;
  const [left, right] = [one, other].map(({ route }) => route.slice(1).split("/")) as [string[], string[]];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = rank(left[index]) - rank(right[index]);
    if (difference !== 0) return difference < 0;
  }
  return one.id < other.id;
}

Deno.test("for all routes and paths, the model and the router choose the same function", () => {
  let matched = 0;
  fc.assert(
    fc.property(anyFunctions, anyPath, fc.constantFrom("GET", "POST", "HEAD", "PUT"), (functions, path, method) => {
      const all = functions.filter(({ route }) => takes(route, path));
      const answering = all.filter(({ methods }) =>
        methods.includes(method) || (method === "HEAD" && methods.includes("GET"))
      );
      const [best] = answering.sort((one, other) => narrower(one, other) ? -1 : 1);
      const match = createRouter(functions).match(method, path);
      assert.equal(match.found?.id, best?.id, `${method} ${path}: ${JSON.stringify(functions)}`);
      if (match.found) matched++;
      else {
        const allowed = new Set(all.flatMap(({ methods }) => methods));
        if (allowed.has("GET")) allowed.add("HEAD");
        assert.deepEqual(match.allowed, [...allowed].sort());
      }
    }),
    { numRuns: 2_000 },
  );
  assert.ok(matched > 200, "the paths drawn were not all strangers");
});

Deno.test("the order in which functions are given to the router does not change who answers", () => {
  const both = anyFunctions.chain((functions) =>
    fc.tuple(fc.constant(functions), fc.shuffledSubarray(functions, { minLength: functions.length }))
  );
  fc.assert(
    fc.property(both, anyPath, ([functions, shuffled], path) => {
      const [one, other] = [functions, shuffled].map((given) => createRouter(given).match("GET", path));
      assert.deepEqual(other, one);
    }),
    { numRuns: 1_000 },
  );
});

/** Every function in one of Hono's tries, in the order in which they win. */
function trieAlone(functions: readonly Routed[], method: string, path: string): Match<Routed> {
  const trie = new TrieRouter<Routed>();
  const ordered = functions.map((entry) => ({ entry, breadth: breadth(entry.route) }))
    .sort((a, b) => a.breadth < b.breadth ? -1 : a.breadth > b.breadth ? 1 : a.entry.id - b.entry.id);
  for (const { entry } of ordered) trie.add("ALL", trieRoute(entry.route), entry);
  const [matches] = trie.match("ALL", path) as [[Routed, Record<string, string>][]];
  const all = matches.flatMap(([{ methods }]) => methods.includes("GET") ? [...methods, "HEAD"] : methods);
  const match = matches.find(([{ methods }]) =>
    methods.includes(method) || (method === "HEAD" && methods.includes("GET"))
  );
  return match ? { found: match[0], params: match[1] } : { found: undefined, allowed: [...new Set(all)].sort() };
}

/** Any text that is a route, from pieces that routes and paths are made of. */
const wildRoute = fc.array(
  fc.constantFrom("/", "/", "a", "b", ":x", ":y", ":z{a|b}", ":p{.*}", ":q{[ab]+}?", ":r?", "*", "a*", ".", "%20", "ü"),
  { minLength: 1, maxLength: 8 },
).map((parts) => "/" + parts.join("")).filter((route) => {
  try {
    checkRoute(route);
    return true;
  } catch {
    return false;
  }
});
const wildPath = fc.array(fc.constantFrom("/", "/", "a", "b", "*", ".", "%20", "ü", ":x"), { maxLength: 8 })
  .map((parts) => "/" + parts.join(""));
const anyMethods = fc.subarray(["GET", "POST", "HEAD"], { minLength: 1 });

Deno.test("for all routes, paths and changes of functions, the router answers as one trie of those that are left", () => {
  const step = fc.record({
    id: fc.integer({ min: 1, max: 8 }),
    route: wildRoute,
    methods: anyMethods,
    gone: fc.boolean(),
  });
  let [plain, other] = [0, 0];
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 8 }),
      fc.array(step, { maxLength: 12 }),
      fc.array(fc.tuple(fc.constantFrom("GET", "POST", "HEAD", "PUT"), wildPath), { minLength: 1, maxLength: 8 }),
      (first, later, calls) => {
        const left = new Map(first.map(({ id, route, methods }) => [id, routed(id, route, methods)]));
        const router = createRouter([...left.values()]);
        for (const { id, route, methods, gone } of later) {
          if (gone) left.delete(id), router.remove(id);
          else {
            left.set(id, routed(id, route, methods));
            router.put(left.get(id)!);
          }
        }
        const paths = [...calls, ...[...left.values()].map(({ route }) => ["GET", route] as const)];
        for (const [method, path] of paths) {
          const expected = trieAlone([...left.values()], method, path);
          const { params, ...match } = { params: undefined, ...router.match(method, path) };
          const { params: expectedParams, ...expectedMatch } = { params: undefined, ...expected };
          const where = `${method} ${path}: ${JSON.stringify([...left.values()])}`;
          assert.deepEqual(match, expectedMatch, where);
          assert.deepEqual({ ...params as object | undefined }, { ...expectedParams as object | undefined }, where);
          if (match.found) /[:*]/.test(match.found.route) ? other++ : plain++;
        }
      },
    ),
    { numRuns: 2_000 },
  );
  assert.ok(plain > 200 && other > 200, "both kinds of routes were found");
});

Deno.test("routes that nobody has any more are forgotten, and those that are used again are found again", () => {
  const router = createRouter<Routed>([routed(1, "/keep/:x")]);
  for (let round = 0; round < 1_000; round++) router.put(routed(2, `/moving-${round}/:x`));
  assert.equal(router.match("GET", "/moving-998/1").found, undefined);
  assert.equal(router.match("GET", "/moving-999/1").found?.id, 2);
  assert.equal(router.match("GET", "/keep/1").found?.id, 1);
  router.remove(1);
  assert.deepEqual(router.match("GET", "/keep/1"), { found: undefined, allowed: [] });
  router.put(routed(3, "/keep/:x"));
  assert.equal(router.match("GET", "/keep/1").found?.id, 3);
});

Deno.test("segments after a pattern match as in Hono's own router, and no parameter is added", () => {
  const pattern = fc.constantFrom(
    "[0-9]+",
    "[a-c]{2}",
    "a|bc",
    "(?:a|b)+",
    "\\d{1,3}",
    "[a-z0-9-]{1,20}",
    ".+",
    ".*",
    "[^x]+",
    "[ab/]+",
  );
  const segment = fc.oneof(
    fc.constantFrom("a", "b", "a.c", "x+y", "*", ":p", ":q"),
    pattern.map((pattern) => `:r{${pattern}}`),
  );
  const part = fc.constantFrom("a", "b", "bc", "ab", "12", "a.c", "abc", "x+y", "x", "axc");
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.array(part, { minLength: 1, maxLength: 5 }), (
      segments,
      parts,
    ) => {
      const route = "/" + segments.map((segment, index) => segment.replace(/^:\w/, (name) => name + index)).join("/");
      // A literal with signs of regular expressions: Hono would take it for one.
      fc.pre(!/\}\/(a\.c|x\+y)/.test(route));
      try {
        checkRoute(route);
      } catch {
        return fc.pre(false);
      }
      const hono = new TrieRouter<string>();
      hono.add("ALL", route.replace(/\{(a\|bc)\}/g, "{($1)}"), "found");
      const path = "/" + parts.join("/");
      const [theirs] = hono.match("ALL", path)[0];
      const ours = createRouter([routed(1, route)]).match("GET", path);
      assert.deepEqual(ours.found && { ...ours.params }, theirs && { ...theirs[1] as object }, `${route} on ${path}`);
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("repetitions beyond 16 match as before", () => {
  assertMatches("/:id{[0-9a-f]{32}}", {
    [`/${"a".repeat(32)}`]: { id: "a".repeat(32) },
    [`/${"a".repeat(31)}`]: undefined,
  });
  assertMatches("/:id{[\\w-]{20,40}}/edit", {
    [`/${"a".repeat(20)}/edit`]: { id: "a".repeat(20) },
    [`/${"-".repeat(40)}/edit`]: { id: "-".repeat(40) },
    [`/${"a".repeat(19)}/edit`]: undefined,
    [`/${"a".repeat(41)}/edit`]: undefined,
  });
  assertMatches("/:id{\\d{20,}}", {
    [`/${"1".repeat(50)}`]: { id: "1".repeat(50) },
    [`/${"1".repeat(19)}`]: undefined,
  });
  assertMatches("/:id{\\x41{17}}", { [`/${"A".repeat(17)}`]: { id: "A".repeat(17) }, "/A": undefined });
});

Deno.test("a path of more than 4,096 characters is matched by no pattern", () => {
  const router = createRouter([routed(1, "/:id{[0-9]+}")]);
  assert.ok(router.match("GET", "/" + "1".repeat(4_095)).found);
  assert.equal(router.match("GET", "/" + "1".repeat(4_096)).found, undefined);
});
