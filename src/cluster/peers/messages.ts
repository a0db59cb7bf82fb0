// Encrypts and authenticates what nodes say to each other, over any transport. Each message has a key of its own, derived
// from the key file's, the ids of sender and receiver and random bytes; time, path and ids are authenticated with it.
// A request is accepted once, by one run of the receiver's process, within half a minute. A response can only be the
// one to its request, and only as a whole: its frames are counted, and the last one is marked.

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import { FRAME_OVERHEAD_BYTES, FrameOpener, FrameSealer } from "../../keyring/frame_cipher.ts";
import { BOOT_BYTES, type Head, NONCE_BYTES, readHead, writeHead } from "./envelope.ts";
import { Replays } from "./replays.ts";

/** Of the content of a request, or of a frame of a response. */
export const CONTENT_MAX_BYTES = 1_024 * 1_024;
const SALT_BYTES = 16;
const LENGTH_BYTES = 4;
/** Marks the last frame in the length before it; the frame's nonce proves it. */
const LAST = 0x8000_0000;

/** Why a receiver refuses a message that is authentic. `at` is its clock, `boot` the run of its process. */
export type Refusal =
  | { readonly refused: "clock"; readonly at: number }
  | { readonly refused: "boot"; readonly boot: string }
  | { readonly refused: "replay" | "full" };

/** A message that its receiver has authenticated. */
export interface Received {
  readonly sender: string;
  /** If set, the message must not be acted upon: it is the answer to the sender. */
  readonly refusal: Refusal | undefined;
  readonly content: Uint8Array;
  /** Seals the response to this message. */
  readonly response: ResponseSealer;
}

/** A message to be sent, and what opens the response to it. */
export interface Sent {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Returns the contents of the response's frames. @throws MessageError if it is not exactly what the receiver sent */
  open(response: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
}

/** A response that is not authentic, or not complete. */
export class MessageError extends Error {}

export interface MessagesOptions {
  /** Of the purpose "cluster messages". */
  readonly key: DerivedKey;
  /** The id of this node. */
  readonly node: string;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
}

export class Messages {
  readonly #options: MessagesOptions;
  readonly #boot = randomBytes(BOOT_BYTES);
  readonly #replays: Replays;

  constructor(options: MessagesOptions) {
    this.#options = options;
    this.#replays = new Replays(options.now);
  }

  /** The id of this node. */
  get node(): string {
    return this.#options.node;
  }

  /** Returns the time of this node's clock, in milliseconds since 1970 UTC. */
  now(): number {
    return this.#options.now();
  }

  /** Seals a request. `boot` is the run of the receiver's process, in hexadecimal, if this node knows it. */
  seal(receiver: string, path: string, content: Uint8Array, boot?: string): Sent {
    const { key, node: sender, now } = this.#options;
    if (content.length > CONTENT_MAX_BYTES) throw new Error("A message to another node is too long.");
    const run = boot === undefined ? new Uint8Array(BOOT_BYTES) : Buffer.from(boot, "hex");
    const head: Head = { nonce: randomBytes(NONCE_BYTES), at: now(), boot: run, sender, receiver };
    const plain = writeHead(head);
    const aad = aadOf(plain, path);
    const frame = new FrameSealer(key, contextOf("request", head)).seal(content, aad, true);
    return {
      bytes: Uint8Array.from(Buffer.concat([plain, frame])),
      open: (response) =>
        openResponse(response, (salt) => new FrameOpener(key, contextOf("response", head, salt)), aad),
    };
  }

  /** Opens a request. Returns undefined if it is not authentic, or not for this node. */
  receive(bytes: Uint8Array, path: string): Received | undefined {
    const { key, node, now } = this.#options;
    const read = readHead(bytes);
    if (!read || read.head.receiver !== node || read.head.sender === node) return undefined;
    const { head, length } = read;
    const aad = aadOf(bytes.subarray(0, length), path);
    try {
      const content = new FrameOpener(key, contextOf("request", head)).open(bytes.subarray(length), aad, true);
      const response = new ResponseSealer(key, head, aad);
      return { sender: head.sender, content, response, refusal: this.#refusalOf(head, now()) };
    } catch {
      return undefined;
    }
  }

  #refusalOf({ nonce, at, boot }: Head, now: number): Refusal | undefined {
    // An earlier run of this process may have accepted the message.
    if (!this.#boot.equals(boot)) return { refused: "boot", boot: this.#boot.toString("hex") };
    const verdict = this.#replays.accept(Buffer.from(nonce).toString("base64"), at);
    if (verdict === "accepted") return undefined;
    return verdict === "clock" ? { refused: "clock", at: now } : { refused: verdict };
  }
}

/** Encrypts the frames of one response. */
export class ResponseSealer {
  /** Comes before the frames. Random, so that a request that is answered twice has two keys. */
  readonly begin: Uint8Array = randomBytes(SALT_BYTES);
  readonly #aad: Uint8Array;
  readonly #frames: FrameSealer;

  constructor(key: DerivedKey, head: Head, aad: Uint8Array) {
    this.#aad = aad;
    this.#frames = new FrameSealer(key, contextOf("response", head, this.begin));
  }

  /** Returns the next frame with its length. */
  seal(content: Uint8Array, isLast: boolean): Uint8Array {
    if (content.length > CONTENT_MAX_BYTES) throw new Error("A frame to another node is too long.");
    const frame = this.#frames.seal(content, this.#aad, isLast);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(isLast ? frame.length + LAST : frame.length);
    return Buffer.concat([length, frame]);
  }
}

async function* openResponse(
  response: AsyncIterable<Uint8Array>,
  openerFor: (salt: Uint8Array) => FrameOpener,
  aad: Uint8Array,
): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array = new Uint8Array();
  let frames: FrameOpener | undefined;
  for await (const chunk of response) {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
    if (!frames) {
      if (waiting.length < SALT_BYTES) continue;
      frames = openerFor(waiting.subarray(0, SALT_BYTES));
      waiting = waiting.subarray(SALT_BYTES);
    }
    for (let next = frameAt(waiting); next; next = frameAt(waiting)) {
      waiting = waiting.subarray(next.end);
      yield openFrame(frames, next.frame, aad, next.isLast);
      if (!next.isLast) continue;
      if (waiting.length > 0) throw new MessageError("The response continues after its end.");
      return;
    }
  }
  throw new MessageError("The response is not complete.");
}

/** Returns the frame at the beginning of `bytes`, once it is complete. */
function frameAt(bytes: Uint8Array): { frame: Uint8Array; isLast: boolean; end: number } | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const marked = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const isLast = marked >= LAST;
  const length = isLast ? marked - LAST : marked;
  if (length > CONTENT_MAX_BYTES + FRAME_OVERHEAD_BYTES) throw new MessageError("A frame of the response is too long.");
  const end = LENGTH_BYTES + length;
  return bytes.length < end ? undefined : { frame: bytes.subarray(LENGTH_BYTES, end), isLast, end };
}

function openFrame(frames: FrameOpener, frame: Uint8Array, aad: Uint8Array, isLast: boolean): Uint8Array {
  try {
    return frames.open(frame, aad, isLast);
  } catch {
    throw new MessageError("The response is not authentic: it was altered, or is of another key.");
  }
}

/** Returns the additional authenticated data: everything visible, and the path that the message is for. */
function aadOf(head: Uint8Array, path: string): Uint8Array {
  return Buffer.concat([head, Buffer.from(`POST ${path}`)]);
}

/** Returns what the key of a message is derived with. Ids have their lengths before them, so that no two can be shifted. */
function contextOf(
  direction: "request" | "response",
  { nonce, sender, receiver }: Head,
  salt: Uint8Array = new Uint8Array(),
): string {
  const ids = [sender, receiver].map((id) => `${id.length}:${id}`).join("");
  return `${direction}:${Buffer.from(nonce).toString("hex")}:${Buffer.from(salt).toString("hex")}:${ids}`;
}
