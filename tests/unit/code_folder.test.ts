// The list of files in the code folder, where its watcher fails.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

Deno.test("a FIFO in the code folder stops neither the server nor the sight of edits", async () => {
  const program = fileURLToPath(new URL("folder_with_fifo.ts", import.meta.url));
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-all", program],
    stdout: "piped",
    stderr: "piped",
  }).output();
  const [printed, problem] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.notEqual(printed, "", problem);
  const { paths, warnings } = JSON.parse(printed!);
  assert.deepEqual(paths, ["before.ts", "folder/after.ts", "later.ts"]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /a second later: pipe is no file, folder or link\. Remove it and restart/);
});
