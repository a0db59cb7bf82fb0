// A node whose disk does not have the newest version of the code answers nothing until it has, and says why.

import assert from "node:assert/strict";
import { join } from "node:path";
import { startApp } from "../http/app.ts";
import { deploy, run, save, set } from "../http/handlers.ts";
import { call, type Server } from "../http/server.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { startPostgres } from "./postgres.ts";

const CODE = `import { text } from "./lib/text.ts";
export default (c) => c.text(text);`;
const handler = (text: string) => `export const text = ${JSON.stringify(text)};`;

async function healthOf({ url }: Server): Promise<{ status: number; code: string; error: string }> {
  const { status, body } = await call("GET", `${url}/health`);
  return { status, code: body.code, error: body.error };
}

async function healthIs(server: Server, status: number): Promise<void> {
  while ((await healthOf(server)).status !== status) await new Promise((resolve) => setTimeout(resolve, 20));
}

Deno.test("a node that cannot put files in place gives up its lease, says why, and serves again when it can", async (t) => {
  await using postgres = await startPostgres();
  using folder = temporaryFolder();
  const env = { DATABASE_URL: `${postgres.url}?sslmode=disable`, KEYRING_PASSPHRASE: "a passphrase for two nodes" };
  const start = (name: string) => startApp({ folder: join(folder.path, name), env });
  await using a = await start("a");
  await save(a, "lib/text.ts", handler("one"));
  await deploy(a, "hello", CODE);
  const codeB = join(folder.path, "b", "code");
  const block = async (path: string) => {
    await Deno.mkdir(join(codeB, path, ".git"), { recursive: true });
    await Deno.writeTextFile(join(codeB, path, ".git", "config"), "mine");
  };
  const unblock = (path: string) => Deno.remove(join(codeB, path), { recursive: true });

  {
    await using b = await start("b");
    assert.equal((await run(b, "/hello")).body, "one");
    await set(a, { "cluster.when-cut-off": "serve-stale" });
    await block("lib/more.ts");

    await t.step("a change is answered, and the node that lacks its files answers nothing from then on", async () => {
      await save(a, "lib/more.ts", handler("more"));
      const refused = await run(b, "/hello");
      assert.deepEqual([refused.status, refused.body.code], [503, "CodeNotInPlace"]);
      assert.doesNotMatch(refused.body.error, /more\.ts/, "anybody can make a call");
      const { status, code } = await healthOf(b);
      assert.deepEqual([status, code], [503, "CodeNotInPlace"]);
      assert.equal((await b.api("GET", "/api/secrets")).body.code, "CodeNotInPlace");
      const state = (await b.api("GET", "/api/cluster")).body;
      assert.match(state.problem.error, /^Version \d+ of the code cannot be put in place on this node: .*more\.ts/);
      assert.match(b.logs(), /cannot be put in place on this node: .*more\.ts/);
      const lives = async () =>
        (await a.api("GET", "/api/cluster")).body.nodes.map(({ live }: { live: boolean }) => live);
      while ((await lives()).every((live: boolean) => live)) await new Promise((resolve) => setTimeout(resolve, 50));
    });

    await t.step("changes do not wait for it, and it has all of them when nothing is in the way any more", async () => {
      await save(a, "lib/text.ts", handler("two"));
      assert.equal((await healthOf(b)).code, "CodeNotInPlace");
      await unblock("lib/more.ts");
      await healthIs(b, 200);
      assert.equal((await run(b, "/hello")).body, "two");
      assert.equal(await Deno.readTextFile(join(codeB, "lib", "more.ts")), handler("more"));
    });

    await t.step("edits on disk that cannot be undone are not served either", async () => {
      await unblock("lib/text.ts");
      await block("lib/text.ts");
      await healthIs(b, 503);
      assert.equal((await healthOf(b)).code, "CodeNotInPlace");
      await unblock("lib/text.ts");
      await healthIs(b, 200);
      assert.equal((await run(b, "/hello")).body, "two");
    });
  }

  await t.step("a node that starts takes no part until its code is in place", async () => {
    await block("lib/new.ts");
    await save(a, "lib/new.ts", handler("new"));
    let isStarted = false;
    const starting = start("b").then((server) => {
      isStarted = true;
      return server;
    });
    const nodeB = async () => (await a.api("GET", "/api/cluster")).body.nodes.length;
    assert.equal(await nodeB(), 2);
    for (let n = 0; n < 20; n++) await save(a, "lib/text.ts", handler(`change ${n}`));
    assert.equal(isStarted, false);
    await unblock("lib/new.ts");
    await using b = await starting;
    assert.equal((await run(b, "/hello")).body, "change 19");
    assert.equal((await healthOf(b)).status, 200);
  });
});
