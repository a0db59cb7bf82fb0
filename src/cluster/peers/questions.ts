// Defines what one node can ask another, and how an answer is written into the frames of a response.

/** Answers one kind of question of other nodes. The asking node gets the message of what it throws. */
export type PeerHandler =
  | { readonly answer: (input: unknown, from: string) => unknown | Promise<unknown> }
  /** Answers with one item after the other. The items must end soon after `signal` is aborted. */
  | { readonly stream: (input: unknown, from: string, signal: AbortSignal) => AsyncIterable<unknown> };

/** Another node. */
export interface Peer {
  readonly id: string;
  /** The `NODE_URL` of that node. */
  readonly url: string;
}

/** The first frame of a response. The frames of a value follow, or of each item of a stream, or nothing. */
export type Begin =
  | { readonly kind: "value" }
  | { readonly kind: "stream" }
  | { readonly kind: "error"; readonly code: string; readonly message: string }
  | { readonly kind: "clock"; readonly at: number }
  | { readonly kind: "boot"; readonly boot: string }
  | { readonly kind: "replay" | "full" };

export const INTERNAL_PREFIX = "/internal/";

/** An error of the asked node, or in reaching it. The message names the node. */
export class PeerError extends Error {
  constructor(
    readonly node: string,
    /**
     * `unreachable`: no answer in time, or a wrong one; `unknown`: it does not know this node; `clock`: their clocks
     * differ; `failed`: it answered with an error, whose code is `answeredCode`.
     */
    readonly kind: "unreachable" | "unknown" | "clock" | "failed",
    why: string,
    readonly answeredCode?: string,
  ) {
    super(`Node ${node} ${why}`);
  }
}

export function toBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value ?? null));
}

export function fromBytes(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}
