// A version of the program with another schema: nodes are upgraded one after the other, and nothing is lost.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sha256Of } from "../../src/sha256.ts";
import { BLOBS, createBlobs } from "../../src/store/blobs.ts";
import { SCHEMA_VERSION } from "../../src/store/schema.ts";
import { ROOT } from "../http/server.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { PASSPHRASE, TestCluster, type TestNode } from "./nodes.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

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

/** Which of the contents a node has no copy of. */
function lacking({ folder }: TestNode, ...contents: string[]): Promise<string[]> {
  return createBlobs(join(folder, "data", BLOBS)).missing(contents.map(sha256Of));
}

/** Writes the data of the cluster by a program at `root`, and returns what is in it. @throws Error with what it printed */
async function leave(root: string, { url }: TestPostgres): Promise<{ names: string[]; schema: number }> {
  using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "cli", "leave-cluster", data],
    cwd: root,
    env: { DATABASE_URL: `${url}?sslmode=disable`, KEYRING_PASSPHRASE: PASSPHRASE },
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  using db = new DatabaseSync(join(data, "database.db"), { readOnly: true });
  const rows = db.prepare("SELECT name FROM secrets ORDER BY name").all() as { name: string }[];
  const { user_version: schema } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  return { names: rows.map(({ name }) => name), schema };
}

Deno.test("nodes of a version with another schema wait for the others, and have everything then", async () => {
  const newer = await newerProgram();
  try {
    await using postgres = await startPostgres();
    await using cluster = await TestCluster.start(postgres, 2);
    const [a, b] = cluster.nodes as [TestNode, TestNode];
    await put(a, "BEFORE", "value-before");
    assert.equal((await a.server.api("PUT", "/api/files/leaked.txt", "a password")).status, 201);
    const leaked = (await a.server.api("GET", "/api/versions?limit=1")).body.versions[0].id;
    assert.equal((await a.server.api("PUT", "/api/files/leaked.txt", "nothing")).status, 200);
    await a.stop();
    const early = await leave(newer, postgres);
    assert.deepEqual(early.names, ["BEFORE"], "a newer program upgrades what it writes");
    assert.equal(early.schema, SCHEMA_VERSION + 1);
    assert.deepEqual(await lacking(a, "a password"), []);
    // It waits for the other one, which makes changes meanwhile.
    const upgraded = a.start({}, newer);
    await put(b, "DURING", "value-during");
    assert.ok((await b.server.api("DELETE", `/api/versions/${leaked}/files/leaked.txt`)).status < 300);
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
    for (const node of [a, b]) {
      assert.equal((await lacking(node, "a password")).length, 1, `${node.name} purged it, too`);
    }
    await a.stop();
    await assert.rejects(a.start(), /newer version of this program/);
    await put(b, "LATER", "value-later");
    await a.start({}, newer);
    assert.equal((await values(a)).LATER, "value-later");
    // The only snapshot is of the schema before.
    const late = await leave(newer, postgres);
    assert.deepEqual(late.names, ["AFTER", "BEFORE", "DURING", "LATER"]);
    assert.equal(late.schema, SCHEMA_VERSION + 1);
    await assert.rejects(leave(ROOT, postgres), /Upgrade this node to the version of the others/);
  } finally {
    await Deno.remove(newer, { recursive: true });
  }
});
