// The code folder of a node of a cluster: what is edited on disk is undone, and no version is made of it.

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { OPERATOR } from "../../src/actor.ts";
import { CodeFolder } from "../../src/code/files/code_folder.ts";
import { authorOf } from "../../src/code/versions/author.ts";
import { createCodeHistory } from "../../src/code/versions/history.ts";
import { WorkingCopy } from "../../src/code/versions/working_copy.ts";
import { sha256Of } from "../../src/sha256.ts";
import { createBlobs } from "../../src/store/blobs.ts";
import { temporaryFolder, temporaryStore } from "./temporary.ts";

/** A node whose newest version has these files, none of which is in its code folder yet. */
async function node(stack: DisposableStack, files: Record<string, string>) {
  const there = stack.use(temporaryStore());
  const [codeDir, undoneDir] = [stack.use(temporaryFolder()).path, join(dirname(there.path), "undone")];
  const reports: string[] = [];
  const folder = stack.adopt(
    new CodeFolder({ codeDir, dataDir: dirname(there.path), warn() {} }),
    (one) => one.close(),
  );
  const blobs = createBlobs(join(dirname(there.path), "blobs"));
  const history = createCodeHistory({
    store: there.store.codeVersions,
    key: there.keyring.derive("code versions"),
    now: Date.now,
  });
  const changes = new Map<string, { sha256: string; sizeBytes: number }>();
  for (const [path, text] of Object.entries(files)) {
    const content = new TextEncoder().encode(text);
    await blobs.put(sha256Of(content), content);
    changes.set(path, { sha256: sha256Of(content), sizeBytes: content.length });
  }
  there.store.transaction(() => history.commit(authorOf(OPERATOR), "deployment", "first", changes));
  const report = (_level: string, message: string) => void reports.push(message);
  const behind: (string | undefined)[] = [];
  const workingCopy = new WorkingCopy({
    ...{ ...there.store, codeDir, folder, blobs, history, report, undoneDir },
    onBehind: (reason) => void behind.push(reason && `${reason.code}: ${reason.message}`),
  });
  const filesNow = async () => {
    const found: Record<string, string> = {};
    const walk = async (at: string) => {
      for await (const { name, isDirectory } of Deno.readDir(join(codeDir, at))) {
        const path = at === "" ? name : `${at}/${name}`;
        if (isDirectory) await walk(path);
        else found[path] = await Deno.readTextFile(join(codeDir, path));
      }
    };
    await walk("");
    return found;
  };
  return { codeDir, undoneDir, reports, behind, history, workingCopy, filesNow, blobs, store: there.store };
}

const FILES = { "a.ts": "export default 1;", "lib/b.ts": "export const b = 2;" };

Deno.test("a node that has no code gets the newest version, and one that has it does nothing", async () => {
  using stack = new DisposableStack();
  const { workingCopy, filesNow, reports } = await node(stack, FILES);
  await workingCopy.recover();
  assert.deepEqual(await filesNow(), FILES);
  assert.deepEqual(reports, ["The code folder was brought to version 1."]);
  await workingCopy.recordAllEdits();
  assert.equal(reports.length, 1);
});

Deno.test("edited, new and deleted files are brought back, and what was written is kept", async () => {
  using stack = new DisposableStack();
  const { codeDir, undoneDir, workingCopy, filesNow, reports, history } = await node(stack, FILES);
  await workingCopy.recover();
  await Deno.writeTextFile(join(codeDir, "a.ts"), "edited");
  await Deno.mkdir(join(codeDir, "new/folder"), { recursive: true });
  await Deno.writeTextFile(join(codeDir, "new/folder/c.ts"), "new");
  await Deno.remove(join(codeDir, "lib"), { recursive: true });
  await workingCopy.recordAllEdits();
  assert.deepEqual(await filesNow(), FILES);
  assert.equal(history.head().version, 1, "no version is made of them");
  assert.match(
    reports[1]!,
    /^Edited on disk: a\.ts, new\/folder\/c\.ts\. This was undone, .* is in \S+\/undone\/\S+\.$/,
  );
  const [kept] = [...Deno.readDirSync(undoneDir)];
  assert.equal(await Deno.readTextFile(join(undoneDir, kept!.name, "a.ts")), "edited");
  assert.equal(await Deno.readTextFile(join(undoneDir, kept!.name, "new/folder/c.ts")), "new");
});

Deno.test("files that became folders and links are not followed out of the folder", async () => {
  using stack = new DisposableStack();
  const { codeDir, workingCopy, reports } = await node(stack, FILES);
  const outside = stack.use(temporaryFolder()).path;
  await workingCopy.recover();
  await Deno.remove(join(codeDir, "lib"), { recursive: true });
  await Deno.symlink(outside, join(codeDir, "lib"));
  await assert.rejects(workingCopy.recordAllEdits(), /lib is a link/);
  assert.deepEqual([...Deno.readDirSync(outside)], [], "nothing is written behind the link");
  await workingCopy.recover();
  assert.match(reports.at(-1)!, /^Version 1 of the code cannot be put in place .*lib is a link/);
  await Deno.remove(join(codeDir, "lib"));
  await workingCopy.recordAllEdits();
  assert.equal(await Deno.readTextFile(join(codeDir, "lib/b.ts")), FILES["lib/b.ts"]);
  await workingCopy.stop();
});

/** What users put in the way of the files of FILES, which nobody can put right but them, and where it is. */
const IN_THE_WAY: Record<string, (codeDir: string) => Promise<string>> = {
  "a folder with a file that is no code": async (codeDir) => {
    await Deno.mkdir(join(codeDir, "a.ts", ".git"), { recursive: true });
    await Deno.writeTextFile(join(codeDir, "a.ts", ".git", "config"), "mine");
    return join(codeDir, "a.ts");
  },
  "a link in place of a folder": async (codeDir) => {
    await Deno.symlink("/tmp", join(codeDir, "lib"));
    return join(codeDir, "lib");
  },
};

for (const [what, put] of Object.entries(IN_THE_WAY)) {
  Deno.test(`a node without the newest version says so until it has it: ${what} is in the way`, async () => {
    using stack = new DisposableStack();
    const { codeDir, behind, workingCopy, filesNow, reports } = await node(stack, FILES);
    const obstacle = await put(codeDir);
    await workingCopy.recover();
    assert.match(behind.at(-1)!, /^CodeNotInPlace: Version 1 of the code cannot be put in place .* cannot be written/);
    assert.equal(await workingCopy.hasContents(), true);
    assert.match(behind.at(-1)!, /^CodeNotInPlace/);
    assert.equal(reports.length, 1, "it is reported once");
    await Deno.remove(obstacle, { recursive: true });
    while (behind.at(-1)) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(await filesNow(), FILES);
    await workingCopy.stop();
  });
}

Deno.test("files that fail to be put in place after the commit do not fail the change, and follow as soon as they can", async () => {
  using stack = new DisposableStack();
  const { codeDir, behind, workingCopy, filesNow, history, store, blobs } = await node(stack, FILES);
  await workingCopy.recover();
  const content = new TextEncoder().encode("export default 2;");
  await blobs.put(sha256Of(content), content);
  const changes = new Map([["a.ts", { sha256: sha256Of(content), sizeBytes: content.length }]]);
  {
    await using staged = await workingCopy.stage(changes);
    store.transaction(() => history.commit(authorOf(OPERATOR), "deployment", "second", changes));
    await Deno.remove(join(codeDir, "a.ts"));
    await Deno.mkdir(join(codeDir, "a.ts", "in", "the way"), { recursive: true });
    await Deno.writeTextFile(join(codeDir, "a.ts", ".mine"), "");
    staged.apply();
  }
  assert.match(behind.at(-1)!, /^CodeNotInPlace: Version 2/);
  await Deno.remove(join(codeDir, "a.ts", ".mine"));
  // Empty folders are no reason.
  while (behind.at(-1)) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(await filesNow(), { ...FILES, "a.ts": "export default 2;" });
  await workingCopy.stop();
});

Deno.test("files in a folder that is in the way are kept, and make place", async () => {
  using stack = new DisposableStack();
  const { codeDir, undoneDir, behind, workingCopy, filesNow } = await node(stack, FILES);
  await Deno.mkdir(join(codeDir, "a.ts", "deep"), { recursive: true });
  await Deno.writeTextFile(join(codeDir, "a.ts", "deep", "mine.ts"), "mine");
  await Deno.writeTextFile(join(codeDir, "lib"), "a file");
  await workingCopy.recover();
  assert.deepEqual(await filesNow(), FILES);
  assert.deepEqual(behind, []);
  const [kept] = [...Deno.readDirSync(undoneDir)];
  assert.equal(await Deno.readTextFile(join(undoneDir, kept!.name, "a.ts", "deep", "mine.ts")), "mine");
  assert.equal(await Deno.readTextFile(join(undoneDir, kept!.name, "lib")), "a file");
});
