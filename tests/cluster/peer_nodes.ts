// Starts what nodes say to each other over real HTTP, without the rest of a node.

import { createSecretKey, randomBytes } from "node:crypto";
import { PeerClient } from "../../src/cluster/peers/client.ts";
import { createPeerEndpoint } from "../../src/cluster/peers/endpoint.ts";
import { Messages } from "../../src/cluster/peers/messages.ts";
import type { Peer, PeerHandler } from "../../src/cluster/peers/questions.ts";
import { DerivedKey } from "../../src/keyring/derived_key.ts";

export interface PeerNode extends AsyncDisposable {
  readonly peer: Peer;
  readonly client: PeerClient;
  /** How often the endpoint was asked, by anybody. */
  requests(): number;
  /** Errors of streams. */
  readonly errors: readonly unknown[];
}

export interface PeerNodeOptions {
  /** Nodes with the same root are of one cluster. */
  readonly root?: Uint8Array;
  readonly handlers?: ReadonlyMap<string, PeerHandler>;
  readonly now?: () => number;
  /** To be started again under the same address. */
  readonly port?: number;
}

export function startPeerNode(node: string, options: PeerNodeOptions = {}): PeerNode {
  const { root = randomBytes(32), handlers = new Map(), now = Date.now, port = 0 } = options;
  const key = new DerivedKey(createSecretKey(root), "cluster messages");
  const messages = new Messages({ key, node, now });
  const errors: unknown[] = [];
  const endpoint = createPeerEndpoint({ messages, handlers, onStreamError: (error) => errors.push(error) });
  let requests = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, (request) => {
    requests++;
    return endpoint(request);
  });
  return {
    peer: { id: node, url: `http://127.0.0.1:${server.addr.port}` },
    client: new PeerClient(messages),
    requests: () => requests,
    errors,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
