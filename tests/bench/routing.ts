// Finding the function for a path among 10,000 against among 10; and what the first look-up after a change costs.

import { createRouter, type Routed } from "../../src/core/functions/router.ts";
import { compare, report, timeOf } from "./ratios.ts";

const MANY = 10_000;
const FEW = 10;
const LOOKUPS = 10_000;
const CHANGES = 500;
const ROUNDS = 51;
/** Highest ratio that is acceptable. */
const CEILING = 1.2;

const KINDS: Record<string, (n: number) => string> = {
  "plain routes": (n) => `/team/function-${n}`,
  "routes with a parameter": (n) => `/team/function-${n}/:id`,
  "routes with patterns": (n) => `/function-${n}/:id{[0-9]+}/:part?`,
};

/** Prints ratios; returns what is above its ceiling. */
export async function benchRouting(): Promise<string[]> {
  const missed: string[] = [];
  console.log(
    `\nrouting with ${MANY.toLocaleString("en")} functions against ${FEW}`,
  );
  for (const [kind, route] of Object.entries(KINDS)) {
    const [many, few] = [prepare(MANY, route), prepare(FEW, route)];
    missed.push(...report(kind, await compare(ROUNDS, many.find, few.find), CEILING));
    const changed = await compare(ROUNDS, many.change, few.change);
    report(`${kind}, one changed before each`, changed);
    console.log(
      `    a change and a look-up take ${(changed.ms / CHANGES * 1000).toFixed(1)} µs;` +
        ` the router is made once, when the first call comes: ${many.madeInMs.toFixed(0)} ms`,
    );
  }
  return missed;
}

function prepare(count: number, route: (n: number) => string) {
  const functions = Array.from(
    { length: count },
    (_, n): Routed => ({ id: n + 1, route: route(n), methods: ["GET"] }),
  );
  const began = performance.now();
  const router = createRouter(functions);
  const madeInMs = performance.now() - began;
  // As many paths for few functions as for many, so that the processor's caches are not what is measured.
  const paths = Array.from(
    { length: FEW },
    (_, n) => route(n * count / FEW).replace(/\{.*\}/, "").replace(/:\w+\??/g, "7"),
  );
  const look = (n: number): void => {
    // As in a request, the path is a part of a longer text, which nobody has looked for before.
    const url = `/run${paths[n % FEW]}?${n}`;
    if (!router.match("GET", url.slice("/run".length, url.indexOf("?"))).found) {
      throw new Error(`${paths[n % FEW]} is not found`);
    }
  };
  return {
    madeInMs,
    find: () =>
      timeOf(() => {
        for (let n = 0; n < LOOKUPS; n++) look(n);
      }),
    change: () =>
      timeOf(() => {
        for (let n = 0; n < CHANGES; n++) {
          router.put(functions[n * 7 % count]!);
          look(n);
        }
      }),
  };
}
