// Keeps the end of what a process prints, at a bounded cost.

const TAIL_MAX_LENGTH = 4_096;
const PIECE_BYTES = 4_096;
/** After this much the stream is closed: reading a flood would cost the server more than the process. */
const READ_MAX_BYTES = 256 * 1024;

export interface StreamTail {
  /** The last 4,096 characters read so far. */
  text(): string;
  /** Settles when the stream has ended or was closed. */
  readonly ended: Promise<void>;
}

/** Reads `stream`, of which at most 256 KiB are read. */
export function readTail(stream: ReadableStream<Uint8Array<ArrayBuffer>>): StreamTail {
  const decoder = new TextDecoder();
  // With a buffer of its own size: Deno's default takes 64 KiB for each stream that waits.
  const reader = stream.getReader({ mode: "byob" });
  let text = "";
  const read = async (): Promise<void> => {
    let buffer = new Uint8Array(PIECE_BYTES);
    for (let bytes = 0; bytes < READ_MAX_BYTES;) {
      const { value, done } = await reader.read(buffer);
      if (done || !value) return;
      bytes += value.length;
      text = (text + decoder.decode(value, { stream: true })).slice(-TAIL_MAX_LENGTH);
      buffer = new Uint8Array(value.buffer);
    }
    await reader.cancel();
  };
  return { text: () => text, ended: read().catch(() => {}) };
}
