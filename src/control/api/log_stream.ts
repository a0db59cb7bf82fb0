// Streams log entries as server-sent events (HTML, 9.2). A slow reader can neither delay the server nor use much memory.

import type { AllLogs, Following } from "../../telemetry/cluster/all_logs.ts";
import type { MergedEntry } from "../../telemetry/cluster/node_logs.ts";
import { HttpError } from "../../http/errors.ts";
import { silentJson } from "../inputs/log_schemas.ts";

const STREAMS_MAX = 100;
/** Longest queue of a reader; further entries are dropped for it. */
const WAITING_MAX_BYTES = 256 * 1024;
const HEARTBEAT_MS = 15_000;
/** A reader that may no longer manage the server is disconnected within this time. */
const ENTITLEMENT_CHECK_MS = 2_000;

interface Wanted extends Following {
  /** Called from time to time; the stream ends when it returns false. */
  readonly isEntitled: () => boolean;
}

/** Returns the function that answers with a stream. */
export function createLogStream(logs: AllLogs, toJson: (entry: MergedEntry) => unknown, heartbeatMs = HEARTBEAT_MS) {
  let streams = 0;
  const encoder = new TextEncoder();

  const open = ({ filter, since, isEntitled }: Wanted): ReadableStream<Uint8Array> => {
    let end = (): void => {};
    return new ReadableStream<Uint8Array>({
      start(controller) {
        let lost = 0;
        const close = (): void => {
          end();
          controller.close();
        };
        const send = (text: string): boolean => {
          const bytes = encoder.encode(text);
          if ((controller.desiredSize ?? 0) < bytes.length) return false;
          controller.enqueue(bytes);
          return true;
        };
        // Only once half of the queue is read; otherwise the next entries would be dropped again.
        const tellLost = (): void => {
          if (lost === 0 || (controller.desiredSize ?? 0) < WAITING_MAX_BYTES / 2) return;
          if (send(`event: lost\ndata: ${JSON.stringify({ lines: lost })}\n\n`)) lost = 0;
        };
        const sendEntry = (entry: MergedEntry, id: string): void => {
          tellLost();
          const event = `id: ${id}\nevent: log\ndata: ${JSON.stringify(toJson(entry))}\n\n`;
          if (lost > 0 || !send(event)) lost++;
        };
        send("retry: 2000\n\n");
        const unfollow = logs.follow({ filter, since }, {
          entry: sendEntry,
          lost(count) {
            if (count === null) send(`event: lost\ndata: {"lines":null}\n\n`);
            else lost += count;
          },
          silent: (nodes) => send(`event: nodes\ndata: ${JSON.stringify({ silent: nodes.map(silentJson) })}\n\n`),
          end: close,
        });
        // Nothing throws after this line: the timers would continue without a stream.
        const check = setInterval(() => {
          if (!isEntitled()) close();
        }, Math.min(ENTITLEMENT_CHECK_MS, heartbeatMs));
        const heartbeat = setInterval(() => {
          tellLost();
          send(": still here\n\n");
        }, heartbeatMs);
        end = () => {
          end = () => {};
          streams--;
          clearInterval(heartbeat);
          clearInterval(check);
          unfollow();
        };
        streams++;
      },
      cancel: () => end(),
    }, { highWaterMark: WAITING_MAX_BYTES, size: (bytes) => bytes?.byteLength ?? 0 });
  };

  return (wanted: Wanted, isHead: boolean): Response => {
    if (streams >= STREAMS_MAX) {
      throw new HttpError("TooManyStreams", 503, `No more than ${STREAMS_MAX} can follow the logs at the same time.`, {
        "Retry-After": "10",
      });
    }
    return new Response(isHead ? null : open(wanted), {
      // no-transform: compression would delay entries until there is enough to compress; nginx would buffer them, too.
      headers: {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-store, no-transform",
        "X-Accel-Buffering": "no",
      },
    });
  };
}
