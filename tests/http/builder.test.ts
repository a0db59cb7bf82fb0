// The processes that find and fetch what modules import: what they may reach, and what huge imports cost others.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ConfinedDeno } from "../../src/code/modules/confined_deno.ts";
import { Builder } from "../../src/code/modules/builder.ts";
import { prepareRuntime } from "../../src/sandbox/process/toolchain.ts";
import { deploy, run, save } from "./handlers.ts";
import { startNpmRegistry } from "./npm_registry.ts";
import { startServer } from "./server.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

Deno.test("a builder reads the code folder and the module cache, and has limits", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  await Deno.chmod(folder, 0o711);
  try {
    const [codeDir, outside] = [join(folder, "code"), join(folder, "outside.ts")];
    const runtime = await prepareRuntime(ROOT, { cacheDir: join(folder, "cache") });
    await Deno.mkdir(codeDir);
    const handler = join(codeDir, "handler.ts");
    for (const path of [handler, outside]) await Deno.writeTextFile(path, "export default 1;");
    const builder = new Builder({
      runtime,
      deno: new ConfinedDeno(runtime),
      codeDir,
      folder: join(folder, "build"),
      fetchEnv: {},
    });
    await using _ = await builder.folder();
    const errorOf = async (path: string): Promise<string | undefined> => {
      const { stdout } = await builder.local("info", "--no-config", pathToFileURL(path).href);
      return JSON.parse(stdout).modules[0].error;
    };
    await t.step("it reads code", async () => assert.equal(await errorOf(handler), undefined));
    await t.step({
      name: "it reads no file elsewhere, also by a link in the code folder",
      ignore: !runtime.landlock?.abi,
      fn: async () => {
        await Deno.symlink(outside, join(codeDir, "link.ts"));
        for (const path of [outside, join(codeDir, "link.ts")]) assert.match(await errorOf(path) ?? "", /failed/);
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("one author's imports", async (t) => {
  await using registry = startNpmRegistry();
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  await Deno.chmod(folder, 0o711);
  const server = await startServer({
    folder,
    env: { CACHE_DIR: join(folder, "cache"), NPM_CONFIG_REGISTRY: registry.url },
  });
  try {
    await deploy(server, "small", 'export default (c) => c.text("small");');
    const call = async (): Promise<number> => {
      const began = performance.now();
      assert.equal((await run(server, "/small")).status, 200);
      return performance.now() - began;
    };
    await call();

    await t.step(
      "are fetched by a process without privileges to gain, core dumps or memory without limit",
      async () => {
        await registry.publish({ name: "crude-slow", version: "1.0.0", files: { "index.js": "" } });
        const release = registry.hold("crude-slow");
        const before = registry.asked.length;
        const saved = save(server, "slow.ts", 'import "npm:crude-slow@1"; export default (c) => c.text("");');
        while (!registry.asked.slice(before).some((path) => path.endsWith(".tgz"))) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        const children = Deno.readTextFileSync(`/proc/${server.pid}/task/${server.pid}/children`).trim().split(" ");
        const builders = children.filter((pid) => {
          const command = Deno.readTextFileSync(`/proc/${pid}/cmdline`);
          return command.includes("slow.ts") && command.includes("--allow-import");
        });
        assert.equal(builders.length, 1);
        const status = Deno.readTextFileSync(`/proc/${builders[0]}/status`);
        assert.match(status, /^NoNewPrivs:\t1$/m);
        const limits = Deno.readTextFileSync(`/proc/${builders[0]}/limits`);
        assert.match(limits, /^Max core file size +0 +0 /m);
        assert.match(limits, /^Max data size +\d+ +\d+ /m);
        release();
        assert.deepEqual(await saved, []);
      },
    );

    await t.step("of too many files are a problem, and calls of other functions do not wait for them", async () => {
      const names = Array.from({ length: 5_000 }, (_, index) => `many/m${index}.ts`);
      await Deno.mkdir(join(server.codeDir, "many"));
      for (const name of names) await Deno.writeTextFile(join(server.codeDir, name), "export default 1;");
      const code = names.map((name) => `import "./${name}";\n`).join("") + 'export default (c) => c.text("");';
      let isSaved = false;
      const began = performance.now();
      const saved = save(server, "huge.ts", code).finally(() => isSaved = true);
      const times: number[] = [];
      while (!isSaved) times.push(await call());
      const savingMs = performance.now() - began;
      assert.match((await saved).join(), /The handler imports 5001 files; at most 2000 are allowed/);
      assert.ok(times.length > 10, `${times.length} calls in ${savingMs} ms`);
      const longestMs = Math.max(...times);
      assert.ok(longestMs < savingMs / 2, `${longestMs} ms of ${savingMs} ms`);
    });
  } finally {
    await server.stop();
    await Deno.remove(folder, { recursive: true });
  }
});
