// What comes out of sandboxes, on its way into the functions' logs, and to the operator where it is the server's fault.

import type { FunctionId } from "../ids.ts";
import type { Target } from "../sandbox/host/pool.ts";
import type { LogLine } from "../sandbox/host/sandbox.ts";
import type { Log } from "./log.ts";
import type { Logs } from "./logs.ts";
import type { DisclosedSecrets, Masking } from "../masking/masking.ts";

/** Takes a line of a sandbox that runs `target`. The operator gets what `isNews`: a handler can cause it in a loop. */
export function sandboxLog(
  logs: Pick<Logs, "write">,
  masking: Masking,
  log: Log,
  isNews: (what: string) => boolean,
) {
  return (
    { functionId, route }: Pick<Target, "functionId" | "route">,
    { kind, level, text, request }: LogLine<{ readonly disclosed: DisclosedSecrets }>,
  ): void => {
    const requestId = request?.requestId;
    const disclosed = request?.caller.disclosed;
    logs.write({
      functionId: functionId as FunctionId,
      requestId: requestId ?? null,
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
