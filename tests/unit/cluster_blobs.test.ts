// Contents of code for several nodes: the folder of each, and one place that all of them share.

import assert from "node:assert/strict";
import { join } from "node:path";
import { ClusterBlobs, type ReadFromPeers } from "../../src/cluster/code/cluster_blobs.ts";
import { type Sha256, sha256Of } from "../../src/sha256.ts";
import { type Blobs, createBlobs } from "../../src/store/blobs.ts";
import { temporaryFolder } from "./temporary.ts";

const DAY_MS = 86_400_000;

function content(text: string): [Sha256, Uint8Array<ArrayBuffer>] {
  const bytes = new TextEncoder().encode(text);
  return [sha256Of(bytes), bytes];
}

/** Two nodes. The shared contents are in a folder, too, which has the same interface as the table. */
function cluster(folder: string, peers: ReadFromPeers = () => Promise.resolve(undefined)) {
  const inFolder = createBlobs(join(folder, "shared"));
  const shared = Object.assign(inFolder, { lacking: (wanted: Sha256[]) => inFolder.missing(wanted) });
  const reports: string[] = [];
  const nodes: { local: Blobs; blobs: ClusterBlobs }[] = [];
  for (const name of ["a", "b"]) {
    const local = createBlobs(join(folder, name));
    const blobs = new ClusterBlobs({
      local,
      shared,
      peers,
      purge: async (body) => void await Promise.all(nodes.map(({ blobs }) => blobs.applyPurge(body))),
      once: (work) => work(),
      report: (_level, message) => void reports.push(message),
    });
    nodes.push({ local, blobs });
  }
  const [a, b] = nodes;
  return { shared, reports, a: a!, b: b! };
}

Deno.test("what one node stores another reads, and then has itself", async () => {
  using folder = temporaryFolder();
  const { a, b, shared } = cluster(folder.path);
  const [sha256, bytes] = content("code");
  assert.deepEqual(await a.blobs.missing([sha256]), [sha256]);
  assert.equal(await a.blobs.put(sha256, bytes), true);
  assert.equal(await b.blobs.put(sha256, bytes), false, "it is known");
  const [other, otherBytes] = content("other");
  await a.blobs.put(other, otherBytes);
  assert.deepEqual(await b.blobs.missing([other, sha256]), []);
  assert.deepEqual(await b.local.missing([other]), [other]);
  const reads = await Promise.all([1, 2, 3].map(() => b.blobs.read(other)));
  for (const read of reads) assert.deepEqual(read, otherBytes);
  await shared.remove(other);
  assert.deepEqual(await b.blobs.read(other), otherBytes, "without PostgreSQL");
  await assert.rejects(a.blobs.put(other, bytes), /SHA-256/);
});

Deno.test("a content is placed that this node does not have yet", async () => {
  using folder = temporaryFolder();
  const { a, b } = cluster(folder.path);
  const [sha256, bytes] = content("code");
  await a.blobs.put(sha256, bytes);
  await b.blobs.place(sha256, join(folder.path, "placed"));
  assert.deepEqual(await Deno.readFile(join(folder.path, "placed")), bytes);
});

Deno.test("what PostgreSQL lost is stored there again, by the node that is asked or from a peer", async () => {
  using folder = temporaryFolder();
  const [sha256, bytes] = content("code");
  const asked: Sha256[] = [];
  const { a, b, shared, reports } = cluster(folder.path, (one) => {
    asked.push(one);
    return Promise.resolve(one === sha256 ? bytes : bytes.slice(1));
  });
  await a.blobs.put(sha256, bytes);
  await shared.remove(sha256);
  assert.deepEqual(await a.blobs.missing([sha256]), []);
  assert.deepEqual(await shared.read(sha256), bytes);
  await shared.remove(sha256);
  assert.deepEqual(await b.blobs.read(sha256), bytes);
  assert.deepEqual(asked, [sha256]);
  assert.deepEqual(await shared.read(sha256), bytes);
  assert.match(reports[0]!, /stored there again from another node/);
  const [nowhere] = content("nowhere");
  assert.equal(await b.blobs.read(nowhere), undefined, "what a peer answers is checked");
});

Deno.test("the last copy of a content that PostgreSQL lost is kept, and is stored there again", async () => {
  using folder = temporaryFolder();
  const { a, b, shared } = cluster(folder.path);
  const [[lost, bytes], [purged, purgedBytes], [again, againBytes]] = ["lost", "purged", "again"].map(content) as [
    [Sha256, Uint8Array],
    [Sha256, Uint8Array],
    [Sha256, Uint8Array],
  ];
  for (const [sha256, one] of [[lost, bytes], [purged, purgedBytes], [again, againBytes]] as const) {
    await b.blobs.put(sha256, one);
  }
  await shared.remove(lost);
  await shared.remove(purged);
  // `again` was purged once, and stored again.
  await b.blobs.forgetPurged([purged, again], () => false);
  assert.deepEqual((await b.local.list()).sort(), [lost, again].sort());
  assert.deepEqual(await b.blobs.missing([lost]), []);
  assert.deepEqual(await a.blobs.read(lost), bytes);
});

Deno.test("a purged content is gone on all nodes, also on one that starts without its entry; unused ones are swept", async () => {
  using folder = temporaryFolder();
  const asked: Sha256[] = [];
  const { a, b, shared } = cluster(folder.path, (one) => {
    asked.push(one);
    return Promise.resolve(undefined);
  });
  const [[purged, purgedBytes], [used, usedBytes], [unused, unusedBytes]] = ["p", "u", "x"].map(content) as [
    [Sha256, Uint8Array],
    [Sha256, Uint8Array],
    [Sha256, Uint8Array],
  ];
  for (const [sha256, bytes] of [[purged, purgedBytes], [used, usedBytes], [unused, unusedBytes]] as const) {
    await a.blobs.put(sha256, bytes);
  }
  await b.blobs.read(purged);
  await a.blobs.remove(purged);
  assert.equal(await b.blobs.read(purged), undefined);
  assert.equal(await a.blobs.read(purged), undefined);
  assert.deepEqual(asked, [], "no peer is asked for it");
  await b.local.put(purged, purgedBytes);
  await b.local.put(used, usedBytes);
  await b.local.put(unused, unusedBytes);
  await b.blobs.forgetPurged([purged, used], (one) => one === used);
  assert.deepEqual((await b.local.list()).sort(), [used, unused].sort());
  assert.equal(await a.blobs.sweep(Date.now() - DAY_MS, (one) => one === used), 0, "not within a day");
  assert.equal(await a.blobs.sweep(Date.now() + DAY_MS, (one) => one === used), 1);
  assert.deepEqual(await shared.missing([used, unused]), [unused]);
});
