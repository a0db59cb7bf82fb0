// Sends output of handlers to the host with the call that printed it, and drops output that the host cannot accept fast
// enough.

import type { Override } from "./builtins.ts";
import {
  type DroppedPayload,
  type FrameWriter,
  LOG_TEXT_MAX_LENGTH,
  type LogPayload,
  ToHost,
} from "../src/sandbox/wire/protocol.ts";

export type Level = LogPayload[0];

/** While more bytes wait for the host, output is only counted: in a loop without a pause, nothing can be sent. */
const QUEUED_MAX_BYTES = 2 << 20;

// Taken before the handler's code can replace them.
const { stringify } = JSON;

/** Sends what is printed to the host. */
export class Printer {
  readonly #writer: FrameWriter;
  readonly #running: () => number;
  #droppedLines = 0;
  #droppedBytes = 0;

  /** `running` returns the id of the invocation whose code runs, or 0. */
  constructor(writer: FrameWriter, running: () => number) {
    this.#writer = writer;
    this.#running = running;
  }

  /** The id of the call whose code runs. */
  get call(): number {
    return this.#running();
  }

  /** Prints a text for a call, by default the one whose code runs. Long texts are cut. */
  print(level: Level, text: string, call = this.#running()): void {
    const kept = text.slice(0, LOG_TEXT_MAX_LENGTH);
    if (this.#writer.queuedBytes > QUEUED_MAX_BYTES) return this.#drop(kept.length);
    this.#reportDropped();
    this.#writer.sendAtOnce(ToHost.Log, call, stringify([level, kept] satisfies LogPayload));
  }

  #drop(length: number): void {
    // Reports the count even if nothing more is printed.
    if (this.#droppedLines === 0) void this.#writer.drained().then(() => this.#reportDropped());
    this.#droppedLines++;
    this.#droppedBytes += length;
  }

  #reportDropped(): void {
    if (this.#droppedLines === 0) return;
    this.#writer.send(
      ToHost.Dropped,
      0,
      stringify([this.#droppedLines, this.#droppedBytes] satisfies DroppedPayload),
    );
    this.#droppedLines = this.#droppedBytes = 0;
  }
}

/** By method of the console. */
const LEVELS = {
  debug: "debug",
  trace: "debug",
  log: "info",
  info: "info",
  dir: "info",
  dirxml: "info",
  table: "info",
  count: "info",
  group: "info",
  groupCollapsed: "info",
  time: "warn",
  timeLog: "info",
  timeEnd: "info",
  countReset: "warn",
  groupEnd: "info",
  warn: "warn",
  error: "error",
  assert: "error",
} as const satisfies Record<string, Level>;

/**
 * Makes the global console print to the function's log, as Node's prints to a terminal without colors. Loading it
 * takes a few milliseconds.
 */
export async function captureConsole(printer: Printer): Promise<void> {
  const { Console } = await import("node:console");
  let level: Level = "info";
  // Node ends each text with a newline. A text is one entry, even if it has several lines.
  const stream = { write: (text: string) => printer.print(level, text.slice(0, -1)) };
  const node = new Console({
    stdout: stream as unknown as NodeJS.WritableStream,
    stderr: stream as unknown as NodeJS.WritableStream,
    ignoreErrors: false,
    colorMode: false,
  });
  for (const [name, own] of Object.entries(LEVELS)) {
    const method = node[name as keyof typeof LEVELS] as (...values: unknown[]) => void;
    Object.defineProperty(console, name, {
      value: (...values: unknown[]) => {
        // A value's own code may print while the value is formatted.
        const outer = level;
        level = own;
        try {
          method(...values);
        } finally {
          level = outer;
        }
      },
      writable: true,
      configurable: true,
      enumerable: true,
    });
  }
}

/** Overrides named imports of `node:console`, which was loaded before its functions were replaced. */
export const CONSOLE_OVERRIDE: Override = {
  module: "console",
  replace: () => Object.fromEntries(Object.keys(LEVELS).map((name) => [name, console[name as keyof typeof LEVELS]])),
};
