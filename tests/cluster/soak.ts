// The long form of histories.test.ts: `deno task soak:cluster [--operations=100000] [--seed=1] [--nemesis=disk]`, of which
// the last leaves out all nemeses without this word in their names.

import { parseArgs } from "node:util";
import { checkHistory } from "./histories.ts";
import { NEMESES } from "./nemeses.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    operations: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    nemesis: { type: "string", default: "" },
  },
});
const { operations, seconds, recoveryMs } = await checkHistory({
  operations: Number(values.operations),
  seed: Number(values.seed),
  clients: 16,
  nemeses: NEMESES.filter(({ name }) => name.includes(values.nemesis)),
  troubleMs: 4_000,
  report: (line) => console.log(line),
});
console.log(
  `${operations} operations in ${
    Math.round(seconds)
  } s are linearizable on each node; every node served again within ` +
    `${Math.round(recoveryMs)} ms.`,
);
