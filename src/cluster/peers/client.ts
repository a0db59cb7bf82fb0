// Asks other nodes, over HTTP or HTTPS as their NODE_URL says.

import { messageOf } from "../../errors.ts";
import { SECOND_MS } from "../../time.ts";
import { HEARTBEAT_MS } from "./endpoint.ts";
import { MessageError, type Messages } from "./messages.ts";
import { type Begin, fromBytes, INTERNAL_PREFIX, type Peer, PeerError, toBytes } from "./questions.ts";

/** For a question without a time of its own. */
const ANSWER_MAX_MS = 5 * SECOND_MS;
/** A stream from which nothing comes for as long is lost: it sends a sign of life more often. */
const SILENCE_MAX_MS = 4 * HEARTBEAT_MS;
/** Of one answer. */
const ANSWER_MAX_BYTES = 64 * 1_024 * 1_024;

export interface AskOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** What a peer answered, or why it did not. */
export type Answer<T> =
  | { readonly peer: Peer; readonly value: T }
  | { readonly peer: Peer; readonly error: PeerError };

export class PeerClient {
  readonly #messages: Messages;
  /** The last known run of each node's process, without which it accepts nothing. */
  readonly #boots = new Map<string, string>();
  /** What ends the questions and streams under way. */
  readonly #underWay = new Set<AbortController>();
  readonly #questions = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(messages: Messages) {
    this.#messages = messages;
  }

  /** The id of this node. */
  get node(): string {
    return this.#messages.node;
  }

  /** Ends all questions and streams, and asks no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const ending of this.#underWay) ending.abort();
    await Promise.allSettled(this.#questions);
  }

  /** Asks one node. @throws PeerError */
  async ask<T>(peer: Peer, question: string, input?: unknown, options: AskOptions = {}): Promise<T> {
    const { timeoutMs = ANSWER_MAX_MS, signal } = options;
    const ending = this.#begin(signal);
    const timer = setTimeout(ending.abort, timeoutMs);
    const asked = this.#reaching(peer, async () => {
      const frames = await this.#send(peer, question, input, ending.signal, "value");
      const parts: Uint8Array[] = [];
      let length = 0;
      for await (const part of frames) {
        parts.push(part);
        length += part.length;
        if (length > ANSWER_MAX_BYTES) throw new MessageError("The answer is too long.");
      }
      return fromBytes(new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer())) as T;
    });
    this.#questions.add(asked);
    try {
      return await asked;
    } finally {
      clearTimeout(timer);
      this.#questions.delete(asked);
      ending.over();
    }
  }

  /** Returns what ends a question or a stream: `signal`, `close`, or a call of `abort`. */
  #begin(signal: AbortSignal | undefined): { signal: AbortSignal; abort(): void; over(): void } {
    const ending = new AbortController();
    const abort = () => ending.abort();
    if (this.#isClosed || signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    this.#underWay.add(ending);
    const over = () => {
      signal?.removeEventListener("abort", abort);
      this.#underWay.delete(ending);
    };
    return { signal: ending.signal, abort, over };
  }

  /** Asks all of `peers` at the same time. Never rejects. */
  async askAll<T>(
    peers: readonly Peer[],
    question: string,
    input?: unknown,
    options?: AskOptions,
  ): Promise<Answer<T>[]> {
    return await Promise.all(peers.map(async (peer): Promise<Answer<T>> => {
      try {
        return { peer, value: await this.ask<T>(peer, question, input, options) };
      } catch (error) {
        return { peer, error: error as PeerError };
      }
    }));
  }

  /**
   * Yields what a node streams, until it ends the stream or `signal` is aborted. `onOpen` is called once the node has
   * accepted the question.
   * @throws PeerError, also if the node is silent for some seconds
   */
  async *follow(
    peer: Peer,
    question: string,
    input: unknown,
    { signal, onOpen }: { signal: AbortSignal; onOpen?: () => void },
  ): AsyncGenerator<unknown> {
    const ending = this.#begin(signal);
    let timer = setTimeout(ending.abort, SILENCE_MAX_MS);
    let frames: AsyncGenerator<Uint8Array> | undefined;
    try {
      const opened = frames = await this.#reaching(
        peer,
        () => this.#send(peer, question, input, ending.signal, "stream"),
      );
      onOpen?.();
      while (true) {
        const { done, value } = await this.#reaching(peer, () => opened.next());
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(ending.abort, SILENCE_MAX_MS);
        if (value.length > 0) yield fromBytes(value);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearTimeout(timer);
      ending.abort();
      // Closes the response if the reader has left between two items.
      void frames?.return(undefined).catch(() => {});
      ending.over();
    }
  }

  /** Sends a question, again if the node was restarted since the last one; returns the frames after the first. */
  async #send(
    peer: Peer,
    question: string,
    input: unknown,
    signal: AbortSignal,
    kind: "value" | "stream",
  ): Promise<AsyncGenerator<Uint8Array>> {
    for (let attempt = 1;; attempt++) {
      const frames = await this.#sendOnce(peer, question, input, signal);
      const { value, done } = await frames.next();
      if (done) throw new MessageError("The response is empty.");
      const begin = fromBytes(value) as Begin;
      if (begin.kind === kind) return frames;
      await frames.return(undefined);
      if (begin.kind === "boot" && attempt === 1) this.#boots.set(peer.id, begin.boot);
      else throw this.#errorOf(peer, begin);
    }
  }

  async #sendOnce(
    { id, url }: Peer,
    question: string,
    input: unknown,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<Uint8Array>> {
    const path = `${INTERNAL_PREFIX}${question}`;
    const sent = this.#messages.seal(id, path, toBytes(input), this.#boots.get(id));
    const response = await fetch(new URL(path, url), {
      method: "POST",
      body: sent.bytes,
      headers: { "Content-Type": "application/octet-stream" },
      redirect: "manual",
      signal,
    });
    if (response.status === 200 && response.body) return sent.open(response.body);
    await response.body?.cancel();
    if (response.status !== 404) throw new PeerError(id, "unreachable", `answered ${response.status} at ${url}.`);
    const why = `did not accept a message at ${url}: it is not this node, has another key file, or another server ` +
      "answers there. Check NODE_URL.";
    throw new PeerError(id, "unknown", why);
  }

  #errorOf({ id }: Peer, begin: Begin): PeerError {
    switch (begin.kind) {
      case "error":
        return new PeerError(id, "failed", `answered: ${begin.message}`, begin.code);
      case "clock": {
        const seconds = Math.round((begin.at - this.#messages.now()) / SECOND_MS);
        const way = seconds < 0 ? "behind" : "ahead of";
        const why = `has a clock that is ${
          Math.abs(seconds)
        } s ${way} that of this node. Synchronize the clocks of all nodes.`;
        return new PeerError(id, "clock", why);
      }
      case "full":
        return new PeerError(id, "unreachable", "has too many messages to answer.");
      default:
        return new PeerError(id, "unreachable", `answered with "${begin.kind}".`);
    }
  }

  async #reaching<T>({ id, url }: Peer, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof PeerError) throw error;
      const why = (error as Error).name === "TimeoutError" || (error as Error).name === "AbortError"
        ? `did not answer in time at ${url}.`
        : `could not be asked at ${url}: ${messageOf(error)}`;
      throw new PeerError(id, "unreachable", why);
    }
  }
}
