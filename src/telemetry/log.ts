// Writes the server's own log: one line for each entry, on standard output. It never contains a secret: values in
// memory are SecretValues, which print as [secret], and output of handlers is masked first.

import { oneLine } from "../text.ts";

export type Level = "debug" | "info" | "warn" | "error";

export interface Log {
  (level: Level, message: string, context?: LogContext): void;
}

export interface LogContext {
  readonly requestId?: string | undefined;
  /** The name of the function that the entry is about. */
  readonly function?: string | undefined;
}

/** Creates a log that passes each finished line to `write`. */
export function createLog(write: (line: string) => void, now: () => Date): Log {
  return (level, message, { requestId, function: name } = {}) => {
    const about = [name && `function=${oneLine(name)}`, requestId && `request=${requestId}`].filter(Boolean).join(" ");
    write(`${now().toISOString()} ${level.toUpperCase().padEnd(5)} ${about && `[${about}] `}${oneLine(message)}`);
  };
}
