// Implements `crude logs`: prints what functions logged, and follows it.

import { type Client, isUnknownEndpoint, unreachable } from "../base/client.ts";
import type { Command, Context, Given } from "../base/command.ts";
import { CrudeError, EXIT } from "../base/errors.ts";
import { functionByName, type Named } from "../base/owners.ts";
import { count, visible } from "../base/text.ts";

const LIMIT = 100;
/** What `--follow` shows of the past, as `tail -f` does. */
const FOLLOWED_LIMIT = 10;
const LIMIT_MAX = 1_000;
const RECONNECT_MS = 1_000;
const RECONNECT_MAX_MS = 30_000;
/** Longer than the server is silent: it sends a comment every 15 s. */
const SILENCE_MAX_MS = 60_000;
/** As on the page of the logs. */
const NODE_SHOWN_LENGTH = 8;
const LEVELS = ["debug", "info", "warn", "error"] as const;

interface Entry {
  readonly id: number;
  readonly functionId: number;
  readonly requestId: string | null;
  readonly keyId?: number | null;
  readonly keyName?: string | null;
  readonly level: string;
  readonly event: string;
  readonly message: string;
  readonly durationMs: number | null;
  readonly at: string;
  /** Only in a cluster. */
  readonly node?: string;
}

interface SilentNode {
  readonly error: string;
}

type Filter = Readonly<Record<string, string | number | undefined>>;

const logs: Command = {
  name: "logs",
  options: {
    follow: { type: "boolean", short: "f", help: "continue with what is logged from now on" },
    function: { type: "string", value: "NAME", help: "only of this function" },
    key: { type: "string", value: "GROUP/KEY", help: "only of calls that this API key admitted; also its id" },
    level: { type: "string", value: "LEVEL", choices: LEVELS, help: "this level and more severe ones" },
    request: { type: "string", value: "ID", help: "only of the call with this X-Request-Id" },
    search: { type: "string", value: "WORDS", help: "only messages with these words" },
    limit: { type: "string", short: "n", value: "N", help: `how many; ${LIMIT} by default` },
  },
  help: ["Print the log of functions, the oldest entry first.", "--follow with --json prints one object a line."],
  async run(context, given) {
    const client = await context.connect();
    const isFollowed = given.flag("follow");
    const filter = await filterOf(client, given);
    const limit = Math.min(given.number("limit") ?? (isFollowed ? FOLLOWED_LIMIT : LIMIT), LIMIT_MAX);
    // Servers of earlier versions do not say where a page begins: asked before it, so that nothing is left out.
    const begin = isFollowed ? await newest(client) : "";
    const { logs, newest: last, silentNodes } = await client.get("/api/logs", { ...filter, limit });
    if (silentNodes !== undefined) nodesNote(context, silentNodes as SilentNode[]);
    const entries = (logs as Entry[]).toReversed();
    const names = await functionNames(client);
    if (!isFollowed) return { json: { logs: entries }, lines: entries.map((entry) => text(entry, names)) };
    const print = (entry: Entry) => context.write(`${context.json ? JSON.stringify(entry) : text(entry, names)}\n`);
    for (const entry of entries) await print(entry);
    return await follow({ context, client, filter, last: String(last ?? entries.at(-1)?.id ?? begin), print });
  },
};

async function filterOf(client: Client, given: Given): Promise<Filter> {
  const name = given.text("function");
  return {
    functionId: name === undefined ? undefined : (await functionByName(client, name)).id,
    key: given.text("key"),
    level: given.text("level"),
    requestId: given.text("request"),
    search: given.text("search"),
  };
}

/** Returns where the log ends. */
async function newest(client: Client): Promise<string> {
  const { logs, newest } = await client.get("/api/logs", { limit: 1 });
  return String(newest ?? (logs as Entry[])[0]?.id ?? 0);
}

/** Says which nodes of a cluster do not answer. */
function nodesNote(context: Context, silent: readonly SilentNode[]): void {
  for (const { error } of silent) context.note(`Entries are missing. ${error}`);
}

async function functionNames(client: Client): Promise<Map<number, string>> {
  const { functions } = await client.get("/api/functions");
  return new Map((functions as Named[]).map(({ id, name }) => [id, name]));
}

function text(
  { at, level, functionId, requestId, message, event, node }: Entry,
  names: ReadonlyMap<number, string>,
): string {
  const name = names.get(functionId) ?? `#${functionId}`;
  const call = requestId === null ? "" : ` ${requestId.slice(0, 8)}`;
  const where = node === undefined ? "" : ` @${node.slice(0, NODE_SHOWN_LENGTH)}`;
  const shown = event === "print" ? message : `${event}: ${message}`;
  // Further lines are indented, so that no message looks like an entry of its own.
  return `${at} ${level.toUpperCase().padEnd(5)} ${name}${where}${call} ${visible(shown).replaceAll("\n", "\n    ")}`;
}

interface Following {
  readonly context: Context;
  readonly client: Client;
  readonly filter: Filter;
  /** Id of the last event, or where the page before ended. */
  last: string;
  readonly print: (entry: Entry) => Promise<void>;
}

/** Follows until the program is interrupted, or the server refuses; connects again when the connection is lost. */
async function follow(following: Following): Promise<never> {
  let waitMs = RECONNECT_MS;
  while (true) {
    try {
      await readStream(following, () => waitMs = RECONNECT_MS);
    } catch (error) {
      if (isUnknownEndpoint(error) || !isTransient(error)) throw error;
      following.context.note(`${(error as Error).message} Trying again in ${waitMs / 1_000} s.`);
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    waitMs = Math.min(waitMs * 2, RECONNECT_MAX_MS);
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof CrudeError &&
    (error.exitCode === EXIT.unreachable || /^(?:Stopping|TooMany)/.test(error.code));
}

async function readStream(following: Following, onEvent: () => void): Promise<void> {
  const { client, filter, last } = following;
  const silence = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MAX_MS);
  };
  const { body } = await client.request("GET", "/api/logs/stream", {
    query: { ...filter, since: last },
    timeoutMs: null,
  });
  silence.signal.addEventListener("abort", () => void reader.cancel(), { once: true });
  const reader = body!.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    heard();
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      heard();
      onEvent();
      const events = (rest + decoder.decode(value, { stream: true })).split("\n\n");
      rest = events.pop()!;
      for (const event of events) await take(event, following);
    }
  } catch (error) {
    throw error instanceof CrudeError ? error : unreachable(client.url, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads one server-sent event (HTML, 9.2.6), as the server writes them: each field on one line. */
async function take(event: string, following: Following): Promise<void> {
  const field = (name: string) =>
    event.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const data = field("data");
  if (data === undefined) return;
  if (field("event") === "lost") {
    const { lines } = JSON.parse(data) as { lines: number | null };
    following.context.note(lines === null ? "Entries were skipped." : `${count(lines, "entry", "entries")} skipped.`);
    return;
  }
  if (field("event") === "nodes") {
    nodesNote(following.context, (JSON.parse(data) as { silent: SilentNode[] }).silent);
    return;
  }
  const entry = JSON.parse(data) as Entry;
  following.last = field("id") ?? String(entry.id);
  await following.print(entry);
}

export const logCommands: readonly Command[] = [logs];
