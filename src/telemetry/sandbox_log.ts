// Writes output of sandboxes to the functions' logs, and errors of the server to its own log as well.

import type { FunctionId, KeyId } from "../ids.ts";
import type { Target } from "../sandbox/host/pool.ts";
import type { LogLine } from "../sandbox/host/sandbox.ts";
import type { Log } from "./log.ts";
import type { Logs } from "./logs.ts";
import type { DisclosedSecrets, Masking } from "../masking/masking.ts";

export interface SandboxLogOptions {
  readonly logs: Pick<Logs, "write">;
  readonly masking: Pick<Masking, "mask">;
  readonly log: Log;
  /** Reports whether an error is to be logged for the operator: a handler can cause the same one in a loop. */
  readonly isNews: (what: string) => boolean;
}

/** Takes a line of a sandbox that runs `target`. */
export type SandboxLog = (
  target: Pick<Target, "functionId" | "route">,
  line: LogLine<{ readonly disclosed: DisclosedSecrets; readonly keyId: KeyId | undefined }>,
) => void;

export function createSandboxLog({ logs, masking, log, isNews }: SandboxLogOptions): SandboxLog {
  return ({ functionId, route }, { kind, level, text, request }) => {
    const requestId = request?.requestId;
    const disclosed = request?.caller.disclosed;
    logs.write({
      functionId: functionId as FunctionId,
      requestId: requestId ?? null,
      keyId: request?.caller.keyId,
      level,
      event: kind,
      message: text,
      disclosed,
    });
    if (kind === "error" && isNews(`${functionId} ${text}`)) {
      log(level, masking.mask(functionId, text, disclosed), { function: route.name, requestId });
    }
  };
}
