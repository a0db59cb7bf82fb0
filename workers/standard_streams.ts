// Sends a handler's standard output and standard error to its function's log, line by line.

import { format } from "node:util";
import type { Exports, Override } from "./builtins.ts";
import type { Level, Printer } from "./console.ts";
import { FrameWriter, LOG_TEXT_MAX_LENGTH, ToHost } from "../src/sandbox/wire/protocol.ts";

// Taken before the handler's code can replace them.
const { clearTimeout, queueMicrotask, setTimeout } = globalThis;

/** A line without an end is printed this long after it began. */
const UNFINISHED_MS = 100;

/** Prints what is written, line by line. A line belongs to the call that wrote its end. */
class LineStream {
  readonly #printer: Printer;
  readonly #level: Level;
  readonly #decoder = new TextDecoder();
  /** The beginning of a line. */
  #unfinished = "";
  #call = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(printer: Printer, level: Level) {
    this.#printer = printer;
    this.#level = level;
  }

  /** Writes all bytes, and returns their number. */
  write(bytes: Uint8Array): number {
    const { call } = this.#printer;
    if (call !== this.#call) this.flush();
    this.#call = call;
    const text = this.#unfinished + this.#decoder.decode(bytes, { stream: true });
    const lines = text.split("\n");
    const rest = lines.pop()!;
    for (const line of lines) this.#print(line);
    this.#unfinished = rest;
    if (rest.length > LOG_TEXT_MAX_LENGTH) this.flush();
    else if (rest !== "") this.#timer ??= setTimeout(() => this.flush(), UNFINISHED_MS);
    return bytes.byteLength;
  }

  /** Prints an unfinished line as it is. */
  flush(): void {
    if (this.#unfinished === "") return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#unfinished;
    this.#unfinished = "";
    this.#print(text);
  }

  #print(line: string): void {
    this.#printer.print(this.#level, line.endsWith("\r") ? line.slice(0, -1) : line, this.#call);
  }
}

/** Prints unfinished lines before a call is answered or ends, so that its log is complete by then. */
export class AnswerWriter extends FrameWriter {
  streams: StandardStreams | undefined;

  override send(type: number, id: number, payload?: string, body?: Uint8Array | string): void {
    if (type === ToHost.Response || type === ToHost.Failed || type === ToHost.Settled) this.streams?.flush();
    super.send(type, id, payload, body);
  }
}

export class StandardStreams {
  readonly #output: LineStream;
  readonly #error: LineStream;
  /** By file descriptor. */
  readonly #byDescriptor: ReadonlyMap<unknown, LineStream>;

  constructor(printer: Printer) {
    this.#output = new LineStream(printer, "info");
    this.#error = new LineStream(printer, "error");
    this.#byDescriptor = new Map([[1, this.#output], [2, this.#error]]);
  }

  /** Prints unfinished lines as they are. */
  flush(): void {
    this.#output.flush();
    this.#error.flush();
  }

  /** Replaces Deno's streams, which `process.stdout` and `process.stderr` use (Deno 2.9.6). */
  capture(): void {
    for (const [stream, target] of [[this.#output, Deno.stdout], [this.#error, Deno.stderr]] as const) {
      let writable: WritableStream<Uint8Array> | undefined;
      Object.defineProperties(target, {
        write: { value: (bytes: Uint8Array) => Promise.resolve(stream.write(bytes)) },
        writeSync: { value: (bytes: Uint8Array) => stream.write(bytes) },
        writable: {
          get: () => writable ??= new WritableStream({ write: (bytes) => void stream.write(bytes) }),
        },
        isTerminal: { value: () => false },
        close: { value: () => {} },
      });
    }
  }

  /** Overrides of functions that write to a descriptor by its number, as loggers do. */
  get overrides(): readonly Override[] {
    return [
      { module: "fs", replace: (fs) => this.#fileSystem(fs) },
      {
        module: "process",
        replace: () => ({
          _rawDebug: (...values: unknown[]) => void this.#error.write(Buffer.from(format(...values) + "\n")),
        }),
      },
    ];
  }

  #fileSystem({ write, writeSync, writev, writevSync }: Exports): Exports {
    const streams = this.#byDescriptor;
    const afterwards = (callback: unknown, ...values: unknown[]): void =>
      queueMicrotask(() => (callback as (...values: unknown[]) => void)(null, ...values));
    return {
      write(descriptor: unknown, data: Uint8Array | string, ...rest: unknown[]): void {
        const stream = streams.get(descriptor);
        const callback = rest.at(-1);
        if (!stream || typeof callback !== "function") return write(descriptor, data, ...rest);
        afterwards(callback, stream.write(bytesOf(data, rest)), data);
      },
      writeSync(descriptor: unknown, data: Uint8Array | string, ...rest: unknown[]): number {
        const stream = streams.get(descriptor);
        return stream ? stream.write(bytesOf(data, rest)) : writeSync(descriptor, data, ...rest);
      },
      writev(descriptor: unknown, pieces: Uint8Array[], ...rest: unknown[]): void {
        const stream = streams.get(descriptor);
        const callback = rest.at(-1);
        if (!stream || typeof callback !== "function") return writev(descriptor, pieces, ...rest);
        afterwards(callback, stream.write(Buffer.concat(pieces)), pieces);
      },
      writevSync(descriptor: unknown, pieces: Uint8Array[], ...rest: unknown[]): number {
        const stream = streams.get(descriptor);
        return stream ? stream.write(Buffer.concat(pieces)) : writevSync(descriptor, pieces, ...rest);
      },
    };
  }
}

/** Returns the bytes of `fs.write(fd, data, …)`: bytes have `offset, length` next, a text `position, encoding`. */
function bytesOf(data: Uint8Array | string, [first, second]: readonly unknown[]): Uint8Array {
  if (typeof data === "string") {
    return Buffer.from(data, typeof second === "string" ? second as BufferEncoding : "utf8");
  }
  const { offset, length } = typeof first === "object" && first !== null
    ? first as { offset?: number; length?: number }
    : { offset: first, length: second };
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const start = typeof offset === "number" ? offset : 0;
  return bytes.subarray(start, typeof length === "number" ? start + length : undefined);
}
