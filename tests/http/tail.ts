// The logs of functions for a test: what is kept, and what comes.

import assert from "node:assert/strict";
import type { Server } from "./server.ts";

export interface Entry {
  id: number;
  functionId: number;
  requestId: string | null;
  keyId: number | null;
  keyName: string | null;
  level: string;
  event: string;
  message: string;
  durationMs: number | null;
  at: string;
}

/** Entries that `query` finds, such as "?requestId=…", the oldest first. */
export async function kept(server: Server, query = ""): Promise<Entry[]> {
  const { status, body } = await server.api("GET", `/api/logs${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.logs.toReversed();
}

/** One server-sent event. */
export interface StreamEvent {
  event: string;
  id: string | undefined;
  data: string;
}

export interface Tail extends AsyncDisposable {
  /** Waits for the next event of this type. */
  next(event: string): Promise<StreamEvent>;
  /** Waits until an entry's message matches; entries before it are passed over. */
  seen(pattern: RegExp): Promise<Entry>;
  /** Settles when the server has ended the stream. */
  readonly ended: Promise<void>;
}

/** Follows the logs from now on. */
export async function tail(server: Server, query = "", headers: Record<string, string> = {}): Promise<Tail> {
  const response = await fetch(`${server.url}/api/logs/stream${query}`, {
    headers: { "X-API-Key": server.key, ...headers },
  });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const ended = Promise.withResolvers<void>();
  const waiting: StreamEvent[] = [];
  let text = "";
  const any = async (): Promise<StreamEvent> => {
    while (waiting.length === 0) {
      const { done, value } = await reader.read();
      if (done) {
        ended.resolve();
        throw new Error("The stream has ended.");
      }
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
        const event = field("event");
        if (event !== undefined) waiting.push({ event, id: field("id"), data: field("data")! });
      }
    }
    return waiting.shift()!;
  };
  const next = async (event: string): Promise<StreamEvent> => {
    while (true) {
      const one = await any();
      if (one.event === event) return one;
    }
  };
  return {
    next,
    async seen(pattern) {
      while (true) {
        const entry: Entry = JSON.parse((await next("log")).data);
        if (pattern.test(entry.message)) return entry;
      }
    },
    get ended() {
      const drain = async (): Promise<void> => {
        while (true) await any();
      };
      drain().catch(() => {});
      return ended.promise;
    },
    [Symbol.asyncDispose]: () => reader.cancel(),
  };
}
