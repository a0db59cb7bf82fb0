// The long form of histories.test.ts: `deno task soak:cluster [--operations=100000] [--seed=1]`.

import { parseArgs } from "node:util";
import { checkHistory } from "./histories.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: { operations: { type: "string", default: "100000" }, seed: { type: "string", default: "1" } },
});
const { operations, seconds, recoveryMs } = await checkHistory({
  operations: Number(values.operations),
  seed: Number(values.seed),
  clients: 16,
  troubleMs: 4_000,
  report: (line) => console.log(line),
});
console.log(
  `${operations} operations in ${
    Math.round(seconds)
  } s are linearizable on each node; every node served again within ` +
    `${Math.round(recoveryMs)} ms.`,
);
