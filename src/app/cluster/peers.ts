// Opens what a node says to the others, and what it answers them.

import { lookup } from "node:dns/promises";
import { NodeAddresses } from "../../cluster/peers/addresses.ts";
import { PeerClient } from "../../cluster/peers/client.ts";
import { createPeerEndpoint, type PeerEndpoint } from "../../cluster/peers/endpoint.ts";
import { HEAD_QUESTION, Heads } from "../../cluster/peers/heads.ts";
import { Messages } from "../../cluster/peers/messages.ts";
import type { Peer, PeerHandler } from "../../cluster/peers/questions.ts";
import type { Head } from "../../cluster/log/change_log.ts";
import type { LogTampered } from "../../cluster/log/errors.ts";
import type { DatabaseUrl } from "../../database_url.ts";
import { messageOf } from "../../errors.ts";
import type { Endpoint } from "../../http/endpoint.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { oncePerMinute } from "../../once_per_minute.ts";
import type { Log } from "../../telemetry/log.ts";
import type { LogNodes } from "../../telemetry/cluster/all_logs.ts";
import type { Logs } from "../../telemetry/logs.ts";
import { logHandlers, logsOf } from "./node_logs.ts";

export interface Peers {
  /** Answers requests under /internal/. */
  readonly endpoint: PeerEndpoint;
  readonly client: PeerClient;
  /** Compares this node's log with those of others. */
  readonly heads: Heads;
  readonly logNodes: LogNodes;
  /** The other nodes, as last given to `follow`. */
  others(): readonly Peer[];
  /** Is to be called with all nodes, this one included, whenever they may have changed. */
  follow(nodes: readonly MemberPeer[]): void;
  /** Adds an answer to questions of other nodes, before this node listens. */
  answer(question: string, handler: PeerHandler): void;
  /** Adds the logs of this node, once they are open. */
  addLogs(logs: Logs): void;
}

/** A node, and whether its lease may still run. */
export interface MemberPeer extends Peer {
  readonly isLive: boolean;
}

export interface PeersOptions {
  /** The id of this node. */
  readonly node: string;
  readonly keyring: Keyring;
  readonly database: Pick<DatabaseUrl, "hosts">;
  /** The last entry of the log that this node has applied. */
  readonly head: Head;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  readonly log: Log;
  /** Is given the addresses of all nodes and of PostgreSQL, which functions are kept from. */
  readonly endpoint: Endpoint;
  /** Is called when another node that asks this one has another log. */
  readonly onFork: (error: LogTampered) => void;
}

export function openPeers(opened: AsyncDisposableStack, options: PeersOptions): Peers {
  const { node, keyring, database, head, now, log, endpoint, onFork } = options;
  const isNews = oncePerMinute<string>(now);
  const warn = (message: string) => isNews(message) && log("warn", message);
  const messages = new Messages({ key: keyring.derive("cluster messages"), node, now });
  const client = new PeerClient(messages);
  opened.defer(() => client.close());
  const heads = new Heads(head, { client, onFork });
  const handlers = new Map<string, PeerHandler>([[HEAD_QUESTION, heads.handler]]);
  const resolve = async (name: string) => (await lookup(name, { all: true })).map(({ address }) => address);
  const addresses = new NodeAddresses({ of: "a node", resolve, warn });
  opened.defer(() => addresses.close());
  const databases = new NodeAddresses({ of: "PostgreSQL", resolve, warn });
  opened.defer(() => databases.close());
  void databases.follow(database.hosts.map(({ host, port }) => ({ url: urlOf(host, port) })));
  endpoint.isOneOf(() => addresses.all(), () => databases.all());
  let others: readonly MemberPeer[] = [];
  return {
    client,
    heads,
    endpoint: createPeerEndpoint({
      messages,
      handlers,
      onStreamError: (error) => warn(`An answer to another node broke off: ${messageOf(error)}`),
    }),
    logNodes: { own: node, others: () => others.map((peer) => logsOf(peer, client, peer.isLive)), now },
    others: () => others,
    follow(nodes) {
      others = nodes.filter(({ id }) => id !== node).map(({ id, url, isLive }) => ({ id, url, isLive }));
      void addresses.follow(nodes);
    },
    answer: (question, handler) => void handlers.set(question, handler),
    addLogs: (logs) => logHandlers(logs).forEach(([question, handler]) => handlers.set(question, handler)),
  };
}

function urlOf(host: string, port: number): string {
  return `postgres://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
