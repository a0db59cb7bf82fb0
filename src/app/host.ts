// Declares what the process that runs an app gives to each of its parts.

import type { Config } from "../config.ts";
import type { Log } from "../telemetry/log.ts";

export interface Host {
  readonly config: Config;
  readonly log: Log;
  /** Prints a message at the start. */
  readonly print: (line: string) => void;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Milliseconds since 1970 UTC. */
  readonly startedAt: number;
  /** Whether saved and deployed code is loaded once to check it. */
  readonly checksLoads: boolean;
  /** Whether processes are started before a function needs one. */
  readonly startsSpares: boolean;
  readonly development: Development | undefined;
}

/** For a server that one developer runs on a project's own folder. Its data may be in the folder, under `.crude`. */
export interface Development {
  /** Is called when the head of a response to a call is there. */
  readonly onCall: (call: ObservedCall) => void;
}

export interface ObservedCall {
  readonly method: string;
  /** With its query, except an API key. */
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
}
