// Contents of files of code that one node asks another for.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { contentHandler, readFromPeers } from "../../src/app/cluster/node_contents.ts";
import { sha256Of } from "../../src/sha256.ts";
import { createBlobs } from "../../src/store/blobs.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { startPeerNode } from "./peer_nodes.ts";

Deno.test("a node has what any other one has, of every size, and nothing that none has", async () => {
  using folder = temporaryFolder();
  const root = randomBytes(32);
  const blobs = createBlobs(folder.path);
  await using a = startPeerNode("a", { root });
  await using b = startPeerNode("b", { root });
  await using c = startPeerNode("c", { root, handlers: new Map([contentHandler(blobs)]) });
  const read = readFromPeers(a.client, () => [b.peer, { id: "gone", url: "http://127.0.0.1:1" }, c.peer]);
  for (const size of [0, 1, 256 * 1_024, 256 * 1_024 + 1, 3_000_000]) {
    const content = Uint8Array.from(randomBytes(size));
    const sha256 = sha256Of(content);
    assert.equal(await read(sha256), undefined, `${size}`);
    await blobs.put(sha256, content);
    assert.deepEqual(await read(sha256), content, `${size}`);
  }
  assert.equal(await read("../../etc/passwd" as never), undefined);
});
