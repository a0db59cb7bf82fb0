// Connects the logs of nodes: answers other nodes' questions for this one's, and asks for theirs.

import type { PeerClient } from "../../cluster/peers/client.ts";
import type { Peer, PeerHandler } from "../../cluster/peers/questions.ts";
import type { FunctionId } from "../../ids.ts";
import {
  createLocalLogs,
  type HistogramQuery,
  type NodeLogs,
  type NodePage,
  type PageQuery,
  type RequestsQuery,
  type TailItem,
  type TailQuery,
} from "../../telemetry/cluster/node_logs.ts";
import type { FoundRequest, LogHistogram, Logs } from "../../telemetry/logs.ts";
import { SECOND_MS } from "../../time.ts";

const QUESTIONS = {
  list: "logs/list",
  requests: "logs/requests",
  histogram: "logs/histogram",
  beginning: "logs/beginning",
  follow: "logs/follow",
  clear: "logs/clear",
} as const;
/** A page of the log does not wait longer for a node that hangs. */
const LIST_MAX_MS = 3 * SECOND_MS;
/** Nor for one that is probably gone: it is named soon. */
const GONE_MAX_MS = SECOND_MS / 2;
/** Deletes a batch at a time. */
const CLEAR_MAX_MS = 30 * SECOND_MS;

/** Returns what answers other nodes, which are trusted as this one is: what they send has passed their checks. */
export function logHandlers(logs: Logs): [string, PeerHandler][] {
  const local = createLocalLogs(logs);
  return [
    [QUESTIONS.list, { answer: (query) => local.list(query as PageQuery) }],
    [QUESTIONS.requests, { answer: (query) => local.requests(query as RequestsQuery) }],
    [QUESTIONS.histogram, { answer: (query) => local.histogram(query as HistogramQuery) }],
    [QUESTIONS.beginning, { answer: () => local.beginning() }],
    [QUESTIONS.follow, { stream: (query, _, signal) => local.follow(query as TailQuery, signal) }],
    [QUESTIONS.clear, { answer: (id) => local.clear(id as FunctionId) }],
  ];
}

/** Returns the logs of another node. */
export function logsOf(peer: Peer, client: PeerClient, isLive = true): NodeLogs {
  const waiting = { timeoutMs: isLive ? LIST_MAX_MS : GONE_MAX_MS };
  return {
    node: peer.id,
    list: (query) => client.ask<NodePage>(peer, QUESTIONS.list, query, waiting),
    requests: (query) => client.ask<FoundRequest[]>(peer, QUESTIONS.requests, query, waiting),
    histogram: (query) => client.ask<LogHistogram>(peer, QUESTIONS.histogram, query, waiting),
    beginning: () => client.ask<number | null>(peer, QUESTIONS.beginning, null, waiting),
    follow: (query, signal) => client.follow(peer, QUESTIONS.follow, query, { signal }) as AsyncIterable<TailItem>,
    clear: (id) => client.ask<void>(peer, QUESTIONS.clear, id, { timeoutMs: CLEAR_MAX_MS }),
  };
}
