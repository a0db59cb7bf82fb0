// A version of the program with another schema: nodes are upgraded one after the other, and nothing is lost.

import assert from "node:assert/strict";
import { join } from "node:path";
import { ROOT } from "../http/server.ts";
import { TestCluster, type TestNode } from "./nodes.ts";
import { startPostgres } from "./postgres.ts";

const END = "\n];\n\n/** `PRAGMA user_version`";

/** Copies the program, with one more migration. */
async function newerProgram(): Promise<string> {
  const root = await Deno.makeTempDir({ prefix: "crude-functions-test-newer-" });
  const parts = ["src", "workers", "static", "main.ts", "deno.json", "deno.lock"];
  const { success } = await new Deno.Command("cp", { args: ["-r", ...parts, root], cwd: ROOT }).output();
  assert.ok(success);
  const path = join(root, "src", "store", "schema.ts");
  const text = await Deno.readTextFile(path);
  assert.ok(text.includes(END));
  const extra = "\n  `CREATE TABLE of_a_later_version (n INTEGER PRIMARY KEY) STRICT;`,";
  await Deno.writeTextFile(path, text.replace(END, extra + END));
  return root;
}

async function put({ server }: TestNode, name: string, value: string): Promise<void> {
  const { status } = await server.api("PUT", `/api/secrets/by-name/${name}`, { scope: "global", value });
  assert.ok(status === 200 || status === 201, String(status));
}

async function values({ server }: TestNode): Promise<Record<string, string>> {
  const { body } = await server.api("GET", "/api/secrets?includeValues=true");
  return Object.fromEntries(body.secrets.map(({ name, value }: { name: string; value: string }) => [name, value]));
}

Deno.test("nodes of a version with another schema wait for the others, and have everything then", async () => {
  const newer = await newerProgram();
  try {
    await using postgres = await startPostgres();
    await using cluster = await TestCluster.start(postgres, 2);
    const [a, b] = cluster.nodes as [TestNode, TestNode];
    await put(a, "BEFORE", "value-before");
    await a.stop();
    // It waits for the other one, which makes changes meanwhile.
    const upgraded = a.start({}, newer);
    await put(b, "DURING", "value-during");
    await b.stop();
    await Promise.all([upgraded, b.start({}, newer)]);
    await put(a, "AFTER", "value-after");
    for (const node of [a, b]) {
      assert.deepEqual(await values(node), {
        AFTER: "value-after",
        BEFORE: "value-before",
        DURING: "value-during",
      });
    }
    await a.stop();
    await assert.rejects(a.start(), /newer version of this program/);
    await put(b, "LATER", "value-later");
    await a.start({}, newer);
    assert.equal((await values(a)).LATER, "value-later");
  } finally {
    await Deno.remove(newer, { recursive: true });
  }
});
