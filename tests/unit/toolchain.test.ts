// The programs of processes: each is copied with all modules that it imports.

import assert from "node:assert/strict";
import { dirname, join } from "node:path/posix";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

Deno.test("the modules of sandboxes and of the egress process are copied with all that they import", () => {
  const toolchain = Deno.readTextFileSync(
    join(ROOT, "src/sandbox/process/toolchain.ts"),
  );
  const copied = new Set(
    [...toolchain.matchAll(/^ {2}"((?:workers|src)\/[^"]+\.ts)",$/gm)].map((
      [, path],
    ) => path!),
  );
  for (
    const program of ["workers/bootstrap.ts", "src/egress/process/main.ts"]
  ) assert.ok(copied.has(program), program);
  for (const path of copied) {
    const text = Deno.readTextFileSync(join(ROOT, path));
    // Imports of types alone are not loaded.
    for (
      const [, imported] of text.matchAll(
        /^(?:import|export) (?!type\b)[^;"]*"(\.[^"]+)";$/gm,
      )
    ) {
      const target = join(dirname(path), imported!);
      assert.ok(
        copied.has(target),
        `${path} imports ${target}, which is not copied`,
      );
    }
  }
});
