// Implements the timeline of a request: what its call left in the log, the oldest first, each with its offset.

import type { MergedEntry } from "../../../../telemetry/cluster/node_logs.ts";
import { Empty } from "../../ui/card.tsx";
import { Fact, Facts, Time } from "../../ui/components.tsx";
import { EVENTS, keyText, shortId, tookText } from "./entries.tsx";
import { took } from "../../ui/format.ts";

interface TimelineProps {
  requestId: string;
  /** The oldest first. */
  entries: readonly MergedEntry[];
  /** Whether there are earlier ones. */
  isCut: boolean;
  /** The name of the function; undefined if it was deleted. */
  name: string | undefined;
  /** The name of the API key; undefined if there is none, or it was revoked. */
  keyName: string | undefined;
  /** Whether the start and end of calls are logged. */
  logsCalls: boolean;
}

export function Timeline({ requestId, entries, isCut, name, keyName, logsCalls }: TimelineProps) {
  const [first] = entries;
  if (!first) {
    return (
      <Empty>
        There are no entries of the request{" "}
        <code>{requestId}</code>. It printed nothing and did not fail, or its entries were trimmed.{" "}
        <a href="/web/logs">All logs</a>
      </Empty>
    );
  }
  const start = startOf(entries);
  const offsets = offsetsOf(entries, start);
  const end = entries.findLast(({ event }) => event === "exec_end" || event === "exec_reject");
  const { node } = first;
  return (
    <>
      <Facts>
        <Fact term="Function">
          {name === undefined ? "a deleted function" : <a href={`/web/functions/${first.functionId}`}>{name}</a>}
        </Fact>
        <Fact term="Outcome">{outcomeOf(end)}</Fact>
        <Fact term="Duration">{end ? tookText(end.durationMs) || "–" : "–"}</Fact>
        <Fact term="Began">
          <Time ms={start} />
        </Fact>
        {first.keyId !== null && (
          <Fact term="API key">
            {keyName === undefined ? keyText(first.keyId, keyName) : <a href={`/web/keys/${first.keyId}`}>{keyName}</a>}
          </Fact>
        )}
        <Fact term="Request">
          <code>{requestId}</code>
        </Fact>
        {node !== undefined && <Fact term="Node">{shortId(node)}</Fact>}
      </Facts>
      {isCut && <p class="warning">Earlier entries are left out. The download has all of them.</p>}
      <ol class="timeline" aria-label="Events, the oldest first">
        {entries.map((entry, index) => (
          <li class={`event-line ${entry.level}`}>
            <span class="offset">{`+${took(offsets[index]!)}`}</span>
            <span class="level">{entry.level}</span>
            <span class="said">
              <span class="event">{EVENTS[entry.event]}</span>
              <span class="text">{entry.message}</span>
            </span>
          </li>
        ))}
      </ol>
      {!logsCalls && (
        <p class="quiet">
          At the level debug, the log also has the start and end of each call, its status and the names of the secrets
          that it asks for: <a href="/web/settings">log.level</a>.
        </p>
      )}
    </>
  );
}

/** Returns when the call began: entries of its course know how long it ran until then. */
function startOf(entries: readonly MergedEntry[]): number {
  const { at } = entries[0]!;
  const begins = entries.flatMap((entry) => entry.durationMs === null ? [] : [entry.at - Math.round(entry.durationMs)]);
  return Math.min(at, ...begins);
}

/** Durations are exact, while times are whole milliseconds: no entry comes before the one above it. */
function offsetsOf(entries: readonly MergedEntry[], start: number): number[] {
  let last = 0;
  return entries.map(({ at, durationMs }) => last = Math.max(last, durationMs ?? at - start));
}

function outcomeOf(end: MergedEntry | undefined): string {
  if (end?.event === "exec_reject") return "failed";
  const [, status] = /^Status (\d{3})\.$/.exec(end?.message ?? "") ?? [];
  return status === undefined ? "not recorded" : `status ${status}`;
}
