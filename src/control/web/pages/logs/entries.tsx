// Implements the entries of the logs' page: a line for each, which unfolds.

import type { Child } from "hono/jsx";
import type { MergedEntry } from "../../../../telemetry/cluster/node_logs.ts";
import type { LogEntry } from "../../../../telemetry/logs.ts";
import type { WebDeps } from "../../shell/deps.ts";
import { parseSearch, type Search } from "../../../../telemetry/search.ts";
import { timeText } from "../../format/times.ts";
import { took } from "../../ui/format.ts";

/** Labels of events other than output; the same as in static/logs.js. */
export const EVENTS: Partial<Record<LogEntry["event"], string>> = {
  secret: "asked for a secret",
  exec_start: "started",
  exec_end: "ended",
  exec_reject: "failed",
  dropped: "lines dropped",
  leak: "secret in the response",
  error: "server error",
};
/** The same in static/logs.js. */
const SHORT_ID_LENGTH = 8;

/** Returns the address of all that one call left in the log. */
export function requestPath(requestId: string): string {
  return `/web/logs?requestId=${encodeURIComponent(requestId)}`;
}

/** The beginning of an id, which is enough to distinguish requests. */
export function shortId(id: string): string {
  return id.slice(0, SHORT_ID_LENGTH);
}

/** Returns the names of functions by their ids, without those that were deleted. */
export function functionNames(ids: Iterable<number>, matrix: WebDeps["matrix"]): Map<number, string> {
  return new Map([...new Set(ids)].flatMap((id) => {
    const name = id > 0 ? matrix.ownerName("function", id) : undefined;
    return name ? [[id, name]] : [];
  }));
}

/** Returns the names of the API keys that admitted calls, without those that were revoked. */
export function keyNames(entries: readonly MergedEntry[], all: WebDeps["names"]): Map<number, string> {
  const ids = new Set(entries.flatMap(({ keyId }) => keyId ?? []));
  return new Map([...ids].flatMap((id) => {
    const name = all.ofKey(id);
    return name ? [[id, name]] : [];
  }));
}

/** How a key is named that may have been revoked. */
export function keyText(id: number, name: string | undefined): string {
  return name ?? `revoked key ${id}`;
}

export function Entries({ entries, names, keyNames, search, isOfOne }: {
  entries: readonly MergedEntry[];
  /** Whether all are of one function, which need not be named. */
  isOfOne: boolean;
  /** Names of functions by their ids. */
  names: ReadonlyMap<number, string>;
  /** Names of API keys by their ids. */
  keyNames: ReadonlyMap<number, string>;
  search: string | undefined;
}) {
  const words = search === undefined ? undefined : parseSearch(search);
  return (
    <>
      <ol id="entries" class={isOfOne ? "entries of-one" : "entries"} aria-label="Entries, the newest first" reversed>
        {entries.map((entry) => (
          <Entry entry={entry} name={names.get(entry.functionId)} keyNames={keyNames} words={words} />
        ))}
      </ol>
      <template id="entry">
        <Entry entry={undefined} name={undefined} keyNames={keyNames} words={undefined} />
      </template>
    </>
  );
}

/** One entry, or a template that the script fills. The link to the request follows the line: what unfolds must not contain any. */
function Entry({ entry, name, keyNames, words }: {
  entry: MergedEntry | undefined;
  name: string | undefined;
  keyNames: ReadonlyMap<number, string>;
  words: Search | undefined;
}) {
  const { level = "", requestId = null, keyId = null, node } = entry ?? {};
  const at = entry && new Date(entry.at).toISOString();
  const event = entry && EVENTS[entry.event];
  const took = tookText(entry?.durationMs ?? null);
  return (
    <li class={`entry ${level}`}>
      <details>
        <summary>
          <time datetime={at} title={at} data-form="precise">{entry && timeText(entry.at, "UTC", "precise")}</time>
          <span class="level">{level}</span>
          <span class="of">{name ?? "a deleted function"}</span>
          <span class="said">
            <span class="event">{event}</span>
            <span class="text">{entry && <Marked text={entry.message} words={words} />}</span>
          </span>
        </summary>
        <ul class="more">
          <li>
            <a class="only" href={entry && `/web/logs?functionId=${entry.functionId}`}>Only this function</a>
          </li>
          <li class="whole-request" hidden={requestId === null}>
            Request <code>{requestId}</code>
          </li>
          <li class="with-key" hidden={keyId === null}>
            API key{" "}
            <a href={keyId === null ? undefined : `/web/logs?key=${keyId}`} title="Only calls with this key">
              {keyId !== null && keyText(keyId, keyNames.get(keyId))}
            </a>
          </li>
          <li class="took" hidden={took === ""}>{took}</li>
          <li class="node" hidden={node === undefined}>{node && `Node ${shortId(node)}`}</li>
        </ul>
      </details>
      <a
        class="request"
        href={requestId === null ? undefined : requestPath(requestId)}
        title="The timeline of this request"
        hidden={requestId === null}
      >
        <span class="visually-hidden">Request:</span>
        <span class="id">{requestId && shortId(requestId)}</span>
      </a>
    </li>
  );
}

/** A message in which the words that were searched for are marked. */
function Marked({ text, words }: { text: string; words: Search | undefined }) {
  const found = words?.found(text) ?? [];
  if (found.length === 0) return <>{text}</>;
  const parts: Child[] = [];
  let last = 0;
  for (const [from, to] of found) {
    parts.push(text.slice(last, from), <mark>{text.slice(from, to)}</mark>);
    last = to;
  }
  return <>{parts}{text.slice(last)}</>;
}

export function tookText(durationMs: number | null): string {
  return durationMs === null ? "" : took(durationMs);
}
