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
}
