// The list of files in the code folder, where its watcher fails.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CodeFolder } from "../../src/code/files/code_folder.ts";
import { withFolder } from "../http/filled.ts";

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

Deno.test("a comparison with the disk that is under way ends with the folder", async () => {
  await withFolder(async (codeDir) => {
    const folder = new CodeFolder({ codeDir, dataDir: join(codeDir, "data"), warn: () => {}, checkMs: 0 });
    const found = async () => (await folder.current()).files.length;
    assert.equal(await found(), 0);
    Deno.writeTextFileSync(join(codeDir, "new.ts"), "");
    // The watcher has not reported it yet, so that the comparison finds it and waits for the report.
    assert.equal(await found(), 0);
    await folder.close();
  });
});
