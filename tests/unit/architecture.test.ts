// docs/architecture.md, as far as it can be compared with the sources; way_of_a_call.test.ts compares its lists of files.

import assert from "node:assert/strict";
import { PAGE, withGraph } from "../folder_graph.ts";
import { ROOT } from "../source_files.ts";

const page = await Deno.readTextFile(ROOT + PAGE);

Deno.test("the graph of the folders is the one that the import lines give; `deno task graph` writes it", () => {
  assert.equal(page, withGraph(page));
});

Deno.test("every folder of the sources is in the table of planes, and each of that table exists", () => {
  const [table] = /^\| plane[\s\S]*?^$/m.exec(page)!;
  const named = new Set([...table.matchAll(/`((?:src\/\w+)|workers)`/g)].map(([, folder]) => folder!));
  const rooms = [...Deno.readDirSync(`${ROOT}src`)].filter(({ isDirectory }) => isDirectory);
  assert.deepEqual([...named].sort(), [...rooms.map(({ name }) => `src/${name}`), "workers"].sort());
});
