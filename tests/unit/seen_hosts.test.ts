// The hosts of a process, which are reported again on each day.

import assert from "node:assert/strict";
import { SeenHosts } from "../../src/sandbox/host/seen_hosts.ts";

const DAY = 86_400_000;

Deno.test("hosts are reported as they are seen, and all of them once more on each later day, without a check", () => {
  const reports: [string, number][][] = [];
  let now = 10 * DAY;
  const seen = new SeenHosts((hosts) => reports.push([...hosts]), () => now);
  const take = () => reports.splice(0);
  seen.repeat();
  assert.deepEqual(take(), []);
  seen.add(new Map([["a.example:1", 2]]));
  seen.add(new Map([["b.example:1", 1]]));
  seen.repeat();
  assert.deepEqual(take(), [[["a.example:1", 2]], [["b.example:1", 1]]]);
  now += DAY;
  seen.repeat();
  seen.repeat();
  assert.deepEqual(take(), [[["a.example:1", 0], ["b.example:1", 0]]]);
  now += DAY;
  seen.add(new Map([["b.example:1", 3]]));
  assert.deepEqual(take(), [[["a.example:1", 0], ["b.example:1", 0]], [["b.example:1", 3]]]);
  seen.repeat();
  for (let n = 0; n < 500; n++) seen.add(new Map([[`h${n}.example:1`, 1]]));
  take();
  now += DAY;
  seen.repeat();
  assert.equal(take()[0]!.length, 101, "a process cannot make the server remember more");
});
