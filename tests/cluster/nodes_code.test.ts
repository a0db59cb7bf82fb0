// What two whole nodes do with code and keys: a server that was moved into a cluster, another node that joins it, and back.

import assert from "node:assert/strict";
import { join } from "node:path";
import { makeHome } from "../cli/cli.ts";
import { createSecret, deploy, run, save } from "../http/handlers.ts";
import type { Server } from "../http/server.ts";
import { PASSPHRASE_TEXT } from "./in_process.ts";
import { startPostgres } from "./postgres.ts";

const CODE = `import { text } from "./lib/text.ts";
export default async (c, ctx) => c.text(text + " " + await ctx.getSecret("NAME"));`;

/** Says whether it may connect to the second host of PostgreSQL. */
const CONNECT = `export default async (c) => c.text(await Promise.race([
  Deno.connect({ hostname: "198.51.100.7", port: 5432 }).then((there) => (there.close(), "open"), ({ name }) => name),
  new Promise((resolve) => setTimeout(() => resolve("open"), 500)),
]));`;

const handler = (text: string) => `export const text = ${JSON.stringify(text)};`;

/** Waits until `check` no longer throws. */
async function eventually(check: () => Promise<void>): Promise<void> {
  for (let attempt = 0;; attempt++) {
    try {
      return await check();
    } catch (error) {
      if (attempt === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

Deno.test("two nodes run the same code and use the same keys", async (t) => {
  await using postgres = await startPostgres();
  await using homeA = makeHome();
  await using homeB = makeHome();
  const hosts = postgres.url.replace(/(@[^/]+)/, "$1,198.51.100.7:5432");
  const env = { DATABASE_URL: `${hosts}?sslmode=disable`, KEYRING_PASSPHRASE: PASSPHRASE_TEXT };
  {
    await using single = await homeA.start();
    await save(single, "lib/text.ts", handler("one"));
    await deploy(single, "hello", CODE);
    await createSecret(single, "NAME", "first");
  }
  const moved = await homeA.cli(["migrate-to-cluster"], env);
  assert.equal(moved.code, 0, moved.stderr);
  {
    await using a = await homeA.start(env);
    await using b = await homeB.start(env);
    const both = [a, b];
    const assertAnswers = async (expected: string) => {
      for (const server of both) assert.equal((await run(server, "/hello")).body, expected);
    };
    await t.step("what was moved is served by both", () => assertAnswers("one first"));

    await t.step("a file that is saved on one is what the next call on the other runs", async () => {
      for (const [n, server] of [a, b, a, b].entries()) {
        await save(server, "lib/text.ts", handler(`saved ${n}`));
        await assertAnswers(`saved ${n} first`);
      }
    });

    await t.step("a deployment and a rollback, on different nodes", async () => {
      const before = (await b.api("GET", "/api/versions?limit=1")).body.versions[0].id;
      const content = new TextEncoder().encode(handler("deployed"));
      const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", content)).toHex();
      assert.equal((await a.api("PUT", `/api/blobs/${sha256}`, content)).status, 201);
      assert.deepEqual((await b.api("POST", "/api/blobs/missing", { sha256: [sha256] })).body.missing, []);
      const deployed = await b.api("POST", "/api/deployments", { files: { "lib/text.ts": sha256 } });
      assert.equal(deployed.status, 201, JSON.stringify(deployed.body) + b.logs());
      await assertAnswers("deployed first");
      const restored = await a.api("POST", `/api/versions/${before}/restore`, {});
      assert.ok(restored.status < 300, JSON.stringify(restored.body));
      await assertAnswers("saved 3 first");
    });

    await t.step("no function connects to PostgreSQL, unless its list of hosts names it", async () => {
      await deploy(a, "open", CONNECT);
      await deploy(a, "listed", CONNECT, { permissions: { net: ["198.51.100.7:5432"] } });
      for (const server of both) {
        assert.equal((await run(server, "/open")).body, "NotCapable");
        assert.notEqual((await run(server, "/listed")).body, "NotCapable");
      }
    });

    await t.step("a purged content is gone on both", () => purge(a, b));

    await t.step("a file that was edited on one node's disk is brought back", async () => {
      const path = join(homeB.path, "code", "lib", "text.ts");
      await Deno.writeTextFile(path, handler("edited"));
      await eventually(async () => assert.equal(await Deno.readTextFile(path), handler("saved 3")));
      await assertAnswers("saved 3 first");
    });

    await t.step("a rotation that one node leads gives both the new key", async () => {
      const rotated = await a.api("POST", "/api/encryption-keys/rotation");
      assert.equal(rotated.body.currentVersion, 2, JSON.stringify(rotated.body));
      assert.equal((await b.api("GET", "/api/encryption-keys/rotation")).body.currentVersion, 2);
      await createSecret(b, "LATER", "by the new key");
      const { body } = await a.api("GET", "/api/secrets?includeValues=true");
      assert.deepEqual(body.secrets.map(({ value }: { value: string }) => value).sort(), ["by the new key", "first"]);
      await assertAnswers("saved 3 first");
      assert.equal((await b.api("POST", "/api/encryption-keys/rotation")).body.currentVersion, 3);
    });

    await t.step("a node that joins after PostgreSQL lost contents serves with those of another node", async () => {
      await postgres.query("UPDATE crude_functions.blobs SET body = ''");
      await using homeC = makeHome();
      await using c = await homeC.start(env);
      assert.equal((await run(c, "/hello")).body, "saved 3 first", c.logs());
    });
  }
  await t.step("nodes that start again have everything, and the cluster can be left", async () => {
    {
      await using b = await homeB.start(env);
      assert.equal((await run(b, "/hello")).body, "saved 3 first");
    }
    await using home = makeHome();
    const left = await home.cli(["leave-cluster", "data"], env);
    assert.equal(left.code, 0, left.stderr);
    await using single = await home.start({ KEYRING_PASSPHRASE: PASSPHRASE_TEXT });
    assert.equal((await run(single, "/hello")).body, "saved 3 first");
  });
});

async function purge(a: Server, b: Server): Promise<void> {
  await save(a, "leaked.txt", "a password");
  const leaked = (await a.api("GET", "/api/versions?limit=1")).body.versions[0].id;
  await save(b, "leaked.txt", "nothing");
  const read = (server: Server) => server.api("GET", `/api/versions/${leaked}`);
  for (const server of [a, b]) assert.match(JSON.stringify((await read(server)).body), /a password/);
  assert.ok((await b.api("DELETE", `/api/versions/${leaked}/files/leaked.txt`)).status < 300);
  for (const server of [a, b]) assert.doesNotMatch(JSON.stringify((await read(server)).body), /a password/);
}
