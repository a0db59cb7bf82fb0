// deno task soak [--minutes=15]: mixed load on a real server; exits 1 if an answer was wrong, a call failed or memory
// grew by more than a tenth.

import { parseArgs } from "node:util";
import { soak } from "./soak.ts";

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "15" } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error("--minutes must be a number above 0.");

const { calls, complaints, growth, missed } = await soak({
  durationMs: minutes * 60_000,
  print: console.log,
});
for (const complaint of complaints) console.log(`  ${complaint}`);
if (growth !== undefined) {
  const direction = growth < 0 ? "less" : "more";
  console.log(
    `memory at the end: ${(Math.abs(growth) * 100).toFixed(1)} % ${direction} than after the first minute`,
  );
}
console.log(
  missed.length === 0 ? `soak: ${calls} calls, nothing wrong` : `soak missed: ${missed.join("; ")}`,
);
Deno.exit(missed.length === 0 ? 0 : 1);
