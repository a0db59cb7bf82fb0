// Writes and reads how far a client has read the logs of each node, as an opaque text: a cursor for the next page, and
// the id of the last event of a stream. Each node numbers its own entries.

import { Buffer } from "node:buffer";

export interface Positions {
  /** Ids of entries, by node. */
  readonly byNode: ReadonlyMap<string, number>;
  /** The time at which the client is, for nodes that are not in `byNode`, in milliseconds since 1970 UTC. */
  readonly at: number;
}

const NODE = /^[A-Za-z0-9_-]{1,64}$/;
const NUMBER = /^(?:0|[1-9][0-9]{0,15})$/;
const NODES_MAX = 200;

/** Returns `<time>~<node>.<id>~…` with the letters of URLs and headers only. */
export function writePositions({ byNode, at }: Positions): string {
  return [String(Math.max(0, Math.trunc(at))), ...[...byNode].map(([node, id]) => `${node}.${id}`)].join("~");
}

/** Returns undefined if `text` is not what `writePositions` returned. */
export function readPositions(text: string): Positions | undefined {
  const [at, ...parts] = text.split("~");
  if (!NUMBER.test(at!) || parts.length > NODES_MAX) return undefined;
  const byNode = new Map<string, number>();
  for (const part of parts) {
    const [node, id, ...more] = part.split(".");
    if (!NODE.test(node!) || id === undefined || !NUMBER.test(id) || more.length > 0) return undefined;
    if (byNode.has(node!)) return undefined;
    byNode.set(node!, Number(id));
  }
  return { byNode, at: Number(at) };
}

/** Returns a cursor as those of other lists look. */
export function writeCursor(positions: Positions): string {
  return Buffer.from(`nodes ${writePositions(positions)}`).toString("base64url");
}

/** Returns undefined if `cursor` is not what `writeCursor` returned. */
export function readCursor(cursor: string): Positions | undefined {
  const text = Buffer.from(cursor, "base64url").toString();
  const positions = text.startsWith("nodes ") ? readPositions(text.slice("nodes ".length)) : undefined;
  return positions && writeCursor(positions) === cursor ? positions : undefined;
}
