// Streams log entries as lines for download, a page at a time, as fast as the client takes them.

import type { AllLogs } from "../../telemetry/cluster/all_logs.ts";
import type { MergedEntry } from "../../telemetry/cluster/node_logs.ts";
import type { LogFilter } from "../../telemetry/logs.ts";
import { oneLine } from "../../text.ts";
import { time } from "../inputs/fields.ts";

/** The most entries of an export, the newest: more are a matter for a collector of logs. */
export const EXPORTED_MAX = 100_000;
/** Entries of one page. */
const PIECE = 1_000;

/**
 * Returns the newest entries that match, the newest first, as lines. `check` is called before each page, and breaks the
 * export off by throwing.
 * @throws AppError as `AllLogs.list`
 */
export async function exportStream(
  logs: Pick<AllLogs, "list">,
  filter: LogFilter,
  line: (entry: MergedEntry) => string,
  check: () => void,
): Promise<ReadableStream<Uint8Array>> {
  const encoder = new TextEncoder();
  // The first page before the answer begins, so that a wrong search is an error of the request.
  let page = await logs.list(filter, { limit: PIECE, cursor: undefined });
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      check();
      if (sent > 0) page = await logs.list(filter, { limit: PIECE, cursor: page.next });
      const { entries, next } = page;
      sent += entries.length;
      if (entries.length > 0) controller.enqueue(encoder.encode(entries.map((entry) => `${line(entry)}\n`).join("")));
      if (next === undefined || sent >= EXPORTED_MAX) controller.close();
    },
  }, { highWaterMark: 1 });
}

/** Returns an entry as a line to read; line breaks of its message are escaped, so that none looks like an entry. */
export function textLine(
  { at, level, requestId, event, message, durationMs, node }: MergedEntry,
  name: string,
): string {
  const what = event === "print" ? message : `${event}: ${message}`;
  const took = durationMs === null ? "" : ` (${durationMs} ms)`;
  return [
    time(at),
    level.toUpperCase().padEnd(5),
    node === undefined ? name : `${name}@${node}`,
    requestId ?? "-",
    oneLine(what) + took,
  ].join(" ");
}
