// A program for code_folder.test.ts: a FIFO is created in the code folder while that is watched. In a process of its
// own, as Deno's watcher would otherwise stop every other test that watches.

import { join } from "node:path";
import { CodeFolder } from "../../src/code/files/code_folder.ts";

const codeDir = await Deno.realPath(await Deno.makeTempDir({ prefix: "crude-functions-unit-" }));
const warnings: string[] = [];
const folder = new CodeFolder({
  codeDir,
  dataDir: join(codeDir, "data"),
  warn: (message) => warnings.push(message),
  checkMs: 1,
});
const paths = async () => (await folder.current()).files.map(({ path }) => path);
const until = async (isSo: () => Promise<boolean>) => {
  while (!await isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
};
try {
  await until(async () => (await paths()).length === 0);
  await Deno.writeTextFile(join(codeDir, "before.ts"), "");
  await until(async () => (await paths()).includes("before.ts"));
  await new Deno.Command("mkfifo", { args: [join(codeDir, "pipe")] }).output();
  await Deno.mkdir(join(codeDir, "folder"));
  await Deno.writeTextFile(join(codeDir, "folder/after.ts"), "");
  await until(async () => (await paths()).includes("folder/after.ts"));
  await Deno.writeTextFile(join(codeDir, "later.ts"), "");
  await until(async () => (await paths()).includes("later.ts"));
  console.log(JSON.stringify({ paths: await paths(), warnings }));
} finally {
  folder.close();
  await Deno.remove(codeDir, { recursive: true });
}
// The watcher that is stuck keeps the process.
Deno.exit(0);
