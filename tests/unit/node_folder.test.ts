// A data folder belongs to one node of one cluster, and nothing in it or in the folder of code is lost by joining.

import assert from "node:assert/strict";
import { join } from "node:path";
import { joinFolders, leaveFolders, readIdentity } from "../../src/cluster/node/node_folder.ts";
import { DataFolderError, requireNoNode } from "../../src/store/data_folder.ts";
import { temporaryFolder } from "./temporary.ts";

const CLUSTER = "5f0c9f0e-8a53-4d7f-9d0e-0f2b6a1c7d11";
const OTHER = "0a7d0e0c-6d51-4c5c-8f5e-1f2b6a1c7d22";
const NOW = new Date("2026-11-30T01:02:03.456Z");

function folders(home: string) {
  const [dataDir, codeDir] = [join(home, "data"), join(home, "code")];
  Deno.mkdirSync(dataDir);
  Deno.mkdirSync(codeDir);
  return { dataDir, codeDir, cluster: CLUSTER, now: NOW };
}

Deno.test("an empty folder becomes a new node's, which it stays", () => {
  using home = temporaryFolder();
  const joining = folders(home.path);
  const joined = joinFolders(joining);
  assert.equal(joined.cluster, CLUSTER);
  assert.equal(joined.codeSetAside, undefined);
  assert.equal(joinFolders(joining).node, joined.node);
  assert.equal(readIdentity(joining.dataDir)?.node, joined.node);
  Deno.writeTextFileSync(join(joining.dataDir, "database.db"), "x");
  assert.equal(joinFolders(joining).node, joined.node);
  assert.throws(() => joinFolders({ ...joining, cluster: OTHER }), /belongs to another cluster/);
  assert.throws(() => requireNoNode(joining.dataDir), /belongs to a node of a cluster: set DATABASE_URL/);
  assert.equal(Deno.statSync(join(joining.dataDir, "cluster.json")).mode! & 0o777, 0o600);
});

Deno.test("a node whose first start failed leaves its folders as they were, and may join another cluster", () => {
  using home = temporaryFolder();
  const joining = folders(home.path);
  Deno.writeTextFileSync(join(joining.codeDir, "a.ts"), "a");
  const joined = joinFolders(joining);
  // The process ended before it could leave.
  assert.equal(joinFolders({ ...joining, cluster: OTHER }).cluster, OTHER);
  leaveFolders(joining, joined.codeSetAside);
  assert.equal(readIdentity(joining.dataDir), undefined);
  assert.equal(Deno.readTextFileSync(join(joining.codeDir, "a.ts")), "a");
});

Deno.test("a folder with data of its own is refused, and left as it is", () => {
  for (const name of ["database.db", "encryption-keys.json"]) {
    using home = temporaryFolder();
    const joining = folders(home.path);
    Deno.writeTextFileSync(join(joining.dataDir, name), "x");
    Deno.writeTextFileSync(join(joining.codeDir, "a.ts"), "a");
    assert.throws(
      () => joinFolders(joining),
      (error) => error instanceof DataFolderError && /migrate-to-cluster/.test(error.message),
    );
    assert.deepEqual([...Deno.readDirSync(joining.dataDir)].map((entry) => entry.name), [name]);
    assert.equal(Deno.readTextFileSync(join(joining.codeDir, "a.ts")), "a");
    requireNoNode(joining.dataDir);
  }
});

Deno.test("code of a new node's folder is set aside once, whole", () => {
  using home = temporaryFolder();
  const joining = folders(home.path);
  Deno.writeTextFileSync(join(joining.codeDir, "a.ts"), "a");
  const taken = `${joining.codeDir}.before-cluster-2026-11-30T01-02-03Z`;
  Deno.mkdirSync(taken);
  const { codeSetAside } = joinFolders(joining);
  assert.equal(codeSetAside, `${taken}-2`);
  assert.equal(Deno.readTextFileSync(join(codeSetAside!, "a.ts")), "a");
  Deno.mkdirSync(joining.codeDir);
  Deno.writeTextFileSync(join(joining.codeDir, "b.ts"), "of the cluster");
  assert.equal(joinFolders(joining).codeSetAside, undefined);
  assert.equal(Deno.readTextFileSync(join(joining.codeDir, "b.ts")), "of the cluster");
});

Deno.test("a damaged file says what to do", () => {
  using home = temporaryFolder();
  const joining = folders(home.path);
  for (const text of ["", "{", "{}", '{"cluster":"x","node":"y"}']) {
    Deno.writeTextFileSync(join(joining.dataDir, "cluster.json"), text);
    assert.throws(() => joinFolders(joining), /is damaged. To make a new node/);
  }
});
