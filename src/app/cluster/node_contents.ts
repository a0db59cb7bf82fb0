// Gives other nodes the contents of files of code that this one has, and asks for theirs: PostgreSQL may have lost one.

import type { ReadFromPeers } from "../../cluster/code/cluster_blobs.ts";
import type { PeerClient } from "../../cluster/peers/client.ts";
import type { Peer, PeerHandler } from "../../cluster/peers/questions.ts";
import type { Sha256 } from "../../sha256.ts";
import type { Blobs } from "../../store/blobs.ts";

const QUESTION = "code/content";
const CHUNK_BYTES = 256 * 1_024;
const SHA256 = /^[0-9a-f]{64}$/;

/** `local` are the contents of this node alone: asking others in turn would have no end. */
export function contentHandler(local: Pick<Blobs, "read">): [string, PeerHandler] {
  return [QUESTION, {
    async *stream(sha256) {
      if (typeof sha256 !== "string" || !SHA256.test(sha256)) return;
      const content = await local.read(sha256 as Sha256);
      if (!content) return;
      for (let at = 0; at < Math.max(1, content.length); at += CHUNK_BYTES) {
        yield content.subarray(at, at + CHUNK_BYTES).toBase64();
      }
    },
  }];
}

/** Asks the nodes one after the other; one that does not answer is passed over. What they answer is not checked. */
export function readFromPeers(client: Pick<PeerClient, "follow">, others: () => readonly Peer[]): ReadFromPeers {
  const readFrom = async (peer: Peer, sha256: Sha256): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    const { signal } = new AbortController();
    try {
      for await (const chunk of client.follow(peer, QUESTION, sha256, { signal })) {
        chunks.push(Uint8Array.fromBase64(chunk as string));
      }
    } catch {
      return undefined;
    }
    return chunks.length === 0 ? undefined : new Uint8Array(await new Blob(chunks).arrayBuffer());
  };
  return async (sha256) => {
    for (const peer of others()) {
      const content = await readFrom(peer, sha256);
      if (content) return content;
    }
    return undefined;
  };
}
