// What handlers print, on its way to the host: with the call that printed it, and bounded where the host cannot
// take it as fast.

import { format } from "node:util";
import {
  type DroppedMeta,
  type FrameWriter,
  LOG_TEXT_MAX_LENGTH,
  type LogMeta,
  ToHost,
} from "../src/sandbox/protocol.ts";

/** While so much waits for the host, what is printed is counted only: a loop without a pause lets nothing out. */
const QUEUED_MAX_BYTES = 2 << 20;

// Taken before the handler's code can replace them.
const { stringify } = JSON;
const { inspect } = Deno;

/** `running` is the number of the invocation whose code runs, 0 outside of any. */
export function captureConsole(writer: FrameWriter, running: () => number): void {
  let lines = 0;
  let bytes = 0;

  const tellDropped = (): void => {
    if (lines === 0) return;
    writer.send(ToHost.Dropped, 0, stringify([lines, bytes] satisfies DroppedMeta));
    lines = bytes = 0;
  };

  const drop = (length: number): void => {
    // Also if nothing more is printed.
    if (lines === 0) void writer.drained().then(tellDropped);
    lines++;
    bytes += length;
  };

  const print = (level: LogMeta[0]) => (...values: unknown[]) => {
    const text = format(...values).slice(0, LOG_TEXT_MAX_LENGTH);
    if (writer.queuedBytes > QUEUED_MAX_BYTES) return drop(text.length);
    tellDropped();
    writer.sendAtOnce(ToHost.Log, running(), stringify([level, text] satisfies LogMeta));
  };

  const dump = (value: unknown, options?: Deno.InspectOptions) => print("info")(inspect(value, options));
  Object.assign(console, {
    debug: print("debug"),
    log: print("info"),
    info: print("info"),
    warn: print("warn"),
    error: print("error"),
    trace: (...values: unknown[]) => print("debug")(new Error(format(...values)).stack),
    assert: (condition: unknown, ...values: unknown[]) => {
      if (!condition) print("error")("Assertion failed:", ...values);
    },
    dir: dump,
    table: (value: unknown) => dump(value),
  });
}
