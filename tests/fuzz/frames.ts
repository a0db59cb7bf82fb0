// Fuzzes the host's end of the sandbox protocol: `deno task test:fuzz [--seconds=60] [--seed=N] [--only=SESSION] [--scene=NAME]`.
// Ends with 1 if anything was found: a crash, a hang, a leak, a wrong answer, an innocent call that failed.

import { parseArgs } from "node:util";
import { fuzzHost, GROWTH_MAX_MB } from "./host.ts";
import { fuzzReading } from "./reading.ts";

/** Part of the time that goes to the reading of frames by itself. */
const READING_SHARE = 0.2;
/** Nothing is left to wait for at the end; what is still there after this long is a leak. */
const END_MAX_MS = 5_000;

const { values } = parseArgs({
  options: {
    seconds: { type: "string" },
    seed: { type: "string" },
    only: { type: "string" },
    scene: { type: "string" },
  },
});
const seconds = Number(values.seconds ?? 60);
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1);
const only = values.only === undefined ? undefined : Number(values.only);
console.log(`seed ${seed} (again with --seed=${seed})`);

const began = performance.now();
const readings = only === undefined && values.scene === undefined
  ? await fuzzReading(seed, began + seconds * 1_000 * READING_SHARE)
  : 0;
const report = await fuzzHost(seed, began + seconds * 1_000, { only, scene: values.scene });

const sorted = report.innocentMs.toSorted((a, b) => a - b);
console.log(
  `fuzz: seed ${seed}, ${((performance.now() - began) / 1_000).toFixed(1)} s, ${readings} readings, ` +
    `${report.sessions} hostile processes, ${report.calls} calls, ${report.frames} frames; ` +
    `innocent ${sorted.length} calls, p99 ${sorted[Math.floor(sorted.length * 0.99)]?.toFixed(1)} ms; ` +
    `longest stall ${report.longestStallMs.toFixed()} ms; ` +
    `RSS ${report.startMb} to ${report.endMb} MB (bound +${GROWTH_MAX_MB}), at most ${report.peakMb} MB; ` +
    `${report.findings.length} findings`,
);
Deno.exitCode = report.findings.length > 0 ? 1 : 0;
Deno.unrefTimer(setTimeout(() => {
  console.error("FINDING: something keeps the event loop alive after the end");
  Deno.exit(1);
}, END_MAX_MS));
