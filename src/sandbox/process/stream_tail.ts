// Keeps the end of a process's output, at a bounded cost.

const TAIL_MAX_LENGTH = 4_096;
const PIECE_BYTES = 4_096;
/** The stream is closed after this: reading a flood would cost the server more than the process. */
const READ_MAX_BYTES = 256 * 1024;

export interface StreamTail {
  /** Returns the last 4,096 characters that were read. */
  text(): string;
  /** Resolves when the stream has ended or was closed. */
  readonly ended: Promise<void>;
}

/** Reads `stream`, of which at most 256 KiB are read. */
export function readTail(stream: ReadableStream<Uint8Array<ArrayBuffer>>): StreamTail {
  const decoder = new TextDecoder();
  // With its own buffer, as Deno's default takes 64 KiB for each stream that waits.
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
