// Sends the streamed body of one request to a sandbox, no faster than the handler reads it.

import { CHUNK_MAX_BYTES, type FrameWriter, ToSandbox, WINDOW_BYTES } from "../wire/protocol.ts";

/** With this many bytes waiting for a process, no more of a request's body is sent to it. */
const SEND_QUEUE_MAX_BYTES = 1 << 20;

/** The call that a body belongs to. */
export interface BodyOwner {
  readonly id: number;
  /** Whether the call has ended with all of its work. */
  readonly over: boolean;
  readonly responseOver: boolean;
  /** Called when a piece has arrived: the handler's time starts when it gets the data that it waited for. */
  bodyArrived(): void;
  /** Called when the client has disconnected within the body. */
  abandon(): void;
}

export class RequestBody {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: FrameWriter;
  readonly #owner: BodyOwner;
  readonly #timeoutMs: number;
  /** Bytes that may still be sent. */
  #credit = WINDOW_BYTES;
  #creditArrived: (() => void) | undefined;
  /** When the caller times out, by `performance.now()`; Infinity if no data is expected of it. */
  #deadline = Infinity;

  /** `timeoutMs` is how long the caller may pause. */
  constructor(body: ReadableStream<Uint8Array>, writer: FrameWriter, owner: BodyOwner, timeoutMs: number) {
    this.#reader = body.getReader();
    this.#writer = writer;
    this.#owner = owner;
    this.#timeoutMs = timeoutMs;
  }

  get deadline(): number {
    return this.#deadline;
  }

  /** Sends the body to its end, or until the call is over. Never rejects. */
  async send(): Promise<void> {
    const [owner, writer] = [this.#owner, this.#writer];
    try {
      while (!owner.over) {
        // Waits before it reads from the client, so that the data is not in the host's memory.
        await this.#room();
        this.#deadline = performance.now() + this.#timeoutMs;
        const piece = await this.#reader.read();
        this.#deadline = Infinity;
        owner.bodyArrived();
        if (piece.done) break;
        await this.#sendPiece(piece.value);
      }
      if (!owner.over) writer.send(ToSandbox.BodyEnd, owner.id);
      // The rest is not read, so the client may stop sending it.
      else await this.#reader.cancel();
    } catch {
      this.#deadline = Infinity;
      // The client disconnected. The handler must not wait for the rest.
      if (owner.responseOver && !owner.over) writer.send(ToSandbox.Abort, owner.id);
      else owner.abandon();
    }
  }

  /** Allows that many more bytes to be sent. */
  receiveCredit(bytes: number): void {
    // Bounded, so that never more than a window is in the host's memory.
    this.#credit = Math.min(this.#credit + bytes, WINDOW_BYTES);
    this.#creditArrived?.();
  }

  /** Stops waiting for credit, as the call is over. */
  callEnded(): void {
    this.#creditArrived?.();
  }

  /** Stops reading from the client. */
  cancel(): void {
    this.#reader.cancel().catch(() => {});
  }

  async #sendPiece(bytes: Uint8Array): Promise<void> {
    const owner = this.#owner;
    for (let at = 0; at < bytes.byteLength && !owner.over;) {
      while (this.#credit === 0 && !owner.over) await new Promise<void>((resolve) => this.#creditArrived = resolve);
      const size = Math.min(bytes.byteLength - at, CHUNK_MAX_BYTES, this.#credit);
      await this.#room();
      if (owner.over) break;
      this.#writer.send(ToSandbox.Body, owner.id, "", bytes.subarray(at, at + size));
      this.#credit -= size;
      at += size;
    }
  }

  /** Waits for room in the queue. Checks again after each wait, as other waiting bodies may have filled it. */
  async #room(): Promise<void> {
    while (this.#writer.queuedBytes > SEND_QUEUE_MAX_BYTES && !this.#owner.over) await this.#writer.drained();
  }
}
