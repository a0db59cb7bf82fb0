// Compares the heads of nodes, so that a forked log, an old dump under running nodes and withheld entries are found
// without PostgreSQL, whose word they would be.

import type { Head } from "../log/change_log.ts";
import { LogTampered } from "../log/errors.ts";
import type { PeerClient } from "./client.ts";
import type { Peer, PeerError, PeerHandler } from "./questions.ts";

export const HEAD_QUESTION = "head";
/** Entries whose MACs are kept: nodes whose heads are further apart have more to do than to compare them. */
const KEPT = 10_000;

export interface Comparison {
  /** Nodes that answered; their heads and this node's are of one log. */
  readonly agreed: readonly string[];
  readonly unreachable: readonly PeerError[];
  /** The last entry that one of them has applied: a node that cannot get it from PostgreSQL must not serve for long. */
  readonly highest: number;
}

export interface HeadsOptions {
  readonly client: Pick<PeerClient, "askAll">;
  /** Is called when a node that asks this one has another log. */
  readonly onFork: (error: LogTampered) => void;
}

/** What a node answers: its head, and the MAC that it knows for the entry of the asking node's head. */
interface HeadAnswer extends Head {
  readonly known: string | null;
}

export class Heads {
  readonly #options: HeadsOptions;
  /** By sequence number, in order. */
  readonly #macs = new Map<number, string>();
  #head: Head;

  /** `head` is the last entry that this node has applied. */
  constructor(head: Head, options: HeadsOptions) {
    this.#options = options;
    this.#head = head;
    this.#macs.set(head.seq, head.mac);
  }

  /** Answers other nodes. */
  readonly handler: PeerHandler = {
    answer: (input, from): HeadAnswer => {
      const theirs = parseHead(input);
      const fork = this.#forkOf(from, theirs);
      if (fork) this.#options.onFork(fork);
      return { ...this.#head, known: this.#macs.get(theirs.seq) ?? null };
    },
  };

  /** Is to be called after each entry that this node has applied. A snapshot may be further ahead than the next one. */
  applied({ seq, mac }: Head): void {
    this.#head = { seq, mac };
    this.#macs.set(seq, mac);
    for (const old of this.#macs.keys()) {
      if (this.#macs.size <= KEPT) return;
      this.#macs.delete(old);
    }
  }

  /**
   * Asks all of `peers`, for which `timeoutMs` is left.
   * @throws LogTampered naming the node whose log is another one
   */
  async compare(peers: readonly Peer[], timeoutMs: number): Promise<Comparison> {
    const own = this.#head;
    const answers = await this.#options.client.askAll<HeadAnswer>(peers, HEAD_QUESTION, own, { timeoutMs });
    const agreed: string[] = [];
    const unreachable: PeerError[] = [];
    let highest = 0;
    for (const answer of answers) {
      if ("error" in answer) {
        unreachable.push(answer.error);
        continue;
      }
      const { peer, value: { known, ...theirs } } = answer;
      const fork = this.#forkOf(peer.id, theirs) ?? (known === null ? undefined : forkAt(own, known, peer.id));
      if (fork) throw fork;
      agreed.push(peer.id);
      highest = Math.max(highest, theirs.seq);
    }
    return { agreed, unreachable, highest };
  }

  #forkOf(node: string, { seq, mac }: Head): LogTampered | undefined {
    const known = this.#macs.get(seq);
    return known === undefined ? undefined : forkAt({ seq, mac: known }, mac, node);
  }
}

function forkAt({ seq, mac }: Head, theirs: string, node: string): LogTampered | undefined {
  return mac === theirs ? undefined : new LogTampered(seq, `is not the one that node ${node} has applied`);
}

/** Only a holder of the key can send another thing, for example a later version of this program. */
function parseHead(input: unknown): Head {
  const { seq, mac } = (input ?? {}) as Partial<Head>;
  if (!Number.isSafeInteger(seq) || typeof mac !== "string") throw new TypeError("This is no head of a log.");
  return { seq: seq!, mac };
}
