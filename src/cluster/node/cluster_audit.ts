// Records in the audit what becomes of the cluster: that it was founded, that nodes joined, left and were forgotten, that its
// schema was upgraded and its passphrase changed. What was recorded is kept in the replicated database, so that each is
// recorded once, whichever node sees it first and also if none ran when it happened.

import { type Actor, type AuditEvent, OPERATOR, passphraseChange, type Recorder, SERVER } from "../../actor.ts";
import { messageOf } from "../../errors.ts";
import type { MetaStore } from "../../store/settings.ts";
import type { Store } from "../../store/store.ts";
import { StoreUnavailable } from "../log/errors.ts";
import type { StoredRow } from "./node_row.ts";

/** Name in the table `meta` of what was recorded last. */
export const CLUSTER_META = "cluster-recorded";

/** What is the same on all nodes. */
export interface ClusterFacts {
  /** The id of the cluster. */
  readonly cluster: string;
  /** The schema in PostgreSQL. */
  readonly schemaName: string;
  /** The version of the database's schema. */
  readonly schema: number;
  /** Another one after each change of the passphrase. */
  readonly salt: string;
}

type Node = Pick<StoredRow, "url" | "version" | "left">;

/** What was recorded last. */
export interface Recorded extends ClusterFacts {
  /** Milliseconds since 1970 UTC. */
  readonly since: number;
  /** By id. */
  readonly nodes: Readonly<Record<string, Node>>;
}

export interface ClusterEvent {
  readonly actor: Actor;
  readonly event: AuditEvent;
}

/** Returns what has happened since `recorded`; undefined stands for a database that has just become the cluster's. */
export function clusterEvents(
  recorded: Recorded | undefined,
  { nodes, ...facts }: Omit<Recorded, "since">,
  isFounded: boolean,
): ClusterEvent[] {
  const { cluster, schemaName, schema, salt } = facts;
  const events: ClusterEvent[] = [];
  const add = (actor: Actor, event: AuditEvent) => events.push({ actor, event });
  const subject = { kind: "cluster", id: null, name: schemaName };
  const before = recorded?.cluster === cluster ? recorded : undefined;
  if (!before) {
    // To found one, a start is enough; data is moved by a command.
    const after = { cluster };
    if (isFounded) add(SERVER, { action: "cluster.founded", subject, after });
    else add(OPERATOR, { action: "cluster.moved", subject, after });
  }
  if (before && before.schema !== schema) {
    add(SERVER, { action: "cluster.upgraded", subject, before: { schema: before.schema }, after: { schema } });
  }
  // By the command line alone.
  if (before && before.salt !== salt) add(OPERATOR, passphraseChange("changed"));
  for (const [id, node] of Object.entries(nodes)) {
    const event = nodeEvent(id, before?.nodes[id], node);
    if (event) add(SERVER, event);
  }
  for (const [id, { url, version }] of Object.entries(before?.nodes ?? {})) {
    if (nodes[id]) continue;
    const subject = { kind: "node", id: null, name: url };
    add(SERVER, { action: "node.forgotten", subject, before: { node: id, version } });
  }
  return events;
}

function nodeEvent(id: string, before: Node | undefined, { url, version, left }: Node): AuditEvent | undefined {
  // Ids of subjects are numbers.
  const subject = { kind: "node", id: null, name: url };
  if (left) return before && !before.left ? { action: "node.left", subject, after: { node: id } } : undefined;
  if (before && !before.left && before.url === url && before.version === version) return undefined;
  return {
    action: "node.joined",
    subject,
    ...(before && { before: { url: before.url, version: before.version } }),
    after: { node: id, url, version },
  };
}

export interface ClusterAuditOptions {
  readonly store: Pick<Store, "commit" | "meta">;
  readonly facts: () => ClusterFacts;
  /** Whether this node founded the cluster. */
  readonly isFounded: boolean;
  /** Whether this node is the one that records. */
  readonly leads: () => boolean;
  readonly now: () => number;
  readonly warn: (message: string) => void;
}

export class ClusterAudit {
  readonly #options: ClusterAuditOptions;
  #record: Recorder | undefined;
  #recording: Promise<void> | undefined;

  constructor(options: ClusterAuditOptions) {
    this.#options = options;
  }

  /** Sets what adds entries; nothing is recorded before. */
  recordWith(record: Recorder): void {
    this.#record = record;
  }

  get recorded(): Recorded | undefined {
    return recordedIn(this.#options.store.meta);
  }

  /** Records what has changed, without being waited for. `rows` were just read. */
  see(rows: readonly StoredRow[]): void {
    const { leads, warn } = this.#options;
    if (this.#recording || !this.#record || !leads() || this.#eventsOf(rows).length === 0) return;
    this.#recording = this.#recordAll(rows).catch((error) => {
      // It is tried again when the rows are read again.
      if (!(error instanceof StoreUnavailable)) warn(`The audit lacks a change of the cluster: ${messageOf(error)}`);
    }).finally(() => this.#recording = undefined);
  }

  /** Resolves when nothing is being recorded. */
  async close(): Promise<void> {
    this.#record = undefined;
    await this.#recording;
  }

  async #recordAll(rows: readonly StoredRow[]): Promise<void> {
    const { store: { commit, meta }, leads, now } = this.#options;
    const record = this.#record!;
    await commit(() => {
      // Another node may lead meanwhile, and have seen more.
      if (!leads()) return;
      const { recorded } = this;
      const seen = this.#seen(rows);
      for (const { actor, event } of this.#eventsOf(rows)) record(actor, event);
      const since = recorded?.cluster === seen.cluster ? recorded.since : now();
      meta.put(CLUSTER_META, JSON.stringify({ ...seen, since } satisfies Recorded));
    });
  }

  #eventsOf(rows: readonly StoredRow[]): ClusterEvent[] {
    return clusterEvents(this.recorded, this.#seen(rows), this.#options.isFounded);
  }

  #seen(rows: readonly StoredRow[]): Omit<Recorded, "since"> {
    const nodes = rows.map(({ id, url, version, left }) => [id, { url, version, left }] as const);
    return { ...this.#options.facts(), nodes: Object.fromEntries(nodes) };
  }
}

function recordedIn(meta: Pick<MetaStore, "get">): Recorded | undefined {
  const text = meta.get(CLUSTER_META);
  return text === undefined ? undefined : JSON.parse(text) as Recorded;
}
