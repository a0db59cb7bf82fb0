// Three nodes and a PostgreSQL in trouble answer as one server would: no change that was answered is lost or unseen.

import { checkHistory } from "./histories.ts";

Deno.test("what clients see on each of three nodes is linearizable, whatever happens to nodes, network and PostgreSQL", async () => {
  await checkHistory({ operations: 2_000, troubleMs: 2_500, seed: 1 });
});
